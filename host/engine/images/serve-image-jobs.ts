/** The process that `ImageWorker` starts: does jobs until whoever started it lets go, or is gone. */

import { DvmError } from "../../errors.ts";
import { ImageEngine } from "./image-engine.ts";
import type { JobAnswer, JobEvent, JobRequest } from "./image-job.ts";
import { runImageJob } from "./run-image-job.ts";

/** Least time between two passing steps of one layer, in `milliseconds`. */
const PROGRESS_TIME = 50;

const underWay = new Map<number, AbortController>();
let opened: Promise<ImageEngine> | undefined;
let isLeft = false;

// a terminal's Ctrl-C is the daemon's to hear
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => {});
process.on("message", (request: JobRequest) => {
  if (request.kind === "job") void serve(request);
  else underWay.get(request.id)?.abort();
});
process.on("disconnect", () => {
  isLeft = true;
  for (const cancel of underWay.values()) cancel.abort();
  endIfDone();
});

async function serve({
  id,
  uid,
  dataRoot,
  job,
}: Extract<JobRequest, { kind: "job" }>): Promise<void> {
  const cancel = new AbortController();
  underWay.set(id, cancel);
  try {
    opened ??= ImageEngine.open(dataRoot);
    const onEvent = thinned((event) => tell({ kind: "event", id, event }));
    await runImageJob((await opened).for(uid), job, { onEvent, signal: cancel.signal });
    tell({ kind: "done", id });
  } catch (error) {
    tell({ kind: "failed", id, ...failure(error) });
  } finally {
    underWay.delete(id);
    endIfDone();
  }
}

function failure(error: unknown) {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof DvmError)) return { message };
  const { code, exitCode, hint } = error;
  return { message, code, exitCode, hint };
}

/** Passing steps are many: of each layer some are told, and the last one of a state. */
function thinned(onEvent: (event: JobEvent) => void): (event: JobEvent) => void {
  const told = new Map<string, number>();
  return (event) => {
    const { id = "", current, total } = event.kind === "progress" ? event.progress : {};
    if (current !== undefined && current !== total) {
      const now = performance.now();
      if (now - (told.get(id) ?? Number.NEGATIVE_INFINITY) < PROGRESS_TIME) return;
      told.set(id, now);
    }
    onEvent(event);
  };
}

/** Nobody hears what is said to one that has gone. */
function tell(answer: JobAnswer): void {
  if (process.connected) process.send?.(answer, () => {});
}

function endIfDone(): void {
  if (isLeft && underWay.size === 0) process.exit();
}
