/**
 * Start of a container without a network, from the request to its exit and to its first output byte: as a clone of a
 * booted machine, with a machine that was kept ready, from a cold boot, and beside podman with runc and the same image.
 * And with a machine that was kept ready beside a Node that has nothing to do.
 *
 * usage: node bench/start.ts [RUNS]
 */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { podman } from "./arms/podman.ts";
import { describeEnvironment } from "./environment.ts";
import { type Arm, interleave } from "./measure/interleave.ts";
import { spawned } from "./measure/spawned.ts";
import { type StartArmOptions, startArm } from "./measure/start-arm.ts";
import { DVM, PROJECT } from "./paths.ts";
import { report } from "./report.ts";

const runs = Number(process.argv[2] ?? 30);
const folder = await mkdtemp(join(tmpdir(), "dvm-start-"));
const IMAGE = join(PROJECT, "build/images/busybox");

const ARMS: readonly Omit<StartArmOptions, "folder" | "until">[] = [
  { name: "dvm, a clone of a template", template: "on" },
  { name: "dvm, a machine that was kept ready", template: "on", pool: 2 },
  { name: "dvm, a cold boot", template: "off" },
];

try {
  const environment = await describeEnvironment();
  for (const root of ["on", "pool"]) {
    const settings = ["DVM_TEMPLATE=on", `DVM_DATA_ROOT=${join(folder, root)}`];
    const args = [...settings, DVM, "template", "build", "--vmm", "qemu"];
    await spawned({ command: "env", args });
  }
  await using store = await podman.open({ image: IMAGE, folder: join(folder, "p") });
  for (const until of ["exit", "first-byte"] as const) {
    await using arms = new AsyncDisposableStack();
    const own = ARMS.map((arm) => arms.use(startArm({ ...arm, folder, until })));
    const comparison = await interleave([podmanArm(store, until), ...own], runs);
    await report(`start-${until}`, { environment, unit: "ms", ...comparison });
  }
  const script = join(folder, "empty.mjs");
  await writeFile(script, "");
  const node = { command: process.execPath, args: [script] };
  using pool = startArm({ name: "dvm, a machine kept ready", folder, template: "on", pool: 2 });
  const empty = { name: "node, an empty script", once: async () => (await spawned(node)).end };
  await report("start-pool", {
    environment,
    unit: "ms",
    ...(await interleave([empty, pool], runs)),
  });
} finally {
  await rm(folder, { recursive: true, force: true });
}

function podmanArm(
  store: Awaited<ReturnType<typeof podman.open>>,
  until: "exit" | "first-byte",
): Arm {
  const words = until === "exit" ? ["true"] : ["echo", "ready"];
  return {
    name: "podman run with runc",
    once: async () => {
      const { command, args } = await store.run({ name: `start-${Date.now()}`, words });
      const line = { command, args: ["--runtime", "runc", ...args] };
      const { firstByte = Number.NaN, end } = await spawned(line);
      return until === "exit" ? end : firstByte;
    },
  };
}
