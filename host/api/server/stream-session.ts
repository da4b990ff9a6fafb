/** A client at the streams of a process, from the beginning of the stream to its end: attach and exec alike. */

import { PassThrough, type Readable } from "node:stream";
import type { ClientStreams } from "../../engine/daemon/client-attachment.ts";
import { DEFAULT_DETACH_KEYS, detachKeyFilter, parseDetachKeys } from "../docker/detach-keys.ts";
import { STDERR, STDOUT } from "../docker/stdcopy.ts";
import type { ApiCall } from "./api-call.ts";
import { compareVersions } from "./api-version.ts";
import type { Attachment } from "./daemon-engine.ts";
import { MULTIPLEXED_STREAM, RAW_STREAM } from "./hijack.ts";
import { outputSink } from "./output-sink.ts";

export interface StreamSessionOptions {
  readonly call: ApiCall;
  readonly terminal: boolean;
  readonly wants: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  /** as the client wrote them; empty: Docker's own */
  readonly detachKeys: string;
  /** Joins the streams to the process. What it throws before the stream has begun is an answer of its own. */
  readonly join: (streams: ClientStreams) => Promise<Attachment>;
}

/**
 * Answers once the client is joined, so that it misses nothing of a process that is started next. Resolved when the
 * process's output has ended, the client has detached, or the client has gone.
 *
 * @throws DvmError `BAD_REQUEST` for detach keys that are none, and what `join` throws
 */
export async function streamSession(options: StreamSessionOptions): Promise<void> {
  const { call, terminal, wants } = options;
  const { hijack } = call;
  const keys = parseDetachKeys(options.detachKeys || DEFAULT_DETACH_KEYS);
  const begin = () => hijack.begin(streamType(call, terminal));
  const sink = (stream: number) =>
    outputSink({
      connection: hijack.output,
      onFirst: begin,
      ...(terminal ? {} : { stream }),
    });
  let attachment: Attachment | undefined;
  let left = false;
  const stdin = wants.stdin ? clientInput(call, terminal ? keys : undefined, detach) : undefined;
  function detach(): void {
    left = true;
    attachment?.detach();
  }
  if (stdin === undefined) hijack.input.resume();
  attachment = await options.join({
    ...(stdin === undefined ? {} : { stdin }),
    ...(wants.stdout || (terminal && wants.stderr) ? { stdout: sink(STDOUT) } : {}),
    ...(wants.stderr && !terminal ? { stderr: sink(STDERR) } : {}),
  });
  begin();
  call.signal.addEventListener("abort", detach, { once: true });
  if (left || call.signal.aborted) detach();
  await attachment.done;
  call.signal.removeEventListener("abort", detach);
  stdin?.destroy();
  hijack.end();
}

/** Of the API before 1.42 the two kinds of stream have one name (moby api/server/router/container). */
export function streamType(call: ApiCall, terminal: boolean): string {
  const isNamed = compareVersions(call.version, "1.42") >= 0;
  return isNamed && !terminal ? MULTIPLEXED_STREAM : RAW_STREAM;
}

/** The client's input, with the detach keys taken out if there are any. */
function clientInput(call: ApiCall, keys: Buffer | undefined, onDetach: () => void): Readable {
  const { input } = call.hijack;
  const filter = keys === undefined ? new PassThrough() : detachKeyFilter(keys, onDetach);
  filter.on("error", () => {});
  filter.once("close", () => {
    input.unpipe(filter);
    input.resume();
  });
  input.once("close", () => {
    if (!input.readableEnded) filter.end();
  });
  return input.pipe(filter);
}
