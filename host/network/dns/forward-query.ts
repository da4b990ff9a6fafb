/** Questions that are not ours to answer go to the host's own name servers, as they came. */

import { createSocket } from "node:dgram";
import { createConnection } from "node:net";
import { type DnsQuestion, isAnswerTo } from "./dns-message.ts";

/** How long one server may take, in `milliseconds`. */
const TIMEOUT = 3000;
const DNS_PORT = 53;

export interface ForwardOptions {
  readonly message: Uint8Array;
  readonly question: DnsQuestion;
  readonly servers: readonly string[];
  readonly protocol: "tcp" | "udp";
}

/** @returns the first answer, or nothing when no server gives one */
export async function forwardQuery(options: ForwardOptions): Promise<Uint8Array | undefined> {
  const ask = options.protocol === "udp" ? askByDatagram : askByStream;
  for (const server of options.servers) {
    const answer = await ask(server, options.message, options.question);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

/** A socket for each question: its random port is what an answer is known by. */
function askByDatagram(
  server: string,
  message: Uint8Array,
  question: DnsQuestion,
): Promise<Uint8Array | undefined> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
  const socket = createSocket(server.includes(":") ? "udp6" : "udp4");
  const timer = setTimeout(() => resolve(undefined), TIMEOUT);
  socket.on("error", () => resolve(undefined));
  socket.on("message", (answer) => {
    if (isAnswerTo(answer, question)) resolve(answer);
  });
  socket.connect(DNS_PORT, server, () => socket.send(message));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.close();
  });
}

function askByStream(
  server: string,
  message: Uint8Array,
  question: DnsQuestion,
): Promise<Uint8Array | undefined> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
  const socket = createConnection({ host: server, port: DNS_PORT });
  const read = messageReader((answer) => {
    if (isAnswerTo(answer, question)) resolve(answer);
  });
  socket.setTimeout(TIMEOUT, () => resolve(undefined));
  socket.on("error", () => resolve(undefined));
  socket.on("close", () => resolve(undefined));
  socket.on("data", read);
  socket.write(frameMessage(message));
  return promise.finally(() => socket.destroy());
}

/** Over TCP a message has its length before it (RFC 1035 §4.2.2). */
export function frameMessage(message: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(message.length >> 8, message.length & 255), message]);
}

/** Takes a stream apart again; a message has at most 65,535 bytes, and no more is ever held than that. */
export function messageReader(onMessage: (message: Uint8Array) => void): (chunk: Buffer) => void {
  let held: Buffer = Buffer.alloc(0);
  return (chunk) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
      const end = 2 + held.readUInt16BE(0);
      onMessage(held.subarray(2, end));
      held = held.subarray(end);
    }
  };
}
