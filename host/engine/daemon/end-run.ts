/** Asks a container's process to end, and after a grace kills it. */

import { setTimeout as delay } from "node:timers/promises";
import type { ContainerRecord } from "../container-record.ts";
import type { GuestRun } from "./guest-run.ts";
import type { StopOptions } from "./model.ts";
import { stopSignal } from "./stop-signal.ts";

/** Docker's time between the stop signal and SIGKILL, in `seconds`. */
const STOP_TIMEOUT = 10;
const SIGKILL = 9;

/** Resolves when the process has ended, or was killed, or with a negative timeout has its signal. */
export async function endRun(
  run: GuestRun,
  record: ContainerRecord,
  { signal, timeout, onSignal }: StopOptions & { readonly onSignal: (signal: number) => void },
): Promise<void> {
  const { config, image, state } = record;
  const grace = timeout ?? config.stopTimeout ?? image.run.stopTimeout ?? STOP_TIMEOUT;
  if (state.status === "paused") await run.unpause().catch(() => {});
  const number = signal ?? stopSignal(record);
  // one that ends this instant takes no signal, and needs none
  await run.signal(number).catch(() => {});
  onSignal(number);
  if (run.isMute) return run.kill();
  if (grace < 0) return;
  const late = new AbortController();
  const ended = await Promise.race([
    run.process.ended,
    delay(grace * 1000, undefined, { signal: late.signal }),
  ]);
  late.abort();
  if (ended !== undefined) return;
  onSignal(SIGKILL);
  await run.signal(SIGKILL).catch(() => run.kill());
}
