/** Images as the API tells them: list, inspect, history; and the filters of the list. */

import type { ImageView } from "../../engine/images/image-view.ts";
import type { RunConfig } from "../../image/config.ts";
import { ZERO_TIME } from "./container-json.ts";
import { type Filters, hasLabel } from "./filters.ts";
import { healthcheckJson, setOf } from "./write-create.ts";

export const IMAGE_FILTERS = [
  "before",
  "dangling",
  "label",
  "reference",
  "since",
  "until",
] as const;

export function imageSummaryJson(image: ImageView, containers: number): Record<string, unknown> {
  return {
    Containers: containers,
    Created: epochSeconds(image.created),
    Id: image.id,
    Labels: image.run.labels,
    ParentId: "",
    RepoDigests: image.digests.map(familiarName),
    RepoTags: image.names.map(familiarName),
    SharedSize: -1,
    Size: image.size,
  };
}

export function imageJson(image: ImageView): Record<string, unknown> {
  const { platform } = image;
  return {
    Id: image.id,
    RepoTags: image.names.map(familiarName),
    RepoDigests: image.digests.map(familiarName),
    Parent: "",
    Comment: image.history.at(-1)?.comment ?? "",
    Created: image.created ?? ZERO_TIME,
    DockerVersion: "",
    Author: image.author ?? "",
    Config: runConfigJson(image.run),
    Architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { Variant: platform.variant }),
    Os: platform.os,
    Size: image.size,
    GraphDriver: { Data: null, Name: "overlay" },
    RootFS: { Type: "layers", Layers: image.diffIds },
    Metadata: { LastTagTime: image.tagged ?? ZERO_TIME },
  };
}

/** Newest step first; only the last one has the image's id and names. */
export function historyJson(image: ImageView): Record<string, unknown>[] {
  return image.history.toReversed().map((step, index) => ({
    Id: index === 0 ? image.id : "<missing>",
    Created: epochSeconds(step.created),
    CreatedBy: step.createdBy ?? "",
    Tags: index === 0 && image.names.length > 0 ? image.names.map(familiarName) : null,
    Size: step.size,
    Comment: step.comment ?? "",
  }));
}

/** The images that fit, in the order given. */
export function filterImages(all: readonly ImageView[], filters: Filters): readonly ImageView[] {
  const bound = (key: "before" | "since") => {
    const [name] = filters.get(key);
    return all.find((image) => name !== undefined && isNamed(image, name))?.created;
  };
  const before = bound("before");
  const since = bound("since");
  return all.filter(
    (image) =>
      (image.names.length === 0) === filters.flag("dangling", image.names.length === 0) &&
      filters.accepts("reference", (pattern) =>
        image.names.some((n) => fitsReference(n, pattern)),
      ) &&
      filters.get("label").every((wanted) => hasLabel(image.run.labels, wanted)) &&
      (before === undefined || (image.created ?? "") < before) &&
      (since === undefined || (image.created ?? "") > since),
  );
}

/** `busybox:latest` for `docker.io/library/busybox:latest`. */
export function familiarName(name: string): string {
  return name.replace(/^docker\.io\/(?:library\/)?/, "");
}

function isNamed(image: ImageView, name: string): boolean {
  const hex = image.id.replace("sha256:", "");
  const wanted = name.replace("sha256:", "");
  return (
    (wanted.length >= 4 && hex.startsWith(wanted)) ||
    image.names.some((full) =>
      [full, familiarName(full)].some((n) => n === name || n === `${name}:latest`),
    )
  );
}

/** A shell pattern of path.Match, over the name with or without its tag. */
function fitsReference(name: string, pattern: string): boolean {
  const familiar = familiarName(name);
  const repository = familiar.replace(/:[^/:]*$/, "");
  return [familiar, repository].some((text) => matchGlob(pattern, text));
}

/** `*` and `?` within a path's part; linear in both lengths for each star. */
function matchGlob(pattern: string, text: string): boolean {
  let [p, t, star, mark] = [0, 0, -1, 0];
  while (t < text.length) {
    if (p < pattern.length && pattern[p] === "*") {
      star = p++;
      mark = t;
    } else if (pattern[p] === text[t] || (pattern[p] === "?" && text[t] !== "/")) {
      p++;
      t++;
    } else if (star >= 0 && text[mark] !== "/") {
      p = star + 1;
      t = ++mark;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

function runConfigJson(run: RunConfig): Record<string, unknown> {
  return {
    Hostname: "",
    Domainname: "",
    User: run.user,
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ...(run.exposedPorts.length > 0 ? { ExposedPorts: setOf(run.exposedPorts) } : {}),
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: run.env,
    Cmd: run.cmd ?? null,
    ...(run.healthcheck === undefined ? {} : { Healthcheck: healthcheckJson(run.healthcheck) }),
    Image: "",
    Volumes: run.volumes.length > 0 ? setOf(run.volumes) : null,
    WorkingDir: run.workingDir,
    Entrypoint: run.entrypoint ?? null,
    OnBuild: null,
    Labels: run.labels,
    ...(run.stopSignal === undefined ? {} : { StopSignal: run.stopSignal }),
  };
}

function epochSeconds(time: string | undefined): number {
  const milliseconds = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(milliseconds) ? 0 : Math.trunc(milliseconds / 1000);
}
