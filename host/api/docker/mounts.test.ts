import assert from "node:assert/strict";
import { test } from "node:test";
import type { DaemonContainerConfig } from "../../engine/daemon/model.ts";
import { createBody } from "./create-body.ts";
import { mountsJson, readMounts } from "./mounts.ts";
import { readCreate } from "./read-create.ts";
import { readBySchema } from "./schema.ts";
import { writeCreate } from "./write-create.ts";

const read = (body: object) => readMounts(readBySchema(createBody, body));
const config = (mounts: NonNullable<DaemonContainerConfig["mounts"]>): DaemonContainerConfig => {
  const plain = readCreate(readBySchema(createBody, { Image: "i" }), {
    name: undefined,
    platform: undefined,
  });
  return { ...plain, mounts, volumesFrom: ["other:ro"] };
};

test("what is written of a container's mounts is read as the same", () => {
  const long = { isLong: true, readOnly: true } as const;
  const mounts = [
    {
      type: "bind",
      source: "/a",
      destination: "/b",
      readOnly: true,
      createSource: true,
      modes: ["ro"],
    },
    { type: "volume", name: "v", destination: "/v", readOnly: false, noCopy: false },
    { type: "volume", name: "", destination: "/x", readOnly: false, noCopy: false },
    { type: "bind", source: "/c", destination: "/d", createSource: false, ...long },
    { type: "bind", source: "/c", destination: "/e", createSource: true, ...long },
    {
      type: "volume",
      name: "",
      destination: "/f",
      ...long,
      noCopy: true,
      subpath: "s",
      driver: "local",
      driverOptions: { type: "disk" },
      labels: { a: "b" },
    },
  ] as const;
  const again = read(writeCreate(config(mounts)));
  const sorted = (list: readonly { readonly destination: string }[] = []) =>
    list.toSorted((a, b) => a.destination.localeCompare(b.destination));
  assert.deepEqual(sorted(again.mounts), sorted(mounts));
  assert.deepEqual(again.volumesFrom, ["other:ro"]);
});

test("a driver in the body is that of volumes in the short form", () => {
  const [bind, volume] =
    read({ HostConfig: { Binds: ["/a:/b", "v:/c"], VolumeDriver: "local" } }).mounts ?? [];
  assert.equal(bind && "driver" in bind, false);
  assert.equal(volume?.type === "volume" && volume.driver, "local");
});

test("mounts that cannot be had are refused by name", () => {
  const refused = (mount: object, message: RegExp) =>
    assert.throws(() => read({ HostConfig: { Mounts: [mount] } }), { message });
  refused({ Type: "bind", Target: "/b" }, /field Source must not be empty/);
  refused(
    { Type: "bind", Source: "/a", Target: "/b", BindOptions: { Propagation: "rshared" } },
    /mount propagation "rshared" is not supported/,
  );
  refused(
    { Type: "bind", Source: "/a", Target: "/b", BindOptions: { NonRecursive: true } },
    /leaves out mounts below/,
  );
  assert.throws(() => read({ HostConfig: { Binds: ["/a:/b:x"] } }), { message: "invalid mode: x" });
});

test("inspect tells each mount as Docker does", () => {
  const mount = { destination: "/v", readOnly: true, copyUp: false } as const;
  assert.deepEqual(mountsJson([{ type: "volume", name: "v", source: "/d/v/_data", ...mount }]), [
    {
      Type: "volume",
      Name: "v",
      Source: "/d/v/_data",
      Destination: "/v",
      Driver: "local",
      Mode: "",
      RW: false,
      Propagation: "",
    },
  ]);
});
