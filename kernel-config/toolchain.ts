/** The programs that a kernel build needs: whether they are there, which compiler it is, and how one is run. */
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { kernelError } from "./errors.ts";

/** Program and the Debian package that brings it. */
const TOOLS: Readonly<Record<string, string>> = {
  make: "make",
  gcc: "gcc",
  ld: "binutils",
  strip: "binutils",
  flex: "flex",
  bison: "bison",
  bc: "bc",
  tar: "tar",
  xz: "xz-utils",
  perl: "perl",
};

/** How much of a failed program's output the error shows, in `lines`. */
const TAIL_LINES = 25;

/** A program to run to its end. */
export interface ToolRun {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** called with each line of output */
  readonly onLine?: (line: string) => void;
}

/** Throws KERNEL_TOOL_MISSING naming every absent tool and the packages to install. */
export function requireTools(path = process.env.PATH ?? ""): void {
  const missing = Object.keys(TOOLS).filter((tool) => !isInPath(tool, path));
  if (missing.length === 0 && !hasHeader("gelf.h")) missing.push("gelf.h");
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((tool) => TOOLS[tool] ?? "libelf-dev"))];
  throw kernelError("KERNEL_TOOL_MISSING", `the kernel build lacks ${missing.join(", ")}`, {
    hint: `apt-get install ${packages.join(" ")}`,
  });
}

/** Names compiler and linker: part of what decides on the built kernel; empty for one that is absent. */
export function toolchainIdentity(): string {
  return ["gcc", "ld"]
    .map(
      (tool) => spawnSync(tool, ["--version"], { encoding: "utf8" }).stdout?.split("\n")[0] ?? "",
    )
    .join("; ");
}

/** Runs a program to its end. Throws KERNEL_BUILD_FAILED with the tail of its output; an abort rejects as such. */
export async function runTool(run: ToolRun): Promise<void> {
  const child = spawn(run.program, run.arguments, {
    env: { ...cleanEnvironment(), ...run.environment },
    stdio: ["ignore", "pipe", "pipe"],
    // a group of its own: make's children end with it
    detached: true,
  });
  const tail: string[] = [];
  const take = (line: string) => {
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
    run.onLine?.(line);
  };
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", take);
  }
  const kill = () => {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
  };
  run.signal?.addEventListener("abort", kill, { once: true });
  if (run.signal?.aborted) kill();
  try {
    await ended(run, child, tail);
  } finally {
    run.signal?.removeEventListener("abort", kill);
  }
}

async function ended(run: ToolRun, child: ReturnType<typeof spawn>, tail: string[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<number | string>();
  child.once("error", reject);
  child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  const status = await promise;
  run.signal?.throwIfAborted();
  if (status === 0) return;
  throw kernelError(
    "KERNEL_BUILD_FAILED",
    `${run.program} ${run.arguments.at(-1) ?? ""} failed (${status}):\n${tail.join("\n")}`,
  );
}

/** What the caller's environment says to make or the compiler does not belong into this build. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env;
  return { PATH, HOME, TMPDIR, LC_ALL: "C" };
}

function isInPath(tool: string, path: string): boolean {
  return path.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function hasHeader(name: string): boolean {
  const probe = spawnSync("gcc", ["-E", "-x", "c", "-"], { input: `#include <${name}>\n` });
  return probe.status === 0;
}
