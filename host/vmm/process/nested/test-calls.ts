/**
 * For programs of tests that run in the nested host: a daemon in this process, for each start of Node costs a second
 * there, and `dvm run` from its flags to the guest's last word.
 */

import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { after } from "node:test";
import { parseFlags } from "../../../cli/parse/flag-set.ts";
import { runConfig } from "../../../cli/run-config.ts";
import { allRunFlags } from "../../../cli/run-flags.ts";
import { type Artifacts, artifactPaths } from "../../../engine/artifacts.ts";
import type { ContainerExit } from "../../../engine/container-exit.ts";
import { Daemon, type DaemonOptions } from "../../../engine/daemon/daemon.ts";
import { enginePaths } from "../../../engine/paths.ts";
import { realParts } from "../../../engine/real-parts.ts";
import { runAttached } from "../../../engine/test-run.ts";
import { vmmProcesses } from "./vmm-processes.ts";

/** Of this program of tests. */
export const folder = mkdtempSync(join(tmpdir(), "dvm-nested-"));
export const paths = enginePaths(process.env, join(folder, "data"));
export const daemon = await daemonWith({});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

export function daemonWith(
  artifacts: Partial<Artifacts>,
  deadlines?: DaemonOptions["deadlines"],
): Promise<Daemon> {
  const findArtifacts = () => ({ ...artifactPaths(), ...artifacts });
  const { makeTemplate: _, ...parts } = realParts; // machines of its own would be in the way of those that are counted
  return Daemon.open({
    paths,
    parts: { ...parts, findArtifacts },
    ...(deadlines && { deadlines }),
  });
}

export interface Result {
  readonly exit: ContainerExit;
  readonly out: Buffer;
  readonly err: string;
}

export interface Call {
  /** of the container */
  readonly id: string;
  /** resolves when the container is no more */
  readonly result: Promise<Result>;
  /** resolves when it has written something */
  readonly spoke: Promise<unknown>;
}

/** `dvm run`, with its words, up to the start of the process. */
export async function start(
  words: string,
  script: string,
  input: Uint8Array = Buffer.of(),
): Promise<Call> {
  const all = ["--rm", "--vmm", "kvm", ...words.split(" "), "busybox", "sh", "-c", script];
  if (!words.includes("--network")) all.unshift("--network", "none");
  const [out, err] = [new PassThrough(), new PassThrough()];
  const spoke = once(out, "readable");
  const [written, errors] = [gather(out), gather(err)];
  const streams = { stdin: Readable.from([input]), stdout: out, stderr: err };
  const config = { ...configOf(all), stdinOnce: true, terminalSize: { rows: 17, columns: 91 } };
  const { ended, id } = await runAttached(daemon, config, streams);
  const result = ended.then(async (exit) => {
    out.end();
    err.end();
    return { exit, out: await written, err: (await errors).toString() };
  });
  return { id, result, spoke };
}

export function configOf(words: readonly string[]) {
  const { values, args } = parseFlags(allRunFlags, [...words], { interspersed: false });
  const [image = "", ...command] = args;
  return runConfig({ values, image, command, environment: {} });
}

async function gather(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function run(words: string, script: string, input?: Uint8Array): Promise<Result> {
  return (await start(words, script, input)).result;
}

export const text = ({ exit, out, err }: Result) => ({
  code: exit.exitCode,
  out: out.toString(),
  err,
});

/** What containers have left: folders, names, VMM processes. */
export function leftovers(): string[] {
  const folders = [
    paths.runRoot,
    join(paths.dataRoot, "containers"),
    join(paths.dataRoot, "names"),
  ];
  return [
    ...folders.flatMap((path) => (existsSync(path) ? readdirSync(path) : [])),
    ...vmmProcesses().map((pid) => `process ${pid}`),
  ];
}
