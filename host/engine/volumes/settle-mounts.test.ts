import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { ContainerStore } from "../container-store.ts";
import type { MountConfig } from "./mount-config.ts";
import { type SettleOptions, settleMounts } from "./settle-mounts.ts";
import { VolumeStore } from "./volume-store.ts";

let dataRoot: string;
let volumes: VolumeStore;

beforeEach(() => {
  dataRoot = mkdtempSync(join(tmpdir(), "dvm-settle-"));
  volumes = new VolumeStore(dataRoot);
  mkdirSync(join(dataRoot, "containers", "c1"), { recursive: true });
});
afterEach(() => rmSync(dataRoot, { recursive: true, force: true }));

function settle(mounts: readonly MountConfig[], more: Partial<SettleOptions> = {}) {
  const containers = new ContainerStore(dataRoot);
  const config = { mounts, tmpfs: [{ destination: "/tmpfs", options: [] }] };
  return settleMounts({ container: "c1", config, imageVolumes: [], volumes, containers, ...more });
}

const volume = { type: "volume", readOnly: false, noCopy: false } as const;
const bind = { type: "bind", source: "/srv", readOnly: false, createSource: true } as const;

test("the container's own mounts and tmpfs outweigh the image's volumes", async () => {
  const settled = await settle([{ ...bind, destination: "/a/" }], {
    imageVolumes: ["/a", "/tmpfs", "/b"],
  });
  assert.deepEqual(
    settled.map(({ type, destination, isAnonymous }) => [type, destination, isAnonymous]),
    [
      ["bind", "/a", undefined],
      ["volume", "/b", true],
    ],
  );
});

test("a volume is filled from the image unless it is read-only, in part, or told not to be", async () => {
  const fills = async (mount: object) => {
    const [settled] = await settle([{ ...volume, name: "vol", destination: "/v", ...mount }]);
    return settled?.copyUp;
  };
  assert.equal(await fills({}), true);
  assert.equal(await fills({ noCopy: true }), false);
  assert.equal(await fills({ readOnly: true }), false);
  assert.equal(await fills({ subpath: "x" }), false);
});

test("a daemon shares no folder of the host with another user's container", async () => {
  const foreign = (process.getuid?.() ?? 0) + 1;
  await assert.rejects(settle([{ ...bind, destination: "/a" }], { owner: foreign }), {
    code: "MOUNT_UNSUPPORTED",
  });
  const [own] = await settle([{ ...volume, name: "vol", destination: "/v" }], { owner: foreign });
  assert.equal(own?.name, "vol");
});

test("mounts of a container that is not there are refused", async () => {
  const config = { mounts: [], tmpfs: [], volumesFrom: ["nobody:ro"] };
  await assert.rejects(settle([], { config }), { code: "NO_SUCH_CONTAINER" });
  await assert.rejects(settle([], { config: { ...config, volumesFrom: ["nobody:rx"] } }), {
    message: "invalid mode for volumes-from: rx",
  });
});

test("root has another user's volumes by that user's container, and not by their names", async () => {
  const owner = (process.getuid?.() ?? 0) + 1;
  const mounts = await settle([{ ...volume, name: "vol", destination: "/v" }], { owner });
  const record = { owner, mounts };
  const containers = { resolve: () => "c1", read: () => record } as unknown as ContainerStore;
  const config = { mounts: [], tmpfs: [], volumesFrom: ["theirs"] };
  mkdirSync(join(dataRoot, "containers", "c2"));
  const more = { container: "c2", containers, owner: 0 };
  const [borrowed] = await settle([], { ...more, config });
  assert.equal(borrowed?.name, "vol");
  assert.deepEqual(volumes.find("vol", owner).users, ["c1", "c2"]);
  const [own] = await settle([{ ...volume, name: "vol", destination: "/v" }], more);
  assert.notEqual(own?.source, borrowed?.source);
  const [again] = await settle([], { ...more, config });
  assert.equal(again?.source, borrowed?.source);
});
