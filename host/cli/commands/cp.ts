/** dvm cp: files and folders between a container and the user's own, also as tar streams. */

import { stat } from "node:fs/promises";
import { posix, resolve } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { DaemonClient } from "../../api/client/daemon-client.ts";
import { printableText } from "../../printable-text.ts";
import type { CliContext, Command } from "../command.ts";
import {
  type ContainerPath,
  type CopyTarget,
  parseContainerPath,
  planCopy,
  withoutEnd,
} from "../copy/copy-plan.ts";
import { cliError } from "../errors.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";
import { humanSize } from "../render/size.ts";
import { interruptible } from "../terminal/interruptible.ts";

const flags = {
  ...helpFlag,
  archive: booleanFlag({ short: "a", help: "Archive mode (copy all uid/gid information)" }),
  "follow-link": booleanFlag({ short: "L", help: "Always follow symbol link in SRC_PATH" }),
  quiet: booleanFlag({ short: "q", help: "Suppress progress output during copy" }),
} as const;

export const cp: Command = {
  usage: "cp [OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-",
  alsoUsage: ["cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH"],
  summary: "Copy files/folders between a container and the local filesystem",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "cp", { least: 2 });
    const [from = "", to = ""] = args;
    const [source, target] = [parseContainerPath(from), parseContainerPath(to)];
    if (source !== undefined && target !== undefined) {
      throw cliError("CONFLICT", "copying between containers is not supported");
    }
    using daemon = await context.openDaemon();
    const { archive, quiet } = values;
    const shared = { context, daemon, archive, followLink: values["follow-link"], quiet };
    await interruptible(async (signal) => {
      if (source !== undefined) await copyOut({ ...shared, source, to, signal });
      else if (target !== undefined) await copyIn({ ...shared, from, target, signal });
      else throw cliError("CONFLICT", "must specify at least one container source");
    });
    return 0;
  },
};

interface CopyOptions {
  readonly context: CliContext;
  readonly daemon: DaemonClient;
  readonly archive: boolean;
  readonly followLink: boolean;
  readonly quiet: boolean;
  readonly signal: AbortSignal;
}

/** Bits of Go's file mode (os.FileMode). */
const MODE_FOLDER = 2 ** 31;
const MODE_LINK = 2 ** 27;

async function copyOut(
  options: CopyOptions & { readonly source: ContainerPath; readonly to: string },
): Promise<void> {
  const { context, daemon, source, to, signal } = options;
  const { container } = source;
  const path = options.followLink
    ? await followedPath(daemon, container, absolute(source.path))
    : absolute(source.path);
  if (to === "-") {
    if (context.stdout.isTTY === true) {
      throw cliError(
        "CONFLICT",
        "cowardly refusing to write an archive to a terminal. Redirect it",
      );
    }
    const { tar } = await daemon.files.read(container, path, signal);
    await pipeline(tar, context.stdout, { end: false, signal });
    return;
  }
  const asked = withoutEnd(path);
  const { stat: about, tar } = await daemon.files.read(container, asked, signal);
  const isFolder = hasMode(about.mode, MODE_FOLDER);
  const { folder, name } = planCopy({ path: source.path, isFolder }, await localTarget(to));
  const { unpackLocal } = await import("../copy/unpack-local.ts");
  const bytes = await unpackLocal({
    tar,
    folder,
    name,
    keepOwners: options.archive,
    onSkipped: (skipped, why) =>
      context.stderr.write(`dvm: warning: ${printableText(skipped)}: ${why}\n`),
  });
  tellSize(options, bytes, to);
}

async function copyIn(
  options: CopyOptions & { readonly from: string; readonly target: ContainerPath },
): Promise<void> {
  const { context, daemon, from, target, archive, followLink, signal } = options;
  const { container } = target;
  const path = absolute(target.path);
  if (from === "-") {
    const write = { path, tar: context.stdin, copyOwners: archive, signal };
    await daemon.files.write(container, write);
    return;
  }
  const { localSource, packLocal } = await import("../copy/pack-local.ts");
  const about = await localSource(from, followLink);
  const found = await remoteTarget(daemon, container, path);
  const plan = planCopy({ path: resolveKept(from), isFolder: about.isDirectory() }, found);
  const tar = packLocal({ path: resolve(from), name: plan.name, followLink });
  let bytes = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  const packing = pipeline(tar, counted);
  // told by the stream's reader
  packing.catch(() => {});
  const write = { path: plan.folder, tar: counted, copyOwners: archive, signal };
  await daemon.files.write(container, write);
  await packing;
  tellSize(options, bytes, `${container}:${target.path}`);
}

/** A relative path in a container is from its root. */
function absolute(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

/** Absolute, with the `/.` that the user may have written. */
function resolveKept(path: string): string {
  return /(?:^|\/)\.$/.test(path) ? `${resolve(path)}/.` : resolve(path);
}

async function localTarget(to: string): Promise<CopyTarget> {
  const path = /\/\.?$/.test(to) ? `${resolve(to)}/` : resolve(to);
  const about = await stat(to).catch(ifMissing);
  if (about === undefined) {
    const above = posix.dirname(withoutEnd(path));
    const isThere = await stat(above).catch(ifMissing);
    if (isThere?.isDirectory() !== true) {
      throw cliError("LOCAL_FILE", `invalid output path: directory ${above} does not exist`);
    }
    return { path };
  }
  return { path, found: about.isDirectory() ? "folder" : "other" };
}

/** A path that is not there is to be made; whatever else is wrong is said. */
function ifMissing(error: unknown): undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "NO_SUCH_PATH") throw error;
}

/** What is at a path in the container; a link there stands for what it points to. */
async function remoteTarget(
  daemon: DaemonClient,
  container: string,
  path: string,
): Promise<CopyTarget> {
  const about = await daemon.files.stat(container, path).catch(ifMissing);
  if (about === undefined) return { path };
  if (!hasMode(about.mode, MODE_LINK) || about.linkTarget === "") {
    return { path, found: hasMode(about.mode, MODE_FOLDER) ? "folder" : "other" };
  }
  const end = posix.resolve(posix.dirname(path), about.linkTarget);
  const there = await daemon.files.stat(container, end).catch(() => undefined);
  if (there === undefined) return { path: end };
  return { path: end, found: hasMode(there.mode, MODE_FOLDER) ? "folder" : "other" };
}

async function followedPath(
  daemon: DaemonClient,
  container: string,
  path: string,
): Promise<string> {
  const about = await daemon.files.stat(container, withoutEnd(path)).catch(() => undefined);
  if (about === undefined || !hasMode(about.mode, MODE_LINK) || about.linkTarget === "")
    return path;
  return posix.resolve(posix.dirname(withoutEnd(path)), about.linkTarget);
}

function hasMode(mode: number, bit: number): boolean {
  return Math.floor(mode / bit) % 2 === 1;
}

function tellSize({ context, quiet }: CopyOptions, bytes: number, to: string): void {
  if (quiet || context.stderr.isTTY !== true) return;
  context.stderr.write(`Successfully copied ${humanSize(bytes)} to ${printableText(to)}\n`);
}
