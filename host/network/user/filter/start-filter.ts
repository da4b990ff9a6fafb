/** Starts the filter between a hypervisor and passt, and tells of what it refuses. */

import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { type Denial, denials } from "../../egress/denials.ts";
import { startServer } from "../start-server.ts";
import type { FilterConfig } from "./filter-config.ts";

const MAIN = join(import.meta.dirname, "main.ts");
/** by this name whoever sweeps after a crash finds its machine */
const PROCESS_NAME = "net-filter";
const DENIALS = "egress-denials.jsonl";
/** Between two looks at what was refused, in `milliseconds`. */
const LOOK_EVERY = 500;
const MAX_READ = 64 * 1024;

export interface StartFilterOptions extends Omit<FilterConfig, "denials"> {
  /** the hypervisor's, which is no more the caller's then */
  readonly connection: Socket;
  /** private folder of the machine */
  readonly runDirectory: string;
}

/**
 * It serves once this returns.
 *
 * @throws DvmError `NETWORK_FAILED`
 */
export function startFilter({
  runDirectory,
  connection,
  ...options
}: StartFilterOptions): Promise<Disposable> {
  const config: FilterConfig = { ...options, denials: join(runDirectory, DENIALS) };
  return startServer({
    what: "the network filter",
    main: MAIN,
    processName: join(runDirectory, PROCESS_NAME),
    cwd: "/",
    config,
    connection,
  });
}

/** Tells of what the filter of a machine refuses from now on; of a machine without one of nothing. */
export function watchDenials(runDirectory: string): Disposable {
  const path = join(runDirectory, DENIALS);
  if (!existsSync(path)) return { [Symbol.dispose]: () => {} };
  const file = openSync(path, "r");
  // what is older was told by an earlier process
  let at = fstatSync(file).size;
  const timer = setInterval(() => {
    const { lines, next } = readLines(file, at);
    at = next;
    for (const line of lines) denials.report(line);
  }, LOOK_EVERY).unref();
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      closeSync(file);
    },
  };
}

/** Whole lines from a place on; from the start again when the file has become shorter. */
function readLines(file: number, at: number): { readonly lines: Denial[]; readonly next: number } {
  const buffer = Buffer.alloc(MAX_READ);
  const length = readSync(file, buffer, 0, buffer.length, at);
  if (length === 0) {
    const isShorter = at > 0 && readSync(file, buffer, 0, 1, at - 1) === 0;
    return { lines: [], next: isShorter ? 0 : at };
  }
  const end = buffer.subarray(0, length).lastIndexOf("\n") + 1;
  const texts = buffer.subarray(0, end).toString().split("\n");
  return { lines: texts.flatMap(parseDenial), next: at + end };
}

/** A line of the filter's own; one that is cut short is passed over. */
function parseDenial(text: string): Denial[] {
  try {
    const value: Partial<Denial> = JSON.parse(text);
    const { container, destination, protocol, port, reason } = value;
    const isWhole = [container, destination, protocol].every((each) => typeof each === "string");
    if (!isWhole || !container || !destination || !protocol) return [];
    return [
      {
        container,
        destination,
        protocol,
        ...(typeof port === "number" ? { port } : {}),
        ...(typeof reason === "string" ? { reason } : {}),
      },
    ];
  } catch {
    return [];
  }
}
