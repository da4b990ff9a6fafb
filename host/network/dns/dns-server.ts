/** A name server on a network's gateway address: names of the network's containers; the rest is the host's to answer. */

import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { createServer, type Server } from "node:net";
import { formatIpv6 } from "../ipv6.ts";
import { type AnsweredAddress, answeredAddresses } from "./dns-answer.ts";
import {
  buildAnswer,
  type DnsQuestion,
  type DnsRecord,
  NOERROR,
  NXDOMAIN,
  parseQuestion,
  REFUSED,
  SERVFAIL,
  TYPE_A,
  TYPE_AAAA,
  TYPE_PTR,
} from "./dns-message.ts";
import { forwardQuery, frameMessage, messageReader } from "./forward-query.ts";
import { QuestionLimit } from "./question-limit.ts";

export interface DnsServerOptions {
  /** address that it listens on */
  readonly address: string;
  readonly port: number;
  /** whether a client with this address is answered */
  readonly serves: (client: string) => boolean;
  /** addresses of a name, lower case, of either family; nothing when it is no name of the network */
  readonly lookUp: (name: string, client: string) => readonly string[] | undefined;
  /** name of an address of the network */
  readonly nameOf: (address: string) => string | undefined;
  /** servers that the rest goes to; none: it is refused */
  readonly forwardTo: () => readonly string[];
  /** whether the client may ask for more than the network's own names; absent: everyone may */
  readonly admits?: (question: DnsQuestion, client: string) => boolean;
  /** called with the addresses of an answer before it is sent; one that it throws at is not */
  readonly onAnswer?: (answer: DnsAnswer) => Promise<void>;
}

export interface DnsAnswer {
  /** lower case */
  readonly name: string;
  readonly client: string;
  readonly addresses: readonly AnsweredAddress[];
  /** whether the name is the network's own */
  readonly isOwn: boolean;
}

/** Questions under way, and connections, at a time: a guest that asks more gets no answer. */
const MAX_PENDING = 512;
const MAX_CONNECTIONS = 64;
/** How long a connection may be silent, in `milliseconds`. */
const IDLE = 10_000;

/** @throws Error with `code` EADDRINUSE or EADDRNOTAVAIL */
export async function openDnsServer(options: DnsServerOptions): Promise<AsyncDisposable> {
  await using opened = new AsyncDisposableStack();
  const answerer = new Answerer(options);
  const datagrams = await listenDatagrams(options, answerer);
  opened.defer(() => closed(datagrams));
  const streams = await listenStreams(options, answerer);
  opened.defer(() => closed(streams));
  const kept = opened.move();
  return { [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

class Answerer {
  readonly #options: DnsServerOptions;
  readonly #limit = new QuestionLimit();
  #pending = 0;

  constructor(options: DnsServerOptions) {
    this.#options = options;
  }

  /** @returns nothing for a client or a message that gets no answer */
  async answer(
    message: Uint8Array,
    client: string,
    protocol: "tcp" | "udp",
  ): Promise<Uint8Array | undefined> {
    if (!this.#options.serves(client) || this.#pending >= MAX_PENDING) return undefined;
    using admitted = this.#limit.admit(client);
    if (admitted === undefined) return undefined;
    const question = parseQuestion(message);
    if (question === undefined) return undefined;
    const own = this.#own(question, client);
    this.#pending++;
    try {
      const answer = own ?? (await this.#ask({ message, question, client, protocol }));
      const isHeard = await this.#tell(question, client, { answer, isOwn: own !== undefined });
      return isHeard ? answer : buildAnswer(question, SERVFAIL);
    } finally {
      this.#pending--;
    }
  }

  async #ask({ message, question, client, protocol }: Query): Promise<Uint8Array> {
    const servers = this.#options.forwardTo();
    if (servers.length === 0) return buildAnswer(question, REFUSED);
    // one that is refused is asked for again and again by some, and of other servers
    if (this.#options.admits?.(question, client) === false) return buildAnswer(question, NXDOMAIN);
    const answer = await forwardQuery({ message, question, servers, protocol });
    return answer ?? buildAnswer(question, SERVFAIL);
  }

  /** @returns whether the client may have the answer */
  async #tell(
    { name }: DnsQuestion,
    client: string,
    { answer, isOwn }: { readonly answer: Uint8Array; readonly isOwn: boolean },
  ): Promise<boolean> {
    const { onAnswer } = this.#options;
    if (onAnswer === undefined) return true;
    const addresses = answeredAddresses(answer) ?? [];
    if (addresses.length === 0) return true;
    try {
      await onAnswer({ name, client, addresses, isOwn });
      return true;
    } catch {
      // what it does not hear of it does not try to reach
      return false;
    }
  }

  #own(question: DnsQuestion, client: string): Uint8Array | undefined {
    if (question.type === TYPE_PTR) return this.#reverse(question);
    const addresses = this.#options.lookUp(question.name, client);
    if (addresses === undefined) {
      // a single label is nobody's outside, and is not to be told there
      return question.name.includes(".") ? undefined : this.#unknown(question);
    }
    const { type } = question;
    const isOfType = (address: string) => address.includes(":") === (type === TYPE_AAAA);
    if (type !== TYPE_A && type !== TYPE_AAAA) return buildAnswer(question, NOERROR);
    const records = addresses.filter(isOfType).map((address): DnsRecord => ({ type, address }));
    return buildAnswer(question, NOERROR, records);
  }

  #unknown(question: DnsQuestion): Uint8Array | undefined {
    const isAddress = question.type === TYPE_A || question.type === TYPE_AAAA;
    return isAddress && question.name !== "" ? buildAnswer(question, NXDOMAIN) : undefined;
  }

  #reverse(question: DnsQuestion): Uint8Array | undefined {
    const name = this.#options.nameOf(reversedAddress(question.name));
    if (name === undefined) return undefined;
    return buildAnswer(question, NOERROR, [{ type: TYPE_PTR, name }]);
  }
}

interface Query {
  readonly message: Uint8Array;
  readonly question: DnsQuestion;
  readonly client: string;
  readonly protocol: "tcp" | "udp";
}

/** The address that a name of in-addr.arpa (RFC 1035 §3.5) or ip6.arpa (RFC 3596 §2.5) stands for; empty for others. */
function reversedAddress(name: string): string {
  const [, four = ""] = /^((?:\d{1,3}\.){4})in-addr\.arpa$/.exec(name) ?? [];
  if (four !== "") return four.split(".").slice(0, 4).reverse().join(".");
  const [, six = ""] = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name) ?? [];
  return six === "" ? "" : formatIpv6(BigInt(`0x${six.split(".").reverse().join("")}`));
}

function listenDatagrams(
  { address, port }: DnsServerOptions,
  answerer: Answerer,
): Promise<DatagramSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<DatagramSocket>();
  const socket = createSocket("udp4");
  socket.once("error", reject);
  socket.on("message", async (message, { address: client, port: clientPort }) => {
    const answer = await answerer.answer(message, client, "udp");
    // it may have been closed meanwhile
    if (answer !== undefined && isOpen(socket)) socket.send(answer, clientPort, client, () => {});
  });
  socket.bind({ address, port, exclusive: true }, () => {
    socket.on("error", () => {});
    resolve(socket);
  });
  return promise;
}

function isOpen(socket: DatagramSocket): boolean {
  try {
    socket.address();
    return true;
  } catch {
    return false;
  }
}

function listenStreams({ address, port }: DnsServerOptions, answerer: Answerer): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  const server = createServer((connection) => {
    const client = connection.remoteAddress ?? "";
    connection.setTimeout(IDLE, () => connection.destroy());
    connection.on("error", () => {});
    server.once("dvm-end", () => connection.destroy());
    connection.on(
      "data",
      messageReader(async (message) => {
        const answer = await answerer.answer(message, client, "tcp");
        if (answer === undefined) connection.destroy();
        else if (connection.writable) connection.write(frameMessage(answer));
      }),
    );
  });
  server.setMaxListeners(MAX_CONNECTIONS + 1);
  server.maxConnections = MAX_CONNECTIONS;
  server.once("error", reject);
  server.listen({ host: address, port, exclusive: true }, () => resolve(server));
  return promise;
}

function closed(socket: DatagramSocket | Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.close(() => resolve());
  if ("maxConnections" in socket) socket.emit("dvm-end");
  return promise;
}
