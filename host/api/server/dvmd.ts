/** The daemon's entry: reads its words, serves until it is told to end, sets the exit code. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { PROJECT_ROOT } from "../../engine/artifacts.ts";
import { DvmError } from "../../errors.ts";
import { openDaemon } from "./daemon.ts";
import { type DaemonOptions, parseDaemonOptions } from "./daemon-options.ts";
import { daemonPlaces } from "./daemon-places.ts";

void main();

async function main(): Promise<void> {
  try {
    const options = parseDaemonOptions(process.argv.slice(2), dvmVersion());
    if (typeof options === "string") process.stdout.write(options);
    else await serve(options);
  } catch (error) {
    process.exitCode = error instanceof DvmError ? error.exitCode : 1;
    const hint = error instanceof DvmError && error.hint ? `  hint: ${error.hint}\n` : "";
    const text = error instanceof DvmError ? error.message : ((error as Error).stack ?? error);
    process.stderr.write(`dvmd: ${text}\n${hint}`);
  }
}

async function serve(options: DaemonOptions): Promise<void> {
  const log = pino(
    { level: options.debug ? "debug" : "info", base: null },
    pino.destination({ dest: options.logFile ?? 2, sync: true, append: true, mode: 0o600 }),
  );
  process.on("uncaughtException", (err) => {
    log.fatal({ err }, "dvmd failed");
    process.exit(1);
  });
  // the terminal that it was started from may go away
  process.on("SIGHUP", () => {});
  const ending = firstSignal();
  const daemon = await openDaemon({
    places: daemonPlaces(options),
    shared: options.shared,
    version: dvmVersion(),
    log,
  });
  const { idleTime } = options;
  const idle = idleTime === undefined ? [] : [daemon.whenIdle(idleTime).then(() => "idle")];
  const reason = await Promise.race([ending, ...idle]);
  log.info({ reason }, "dvmd ends");
  await daemon[Symbol.asyncDispose]();
  // machines run on, and what connects us to them would keep us
  process.exit();
}

/** The first signal that asks for an end; a second one gets it at once. */
async function firstSignal(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let asked = false;
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.on(name, () => {
      if (asked) process.exit(1);
      asked = true;
      resolve(name);
    });
  }
  return promise;
}

function dvmVersion(): string {
  const manifest: { readonly version?: unknown } = JSON.parse(
    readFileSync(join(PROJECT_ROOT, "package.json"), "utf8"),
  );
  return String(manifest.version);
}
