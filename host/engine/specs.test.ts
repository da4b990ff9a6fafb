import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RunConfig } from "../image/config.ts";
import type { ContainerConfig } from "./container-config.ts";
import { containerSpec, guestResources } from "./container-spec.ts";
import { machineShape } from "./machine-shape.ts";
import { commandLine, processSpec } from "./process-spec.ts";
import { EMPTY_RUN, PLAIN_CONFIG } from "./test-engine.ts";

const ID = "ab".repeat(32);

describe("the command line", () => {
  const image = { ...EMPTY_RUN, entrypoint: ["/entry"], cmd: ["image", "cmd"] };
  const cases: [string, Partial<ContainerConfig>, Partial<RunConfig>, string[]][] = [
    ["is the image's own", { command: [] }, {}, ["/entry", "image", "cmd"]],
    ["has the user's command in place of the image's", { command: ["x"] }, {}, ["/entry", "x"]],
    [
      "drops the image's command with a new entrypoint",
      { command: [], entrypoint: ["/new"] },
      {},
      ["/new"],
    ],
    [
      "joins new entrypoint and new command",
      { command: ["x"], entrypoint: ["/new"] },
      {},
      ["/new", "x"],
    ],
    ["has no entrypoint after an empty one", { command: ["x"], entrypoint: [] }, {}, ["x"]],
    ["does without an entrypoint", { command: [] }, { entrypoint: undefined }, ["image", "cmd"]],
  ];
  for (const [what, config, run, args] of cases) {
    it(what, () => {
      const line = commandLine({ ...PLAIN_CONFIG, ...config }, { ...image, ...run });
      assert.deepEqual(line, args);
    });
  }

  it("is refused when there is none", () => {
    assert.throws(() => commandLine({ ...PLAIN_CONFIG, command: [] }, EMPTY_RUN), {
      message: "no command specified",
    });
  });
});

describe("the process", () => {
  const spec = (config: Partial<ContainerConfig>, image: Partial<RunConfig> = {}) =>
    processSpec({
      config: { ...PLAIN_CONFIG, ...config },
      image: { ...EMPTY_RUN, ...image },
      hostname: "box",
      stdio: {},
    });

  it("has Docker's variables, then the image's, then the user's, the last of a name", () => {
    const { env } = spec({ env: ["B=user", "C=new"] }, { env: ["PATH=/bin", "B=image"] });
    assert.deepEqual(env, ["PATH=/bin", "HOSTNAME=box", "B=user", "C=new"]);
  });

  it("loses a variable that is named without a value", () => {
    assert.equal(spec({ env: ["B"] }, { env: ["B=image"] }).env.includes("B=image"), false);
  });

  it("knows its terminal", () => {
    const { env, terminal } = spec({ terminal: true });
    assert.ok(env.includes("TERM=xterm"));
    assert.deepEqual(terminal, { rows: 0, columns: 0 });
    assert.equal(spec({}).terminal, undefined);
  });

  it("takes user and folder from the image unless told otherwise", () => {
    const image = { user: "www", workingDir: "/srv" };
    assert.deepEqual([spec({}, image).user, spec({}, image).cwd], ["www", "/srv"]);
    const own = spec({ user: "0", workingDirectory: "/" }, image);
    assert.deepEqual([own.user, own.cwd], ["0", "/"]);
    assert.equal(spec({}).cwd, "/");
  });

  it("has capabilities by the guest's names", () => {
    assert.deepEqual(spec({ capAdd: ["cap_net_admin", "SYS_TIME"] }).capAdd, [
      "NET_ADMIN",
      "SYS_TIME",
    ]);
  });
});

describe("the container", () => {
  it("is named by its id unless it has a hostname", () => {
    assert.equal(containerSpec(ID, PLAIN_CONFIG).hostname, "abababababab");
    assert.equal(containerSpec(ID, { ...PLAIN_CONFIG, hostname: "h" }).hostname, "h");
  });

  it("has a user namespace of its own on request alone", () => {
    assert.equal(containerSpec(ID, PLAIN_CONFIG).namespaces.user, "guest");
    const mapped = containerSpec(ID, { ...PLAIN_CONFIG, userNamespace: "private" });
    assert.equal(mapped.namespaces.user, "private");
  });

  it("has 64 MiB of shared memory unless told otherwise", () => {
    assert.equal(containerSpec(ID, PLAIN_CONFIG).shmSize, 64 * 2 ** 20);
    assert.equal(containerSpec(ID, { ...PLAIN_CONFIG, shmSize: 4096 }).shmSize, 4096);
  });
});

describe("limits", () => {
  it("that are not set are left out", () => {
    assert.deepEqual(guestResources({}), {});
    assert.deepEqual(guestResources({ pids: -1, memory: 0, cpuQuota: -1 }), {});
  });

  it("on CPUs become a quota", () => {
    assert.deepEqual(guestResources({ nanoCpus: 1.5e9 }), {
      cpuQuota: 150_000,
      cpuPeriod: 100_000,
    });
  });

  it("on memory allow as much swap, unless told otherwise", () => {
    assert.equal(guestResources({ memory: 100 }).memorySwap, 200);
    assert.equal(guestResources({ memory: 100, memorySwap: -1 }).memorySwap, -1);
    assert.equal(guestResources({ memory: 100, memorySwap: 100 }).memorySwap, 100);
  });
});

describe("the machine", () => {
  const MiB = 2 ** 20;

  it("has memory for the container's limit and the guest besides, in whole huge pages", () => {
    for (const memory of [6 * MiB, 64 * MiB, 1000 * MiB, 1000 * MiB + 1]) {
      const { memoryMiB } = machineShape({ memory }, "tcg", 2);
      assert.ok(memoryMiB * MiB >= memory + 64 * MiB, String(memory));
      assert.equal(memoryMiB % 2, 0);
    }
    assert.equal(machineShape({}, "tcg", 2).memoryMiB, 512);
  });

  it("has no more memory than the host", () => {
    assert.equal(machineShape({ memory: 2 ** 50 }, "tcg", 2, 8191 * MiB).memoryMiB, 8190);
  });

  it("has the processors that the container may use", () => {
    assert.equal(machineShape({}, "tcg", 8).vcpus, 1);
    assert.equal(machineShape({}, "kvm", 8).vcpus, 2);
    assert.equal(machineShape({}, "kvm", 1).vcpus, 1);
    assert.equal(machineShape({ nanoCpus: 1.5e9 }, "tcg", 8).vcpus, 2);
    assert.equal(machineShape({ nanoCpus: 1e7 }, "kvm", 8).vcpus, 1);
    assert.equal(machineShape({ cpusetCpus: "0,3" }, "tcg", 8).vcpus, 4);
  });
});
