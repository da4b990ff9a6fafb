import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { ContainerRecord } from "../container-record.ts";
import type { MountPoint } from "../volumes/mount-config.ts";
import { sideEvents, volumeEvent } from "./side-events.ts";

const VOLUME: MountPoint = {
  type: "volume",
  name: "data",
  source: "/volumes/data/_data",
  destination: "/srv",
  readOnly: true,
  copyUp: false,
};
const BIND: MountPoint = { ...VOLUME, type: "bind", source: "/srv" };

function record(network: string, mounts: readonly MountPoint[] = []): ContainerRecord {
  return { id: "c1", config: { network }, owner: 7, mounts } as unknown as ContainerRecord;
}

test("a start connects networks and mounts volumes, an end takes them back, in Docker's words", () => {
  const folder = mkdtempSync(join(tmpdir(), "dvm-side-"));
  try {
    const told = (action: string) => sideEvents(record("bridge", [VOLUME, BIND]), action, folder);
    const network = { type: "network", id: "bridge", owner: 7 };
    const volume = { type: "volume", id: "data", owner: 7 };
    const joined = { name: "bridge", type: "bridge", container: "c1" };
    const whose = { driver: "local", container: "c1" };
    const how = { destination: "/srv", "read/write": "false", propagation: "" };
    assert.deepEqual(told("start"), [
      { ...network, action: "connect", attributes: joined },
      { ...volume, action: "mount", attributes: { ...whose, ...how } },
    ]);
    assert.deepEqual(told("die"), [
      { ...network, action: "disconnect", attributes: joined },
      { ...volume, action: "unmount", attributes: whose },
    ]);
    assert.deepEqual(told("kill"), []);
    // one that was removed meanwhile, and one that is another container's
    assert.deepEqual(sideEvents(record("gone"), "die", folder), []);
    assert.deepEqual(sideEvents(record("container:c2"), "start", folder), []);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a volume's making is its owner's to hear of", () => {
  assert.deepEqual(volumeEvent("create", { name: "data", owner: 7 }), {
    type: "volume",
    action: "create",
    id: "data",
    attributes: { driver: "local" },
    owner: 7,
  });
});
