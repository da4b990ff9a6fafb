/**
 * Cold start: `dvm run --rm busybox true` over its floor, which is QEMU with the same accelerator, kernel, memory
 * and an init that ends the machine at once. The machine is cold; dvmd runs already, as Docker's daemon would: the round
 * that warms up has started it.
 *
 * usage: node bench/cold-start.ts [RUNS]
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chooseBackend } from "../host/vmm/factory.ts";
import { probeHost } from "../host/vmm/probe.ts";
import { dvm } from "./arms/dvm.ts";
import { describeEnvironment } from "./environment.ts";
import { floorInitramfs } from "./floor/floor-initramfs.ts";
import { startBareQemu } from "./floor/qemu.ts";
import { benchLayout } from "./image/bench-layout.ts";
import { interleave } from "./measure/interleave.ts";
import { spawned } from "./measure/spawned.ts";
import { report } from "./report.ts";

/** Memory that a container without a limit gets, in `MiB`. */
const MEMORY = 512;

const runs = Number(process.argv[2] ?? 15);
const folder = await mkdtemp(join(tmpdir(), "dvm-bench-"));
try {
  const environment = await describeEnvironment();
  const probe = await probeHost({ cacheDirectory: folder });
  const { accelerator } = chooseBackend({ vmm: "qemu", accel: "auto" }, probe).choice;
  const initramfs = await floorInitramfs(folder);
  const floor = async () => {
    const started = performance.now();
    const { tscKhz } = probe;
    await startBareQemu({ initramfs, accelerator, memoryMiB: MEMORY, ...(tscKhz && { tscKhz }) })
      .end;
    return performance.now() - started;
  };
  const image = `${await benchLayout("busybox", () => {})}:latest`;
  const arm = dvm({ vmm: "qemu", accel: accelerator }, folder);
  await using cold = await arm.open({ image, folder, source: "boot" });
  let count = 0;
  const start = async () =>
    (await spawned(await cold.run({ name: `cold-${count++}`, words: ["true"] }))).end;
  const comparison = await interleave(
    [
      { name: `floor: QEMU (${accelerator}) and an init that powers off`, once: floor },
      { name: "dvm run --rm busybox true", once: start },
    ],
    runs,
  );
  await report("cold-start", { environment, unit: "ms", ...comparison });
} finally {
  await rm(folder, { recursive: true, force: true });
}
