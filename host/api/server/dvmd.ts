/** The daemon's entry: reads its words, serves until it is told to end, sets the exit code. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { PROJECT_ROOT } from "../../engine/artifacts.ts";
import { DvmError } from "../../errors.ts";
import { openDaemon } from "./daemon.ts";
import { type DaemonOptions, parseDaemonOptions } from "./daemon-options.ts";
import { daemonPlaces } from "./daemon-places.ts";
import { ProgramWatch } from "./program-watch.ts";

/** Why it ends when dvm was updated. */
const RENEWED = "dvm was updated";

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
  const program = process.env.DVM_UPDATE === "off" ? undefined : new ProgramWatch();
  const daemon = await openDaemon({
    places: daemonPlaces(options),
    shared: options.shared,
    poolSize: options.poolSize,
    experimental: options.experimental,
    storageDriver: options.storageDriver,
    version: dvmVersion(),
    log,
    program,
  });
  void program?.watch(daemon.isAlone);
  const { idleTime } = options;
  const idle = idleTime === undefined ? [] : [daemon.whenIdle(idleTime).then(() => "idle")];
  const renewal = program === undefined ? [] : [program.renewal.then(() => RENEWED)];
  const reason = await Promise.race([ending, ...idle, ...renewal]);
  log.info({ reason }, "dvmd ends");
  await daemon[Symbol.asyncDispose]();
  if (reason === RENEWED) startAnew();
  // machines run on, and what connects us to them would keep us
  process.exit();
}

/** The program as it is now, in this process: whoever watches over that does not notice. */
function startAnew(): void {
  const path = join(PROJECT_ROOT, "bin", "dvmd");
  const environment = Object.entries(process.env).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  // a Node without it ends, and the next client starts a daemon
  process.execve?.(path, [path, ...process.argv.slice(2)], Object.fromEntries(environment));
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
