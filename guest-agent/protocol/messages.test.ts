import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fromGuest, fromHost } from "./messages.ts";
import { ProtocolError } from "./protocol-error.ts";
import { PROTOCOL_VERSION } from "./version.ts";

const spec = {
  hostname: "box",
  domainname: "",
  rootfs: { imageSerial: "image", upper: { kind: "disk", serial: "upper" }, readOnly: false },
  mounts: [{ destination: "/tmp", type: "tmpfs", source: "", options: ["size=1m"] }],
  shmSize: 67_108_864,
  extraHosts: [],
  dns: { servers: [], search: [], options: [] },
  sysctls: { "net.ipv4.ip_forward": "1" },
  resources: { memory: 1024, pids: -1 },
  namespaces: {
    network: "private",
    pid: "private",
    ipc: "private",
    uts: "private",
    cgroup: "private",
    user: "guest",
  },
  privileged: false,
  init: false,
};

describe("messages", () => {
  it("keeps its shipped form: raise PROTOCOL_VERSION when this test has to change", () => {
    assert.equal(PROTOCOL_VERSION, 6);
    const message = { id: 1, request: { type: "container.create", container: "c", spec } };
    assert.deepEqual(fromHost.parse(message), message);
    const exit = {
      type: "process.exit",
      container: "c",
      process: "init",
      code: 137,
      oomKilled: true,
    };
    assert.deepEqual(fromGuest.parse(exit), exit);
  });

  const refused: Record<string, [unknown, RegExp]> = {
    "an unknown type": [{ type: "eval" }, /message\.type: wanted one of/],
    "a type from Object.prototype": [{ type: "constructor" }, /message\.type/],
    "a missing field": [{ type: "log" }, /message\.text: wanted a string, got nothing/],
    "a field that is not in the schema": [
      { type: "log", text: "x", more: 1 },
      /message\.more: wanted no such field/,
    ],
    "a fraction": [{ type: "reply", id: 1.5 }, /message\.id/],
    "a number out of range": [
      { type: "process.exit", container: "c", process: "p", code: 256, oomKilled: false },
      /message\.code: wanted an integer from 0 to 255, got 256/,
    ],
    "an array in place of an object": [[], /wanted an object/],
    "a string that is too long": [{ type: "log", text: "x".repeat(300_000) }, /message\.text/],
    "a type nested deeper than any stack": [
      { type: JSON.parse("[".repeat(400_000) + "]".repeat(400_000)) },
      /message\.type: wanted one of .* got an array of 1$/,
    ],
    "too many elements": [
      {
        type: "hello",
        version: 1,
        kernel: "6.1",
        memoryBytes: 1,
        uptime: 1,
        containers: { a: Array.from({ length: 20_000 }, () => "") },
      },
      /message\.containers\.a: wanted an array/,
    ],
  };
  for (const [name, [value, pattern]] of Object.entries(refused)) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => fromGuest.parse(value),
        (error) =>
          error instanceof ProtocolError &&
          error.code === "BAD_MESSAGE" &&
          pattern.test(error.message),
      );
    });
  }
});
