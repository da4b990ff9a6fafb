import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { contradiction } from "../arms/control.ts";
import { deviceAccesses } from "../machine/device-accesses.ts";
import { profile } from "../machine/symbols.ts";
import { syscallMeasures } from "./boot.ts";
import { readFio } from "./disk.ts";
import { readIperf } from "./network.ts";
import { readPhases } from "./phases.ts";
import { machineStart } from "./start-detached.ts";
import { caught, readRuns, stressFigure } from "./tool-runs.ts";

describe("readers of what tools print", () => {
  it("takes the operations a second of real time out of stress-ng's metrics", () => {
    const output = `stress-ng: metrc: [4] stressor       bogo ops real time  usr time  sys time   bogo ops/s     bogo ops/s
stress-ng: metrc: [4] null              37942      1.00      0.03      0.33     37820.44      105663.00
stress-ng: metrc: [4] miscellaneous metrics:
stress-ng: metrc: [4] null                5412.55 MB per sec /dev/null write rate
`;
    assert.equal(stressFigure("null")(output), 37820.44);
    assert.ok(Number.isNaN(stressFigure("pipe")(output)));
  });

  it("takes bandwidth and operations out of fio's JSON, whatever stands around it", () => {
    const output = `note: both\n{"jobs":[{"read":{"bw":2048,"iops":7},"write":{"bw":0,"iops":0}}]}\nend\n`;
    assert.equal(readFio(output, "read", "bandwidth"), 2);
    assert.equal(readFio(output, "read", "operations"), 7);
    assert.ok(Number.isNaN(readFio("fio: failed", "read", "operations")));
  });

  it("takes what was received out of iperf3's JSON", () => {
    const output =
      '"sum_sent":\t{ "bits_per_second": 9e9 }, "sum_received": { "bytes": 1, "bits_per_second":\t2.5e+09 }';
    assert.equal(readIperf(output), 2.5);
    assert.ok(Number.isNaN(readIperf('{"error": "busy"}')));
  });

  it("takes each run's own part, and refuses a run without a figure", () => {
    const run = (name: string) => ({
      metric: { name, title: name, unit: "ms", better: "lower", how: "" } as const,
      line: "",
      read: caught(/took (\d+)/),
    });
    const output = "noise took 9\n@@run a\ntook 1\n@@run b\ntook 2\n";
    assert.deepEqual(readRuns([run("b"), run("a")], output), { b: 2, a: 1 });
    assert.throws(() => readRuns([run("c")], output), { code: "NO_FIGURE" });
  });

  it("takes the phases of a start out of dvm's words, and nothing else", () => {
    const stderr =
      "dvm: [   127 ms] vm-spawn              7.7 ms\ndvm: container: die, exit code 0\n";
    assert.deepEqual(readPhases(stderr), [{ name: "vm-spawn", end: 127, duration: 7.7 }]);
  });

  it("takes the VM's own start from the first of its phases to the last", () => {
    const phase = (name: string, end: number, duration: number) => ({ name, end, duration });
    const phases = [phase("image", 90, 80), phase("vm-spawn", 100, 8), phase("vm-agent", 450, 1)];
    assert.equal(machineStart(phases), 358);
    assert.equal(machineStart([phase("image", 90, 80)]), undefined);
  });

  it("counts system calls by name and in all", () => {
    const table = `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000600           3       200           read
 40.00    0.000400           4       100        12 futex
------ ----------- ----------- --------- --------- ----------------
100.00    0.001000           3       300        12 total
`;
    assert.deepEqual(syscallMeasures(table), {
      syscalls: 300,
      "syscall:read": 200,
      "syscall:futex": 100,
    });
  });
});

describe("deviceAccesses", () => {
  it("calls a virtio device by the type that the guest read from it", () => {
    const line = (kind: string, address: number, value: number, name: string) =>
      `memory_region_ops_${kind} cpu 0 mr 0x55 addr 0x${address.toString(16)} value 0x${value.toString(16)} size 4 name '${name}'`;
    const base = 0xfeb00000;
    const trace = [
      line("read", base + 8, 2, "virtio-mmio"),
      line("write", base + 0x70, 1, "virtio-mmio"),
      line("read", base + 0x208, 0, "virtio-mmio"),
      line("write", 0x3f8, 65, "serial"),
      "qemu: something else",
    ].join("\n");
    assert.deepEqual(
      [...deviceAccesses(trace)],
      [
        ["virtio block", 2],
        ["virtio, empty slot", 1],
        ["serial", 1],
      ],
    );
  });
});

describe("profile", () => {
  it("counts a block for the function that it begins in, before and after paging is on", () => {
    const map = `ffffffff81000000 T _text
ffffffff81000000 T startup_64
ffffffff81000500 t pvh_start_xen
ffffffff81001000 T start_kernel
`;
    const blocks = "ffffffff81001004 100\n1000510 20\n401342 7\nffffffff81000fff 3\n";
    assert.deepEqual(profile(blocks, map), {
      functions: [
        ["start_kernel", 100],
        ["pvh_start_xen", 23],
        ["programs (the agent)", 7],
      ],
      kernel: 123,
      user: 7,
    });
  });
});

describe("contradiction", () => {
  const host = { kernel: "6.18", bootId: `${"a".repeat(36)}`, pidNamespace: "pid:[1]" };
  const seen = { ...host, cgroup: "0::/", pidNamespace: "pid:[2]" };

  it("finds out a VM that runs on the host's kernel, and namespaces that do not", () => {
    assert.match(contradiction("vm", seen, host) ?? "", /host's kernel/);
    const machine = { ...seen, kernel: "6.1", bootId: "b".repeat(36) };
    assert.equal(contradiction("vm", machine, host), undefined);
    assert.match(contradiction("namespaces", machine, host) ?? "", /another kernel/);
  });

  it("finds out an arm in the host's own namespace, and one that says nothing", () => {
    assert.equal(contradiction("namespaces", seen, host), undefined);
    assert.match(
      contradiction("namespaces", { ...seen, pidNamespace: "pid:[1]" }, host) ?? "",
      /namespace/,
    );
    assert.match(contradiction("vm", { ...seen, bootId: "" }, host) ?? "", /boot id/);
  });
});
