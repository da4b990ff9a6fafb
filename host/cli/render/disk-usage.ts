/** What each image, container, volume and snapshot takes on disk: the tables of `system df -v`. */

import type { DiskUsage } from "../../api/engine-api.ts";
import { CONTAINER_TITLES, containerRow } from "./container-row.ts";
import { renderRows } from "./rows.ts";
import { humanSize } from "./size.ts";
import { renderTable } from "./table.ts";

/** @param now since the epoch, in `milliseconds` */
export function diskUsageDetails(usage: DiskUsage, now: number): string {
  return [
    `Images space usage:\n\n${imageTable(usage.Images)}`,
    `Containers space usage:\n\n${containerTable(usage.Containers, now)}`,
    `Local Volumes space usage:\n\n${volumeTable(usage.Volumes)}`,
    ...(usage.Snapshots.length > 0
      ? [`Snapshots space usage:\n\n${snapshotTable(usage.Snapshots)}`]
      : []),
  ].join("\n");
}

function imageTable(images: DiskUsage["Images"]): string {
  const headers = "REPOSITORY|TAG|IMAGE ID|SIZE|SHARED SIZE|UNIQUE SIZE|CONTAINERS".split("|");
  const rows = images.flatMap(
    ({ Id: id, RepoTags: names, Size: size, SharedSize: shared, ...of }) =>
      (names.length === 0 ? ["<none>:<none>"] : names).map((name) => [
        name.slice(0, name.lastIndexOf(":")),
        name.slice(name.lastIndexOf(":") + 1),
        id.replace("sha256:", "").slice(0, 12),
        humanSize(size),
        humanSize(shared),
        humanSize(size - shared),
        String(of.Containers),
      ]),
  );
  return renderTable(headers, rows);
}

const CONTAINERS =
  "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}";

function containerTable(containers: DiskUsage["Containers"], now: number): string {
  const rows = containers.map(({ SizeRootFs: _, ...own }) =>
    containerRow({ ...own, SizeRootFs: undefined }, { whole: false, now }),
  );
  return renderRows(rows, { format: undefined, table: CONTAINERS, titles: CONTAINER_TITLES });
}

function volumeTable(volumes: DiskUsage["Volumes"]): string {
  const rows = volumes.map(({ Name: name, UsageData: { Size = 0, RefCount = 0 } = {} }) => [
    name,
    String(RefCount),
    humanSize(Size),
  ]);
  return renderTable(["VOLUME NAME", "LINKS", "SIZE"], rows);
}

function snapshotTable(snapshots: DiskUsage["Snapshots"]): string {
  const rows = snapshots.map(({ Name: name, Size: size }) => [name, humanSize(size)]);
  return renderTable(["SNAPSHOT", "SIZE"], rows);
}
