import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { VmmError } from "../errors.ts";
import { plugDisks, unplugDisks } from "./plugged-disks.ts";

const source = { kind: "file", path: "/dev/null", format: "raw" } as const;
const disks = ["one", "two"].map((serial) => ({ serial, readOnly: true, source }));

/** Fails each command that `failing` has a text for, as often as it has one. */
function monitor(failing: Readonly<Record<string, string[]>> = {}) {
  const said: string[] = [];
  const execute = async (command: string, parameters: Readonly<Record<string, unknown>>) => {
    said.push(`${command} ${parameters.id ?? parameters["node-name"] ?? ""}`.trim());
    const text = failing[command]?.shift();
    if (text) throw new VmmError("VMM_QMP_FAILED", `QMP command ${command} failed: ${text}`);
    return {};
  };
  return { said, qmp: { execute, executeWith: async () => ({ "fdset-id": 1 }) } };
}

describe("plugDisks", () => {
  it("takes back what it has made when the machine has no place", async () => {
    const { said, qmp } = monitor({ device_add: ["", "Bus 'plugs.0' not found"] });
    await assert.rejects(plugDisks(qmp, disks), { code: "VMM_UNSUPPORTED" });
    const blocks = said.filter((each) => !each.startsWith("remove-fd"));
    assert.deepEqual(blocks, [
      "blockdev-add plug-one",
      "device_add plug-one",
      "blockdev-add plug-two",
      "device_add plug-two",
      "blockdev-del plug-two",
      "device_del plug-one",
      "blockdev-del plug-one",
    ]);
  });
});

describe("unplugDisks", () => {
  it("waits until a device has let go of its disk", async () => {
    const { said, qmp } = monitor({ "blockdev-del": ["Node plug-one is in use"] });
    await unplugDisks(qmp.execute, ["one"]);
    assert.deepEqual(said.slice(1), ["blockdev-del plug-one", "blockdev-del plug-one"]);
  });

  it("takes what is not there for gone, and tells of any other failure", async () => {
    const gone = monitor({
      device_del: ["Device 'plug-one' not found"],
      "blockdev-del": ["Failed to find node with node-name='plug-one'"],
    });
    await unplugDisks(gone.qmp.execute, ["one"]);
    const broken = monitor({ "blockdev-del": ["something else"] });
    await assert.rejects(unplugDisks(broken.qmp.execute, ["one"]), /something else/);
  });
});
