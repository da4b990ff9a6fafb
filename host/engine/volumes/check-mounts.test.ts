import assert from "node:assert/strict";
import { test } from "node:test";
import { checkDestination, checkMounts } from "./check-mounts.ts";

type Config = Parameters<typeof checkMounts>[0];
const check = (config: object) => checkMounts({ tmpfs: [], ...config } as unknown as Config);
const bind = (source: string, destination: string) =>
  ({ type: "bind", source, destination, readOnly: false, createSource: false }) as const;
const volume = (name: string, more: object = {}) => ({
  ...{ type: "volume", name, destination: "/v", readOnly: false, noCopy: false },
  ...more,
});

test("paths that mean the same place are one mount point", () => {
  const tmpfs = [{ destination: "/a/../b/", options: [] }];
  assert.throws(() => check({ mounts: [bind("/x", "/b")], tmpfs }), {
    message: "Duplicate mount point: /b",
  });
  check({ mounts: [bind("/x", "/c")], tmpfs });
});

test("places that no mount can have are refused", () => {
  for (const path of ["", "relative", "/", "//", "/a/..", "/a\0", `/${"x".repeat(5000)}`]) {
    assert.throws(() => checkDestination(path), { code: "MOUNT_INVALID" }, JSON.stringify(path));
  }
});

test("sources that nothing can be are refused", () => {
  assert.throws(() => check({ mounts: [bind("srv", "/b")] }), /mount path must be absolute/);
  assert.throws(() => check({ mounts: [volume("a/b")] }), /invalid characters/);
  for (const subpath of ["/abs", "../x", "a/../../x"]) {
    assert.throws(() => check({ mounts: [volume("vol", { subpath })] }), /invalid volume subpath/);
  }
  check({ mounts: [volume("", { subpath: "a/../b" })] });
});

test("a user namespace of one's own has neither volumes nor folders of the host", () => {
  const config = { mounts: [volume("vol")], userNamespace: "private" };
  assert.throws(() => check(config), { code: "MOUNT_UNSUPPORTED" });
});
