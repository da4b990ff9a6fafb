/**
 * The time that a network adds to `dvm run --rm busybox true`: each network has a daemon of its own, so that none has
 * another's machines ready; arms take turns. First with machines kept ready, each start waiting for one before its time
 * begins, then with clones of a template alone.
 *
 * usage: node bench/network-start.ts [RUNS]      as root, with passt and nftables
 */

import { mkdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { enginePaths } from "../host/engine/paths.ts";
import { type OwnDaemon, openOwnDaemon } from "./engine/own-daemon.ts";
import { quiet } from "./engine/podman-container.ts";
import { describeEnvironment } from "./environment.ts";
import { interleave } from "./measure/interleave.ts";
import { processesWith } from "./measure/processes.ts";
import { report } from "./report.ts";

const NETWORKS = ["none", "user", "bridge", "host"] as const;
/** Starts that make the template, and the first spare. */
const WARM_UP = 3;
/** Longest time for a machine to be ready, in `milliseconds`. */
const PATIENCE = 20_000;

const runs = Number(process.argv[2] ?? 15);
const environment = await describeEnvironment();

for (const pool of [1, 0]) {
  const folder = await mkdtemp(join(tmpdir(), "dvm-bench-start-"));
  process.env.DVM_POOL = `${pool}`;
  try {
    await using daemons = new AsyncDisposableStack();
    const arms = [];
    for (const network of NETWORKS) {
      const own = join(folder, network);
      mkdirSync(own);
      const daemon = daemons.use(await openOwnDaemon(own));
      const once = () => start(daemon, network);
      const ready = () => (pool > 0 ? spareReady(join(own, "data")) : setTimeout(500));
      for (let turn = 0; turn < WARM_UP; turn++) {
        await once();
        await setTimeout(2000);
      }
      arms.push({
        name: `--network ${network}`,
        once: async () => {
          await ready();
          return once();
        },
      });
    }
    const comparison = await interleave(arms, runs);
    const name = pool > 0 ? "network-start" : "network-start-cloned";
    await report(name, { environment, unit: "ms", ...comparison });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @returns how long it took, in `milliseconds` */
function start(daemon: OwnDaemon, network: string): Promise<number> {
  const flags = ["--rm", "--vmm", "qemu", "--network", network];
  return quiet(daemon.dvm("run", ...flags, "busybox", "true"));
}

/** A spare is paused a moment after its process is there, when its warm-up is over. */
async function spareReady(root: string): Promise<void> {
  const { runRoot } = enginePaths({ DVM_DATA_ROOT: root });
  const deadline = performance.now() + PATIENCE;
  while ((await processesWith(join(runRoot, "pool"))).length === 0) {
    if (performance.now() > deadline) throw new Error(`no machine was made ready in ${root}`);
    await setTimeout(50);
  }
  await setTimeout(1000);
}
