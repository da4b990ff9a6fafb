/**
 * Many clones of a template: how fast they start, whether all do, and what an idle one holds of memory with its share of
 * dvmd, beside podman's container of the same image.
 *
 * usage: node bench/clones.ts [COUNT]
 */

import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { podman } from "./arms/podman.ts";
import { openOwnDaemon } from "./engine/own-daemon.ts";
import { type Memory, memoryOf, processesOf, processesWith } from "./measure/processes.ts";
import { spawned } from "./measure/spawned.ts";
import { DVM, PROJECT } from "./paths.ts";

/** Requests at a time. */
const AT_ONCE = availableParallelism() * 2;
/** Until what a start leaves to be done is done, in `milliseconds`. */
const SETTLE = 5000;
/** Of a container's id, as much as is in its machine's name, in characters. */
const ID = 12;
const IMAGE = join(PROJECT, "build/images/busybox");

const count = Number(process.argv[2] ?? 100);
process.env.DVM_TEMPLATE = "on";
process.env.DVM_POOL = "0";
const folder = await mkdtemp(join(tmpdir(), "dvm-clones-"));
try {
  const settings = [`DVM_DATA_ROOT=${join(folder, "data")}`, DVM, "template", "build"];
  await spawned({ command: "env", args: [...settings, "--vmm", "qemu"] });
  await using daemon = await openOwnDaemon(folder);
  const started = performance.now();
  const failures = await runAll((number) =>
    daemon.dvm(
      ...["run", "-d", "--rm", "--name", `clone${number}`, "--vmm", "qemu", "--network", "none"],
      ...["busybox", "sleep", "100000"],
    ),
  );
  const seconds = (performance.now() - started) / 1000;
  const rate = (count - failures.length) / seconds;
  print(`${count} clones: ${failures.length} failed, ${rate.toFixed(2)} a second`);
  for (const failure of failures.slice(0, 3)) print(`  ${failure}`);
  await setTimeout(SETTLE);
  const listed = await spawned(daemon.dvm("ps", "--quiet", "--no-trunc"));
  // QEMU's command line and that of what it is jailed by have the name of the machine
  const marks = listed.stdout
    .trim()
    .split("\n")
    .map((id) => `dvm-${id.slice(0, ID)}`);
  const found = await Promise.all(marks.map(processesWith));
  const machines = await memoryOf([...new Set(found.flat())]);
  const [whole] = await Promise.all([memoryOf([daemon.pid])]);
  print(`  each: ${each(machines)}, and of dvmd ${each(whole)}`);
  await using store = await podman.open({ image: IMAGE, folder: join(folder, "p") });
  await runAll((number) =>
    store.run({ name: `c${number}`, words: ["sleep", "1000"], detached: true }),
  );
  await setTimeout(SETTLE);
  print(`podman's, each: ${each(await memoryOf(await processesOf(join(folder, "p"))))}`);
  const ids = Array.from({ length: count }, (_, number) => `clone${number}`);
  await spawned(daemon.dvm("rm", "-f", ...ids));
} finally {
  await rm(folder, { recursive: true, force: true });
}

function each({ pss, rss }: Memory): string {
  return `PSS ${(pss / count).toFixed(2)} MiB, RSS ${(rss / count).toFixed(2)} MiB`;
}

/** @returns what failed */
async function runAll(
  line: (number: number) => Parameters<typeof spawned>[0] | Promise<Parameters<typeof spawned>[0]>,
): Promise<string[]> {
  const failures: string[] = [];
  let next = 0;
  const work = async () => {
    for (let number = next++; number < count; number = next++) {
      await spawned(await line(number)).catch((error: Error) => failures.push(error.message));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return failures;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
