/**
 * Start from a template: `dvm run --rm --network none busybox true`, request to exit, as a clone of a booted machine,
 * from a cold boot, and beside podman with runc and the same image.
 *
 * usage: node bench/start.ts [RUNS]
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { podman } from "./arms/podman.ts";
import { describeEnvironment } from "./environment.ts";
import { runCommand } from "./measure/command.ts";
import { interleave } from "./measure/interleave.ts";
import { startArm } from "./measure/start-arm.ts";
import { DVM, PROJECT } from "./paths.ts";
import { report } from "./report.ts";

const runs = Number(process.argv[2] ?? 30);
const folder = await mkdtemp(join(tmpdir(), "dvm-start-"));
const IMAGE = join(PROJECT, "build/images/busybox");

try {
  const environment = await describeEnvironment();
  using clone = startArm({ name: "dvm, a clone of a template", folder, template: "on" });
  using cold = startArm({ name: "dvm, a cold boot", folder, template: "off" });
  await runCommand("env", [
    ...["DVM_TEMPLATE=on", `DVM_DATA_ROOT=${join(folder, "on")}`],
    ...[DVM, "template", "build", "--vmm", "qemu"],
  ]);
  await using store = await podman.open({ image: IMAGE, folder: join(folder, "p") });
  const beside = async () => {
    const { command, args } = await store.run({ name: `start-${Date.now()}`, words: ["true"] });
    return (await runCommand(command, ["--runtime", "runc", ...args])).milliseconds;
  };
  const arms = [{ name: "podman run with runc", once: beside }, clone, cold];
  await report("start", { environment, unit: "ms", ...(await interleave(arms, runs)) });
} finally {
  await rm(folder, { recursive: true, force: true });
}
