import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { ContainerConfig, ResourceConfig } from "./container-config.ts";
import { makeContainerId, makeContainerName, NAME_PATTERN } from "./container-name.ts";
import { parseCpuList } from "./cpu-list.ts";
import { enginePaths } from "./paths.ts";
import { PLAIN_CONFIG } from "./test-engine.ts";
import { validateConfig } from "./validate-config.ts";

const MiB = 2 ** 20;
const CPUS = 4;

describe("a configuration is refused, as Docker's daemon refuses it, for", () => {
  const limits: [string, ResourceConfig, RegExp][] = [
    ["too little memory", { memory: 5 * MiB }, /^minimum memory limit allowed is 6MB$/],
    [
      "less swap than memory",
      { memory: 8 * MiB, memorySwap: 7 * MiB },
      /^minimum memoryswap limit/,
    ],
    ["swap without memory", { memorySwap: 8 * MiB }, /^you should always set the memory limit/],
    [
      "a reservation above the limit",
      { memory: 8 * MiB, memoryReservation: 9 * MiB },
      /can not be less than memory reservation/,
    ],
    ["more CPUs than there are", { nanoCpus: 4.5e9 }, /^range of CPUs is from 0\.01 to 4\.00/],
    ["next to no CPU", { nanoCpus: 1e6 }, /^range of CPUs/],
    ["CPUs and a quota", { nanoCpus: 1e9, cpuQuota: 5000 }, /cannot both be set/],
    ["CPUs and a period", { nanoCpus: 1e9, cpuPeriod: 5000 }, /cannot both be set/],
    ["a period out of range", { cpuPeriod: 999 }, /cfs period/],
    ["a quota out of range", { cpuQuota: 999 }, /cfs quota/],
    ["no list of CPUs", { cpusetCpus: "a" }, /^invalid value a for cpuset cpus$/],
    ["CPUs that are not there", { cpusetCpus: "0-4" }, /requested 0-4, available: 0-3$/],
  ];
  for (const [what, resources, message] of limits) {
    it(what, () => {
      assert.throws(() => validateConfig({ ...PLAIN_CONFIG, resources }, CPUS), { message });
    });
  }

  const others: [string, Partial<ContainerConfig>, RegExp][] = [
    ["a name of one letter", { name: "a" }, /^invalid container name \(a\)/],
    ["a name with a slash", { name: "../x" }, /^invalid container name/],
    ["a relative folder", { workingDirectory: "x" }, /needs to be an absolute path$/],
    [
      "an unknown capability",
      { capAdd: ["CAP_FLY"] },
      /^invalid CapAdd: unknown capability: "CAP_FLY"$/,
    ],
    ["an OOM score out of range", { oomScoreAdj: 1001 }, /range for oom score adj/],
    ["a long host name", { hostname: "x".repeat(65) }, /^invalid hostname format/],
    ["a null character", { command: ["a\0b"] }, /null character/],
    [
      "a privileged user namespace",
      { privileged: true, userNamespace: "private" },
      /^privileged mode is incompatible/,
    ],
    ["a tiny disk", { storageSize: 4096 }, /^storage option size is 4096 bytes/],
  ];
  for (const [what, config, message] of others) {
    it(what, () => {
      assert.throws(() => validateConfig({ ...PLAIN_CONFIG, ...config }, CPUS), { message });
    });
  }

  it("nothing that is in order", () => {
    const resources = { memory: 6 * MiB, memorySwap: -1, cpusetCpus: "0-3", pids: -1 };
    const capAdd = ["all", "CAP_NET_RAW"];
    validateConfig({ ...PLAIN_CONFIG, resources, capAdd, name: "a.b-c_d" }, CPUS);
  });
});

describe("names and ids", () => {
  it("that are made up are ones that Docker allows", () => {
    for (let attempt = 0; attempt < 20; attempt++) {
      assert.match(makeContainerName(attempt), NAME_PATTERN);
      assert.match(makeContainerId(), /^[0-9a-f]{64}$/);
    }
  });
});

describe("a list of CPUs", () => {
  it("is what cpuset(7) says", () => {
    assert.deepEqual(parseCpuList("0-2,4, 7"), [0, 1, 2, 4, 7]);
    assert.deepEqual(parseCpuList("3,1,1"), [1, 3]);
    for (const text of ["", "a", "2-1", "1-", "0-99999", "0x1"]) {
      assert.equal(parseCpuList(text), undefined, text);
    }
  });

  it("of any text is a rising list or nothing", () => {
    const texts = fc.stringMatching(/^[0-9,-]{0,12}$/);
    fc.assert(
      fc.property(texts, (text) => {
        const list = parseCpuList(text) ?? [];
        assert.deepEqual(
          [...new Set(list)].sort((a, b) => a - b),
          list,
        );
      }),
    );
  });
});

describe("the engine's folders", () => {
  it("are the system's for root and the user's own for others", () => {
    assert.deepEqual(enginePaths({}, undefined, 0), {
      dataRoot: "/var/lib/dvm",
      runRoot: "/run/dvm/default",
    });
    const environment = { XDG_DATA_HOME: "/h/data", XDG_RUNTIME_DIR: "/run/user/7" };
    assert.deepEqual(enginePaths(environment, undefined, 7), {
      dataRoot: "/h/data/dvm",
      runRoot: "/run/user/7/dvm/default",
    });
  });

  it("do not meet for two data roots, and leave room for the path of a socket", () => {
    const long = `/${"x".repeat(200)}`;
    const [one, two] = [long, `${long}y`].map((root) => enginePaths({}, root, 0));
    assert.notEqual(one?.runRoot, two?.runRoot);
    assert.ok((one?.runRoot.length ?? 99) < 60);
    assert.equal(enginePaths({ DVM_DATA_ROOT: "/a" }, undefined, 0).dataRoot, "/a");
  });
});
