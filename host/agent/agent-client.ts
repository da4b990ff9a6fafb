/**
 * The host's end of the conversation with a guest agent: requests and their replies, events, streams.
 *
 * All that comes in was written by a guest that may be hostile: it is validated by the protocol's schemas, and
 * the first breach ends the conversation.
 */

import { randomBytes } from "node:crypto";
import { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import {
  Channel,
  type Failure,
  type FromGuest,
  fromGuest,
  INPUT_WINDOW,
  type IncomingHandlers,
  type IncomingStream,
  OLDEST_AGENT_VERSION,
  PROTOCOL_VERSION,
  ProtocolError,
  type Request,
  WIDE_CREDIT_STEP,
} from "#protocol";
import { DvmError } from "../errors.ts";
import { agentError, guestRefusal } from "./errors.ts";
import { GuestReadable, GuestWritable } from "./guest-stream.ts";

/** What the guest says of itself once it is ready. */
export type Hello = Extract<FromGuest, { readonly type: "hello" }>;
/** The answer to a request that succeeded. */
export type Reply = Extract<FromGuest, { readonly type: "reply" }>;
type Exit = Extract<FromGuest, { readonly type: "process.exit" }>;

interface AgentEvents {
  "process.exit": [Exit];
  "container.oom": [{ readonly container: string }];
  log: [string];
  /** the conversation is over; the error says why, none after `close` */
  closed: [DvmError | undefined];
}

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: DvmError) => void;
}

export interface ConnectOptions {
  /** gives up waiting for the guest's hello */
  readonly signal?: AbortSignal;
  readonly takeOver?: TakeOver;
  /** of a guest that is a copy of another: what it calls the container */
  readonly alias?: ContainerAlias | undefined;
}

/** A container that its guest knows by another name than we do. */
export interface ContainerAlias {
  readonly name: string;
  readonly inGuest: string;
}

/** A conversation that has begun. */
export interface OpenedAgent {
  /** takes requests at once, which the guest finds behind the opening; the first failure is that of `hello` */
  readonly client: AgentClient;
  /** settles as `connectAgent` does */
  readonly hello: Promise<Hello>;
}

/** A guest that had an earlier client. */
export interface TakeOver {
  /** how many clients it had; numbers of requests and streams tell them apart */
  readonly generation: number;
  /**
   * Called before the guest is spoken to: the place to listen to events, for those of the past come with the
   * hello, and to reopen the streams of the earlier client.
   */
  readonly prepare: (client: AgentClient) => void;
}

/** Numbers that each client of a guest has for its requests and for its streams. */
const NUMBERS_EACH = 2 ** 20;
/** From here on agents are up to `STREAM_WINDOW` ahead. */
const WIDE_WINDOW_VERSION = 5;
/** Clients that a guest can have. */
const MAX_GENERATIONS = 2 ** 12 - 1;

/**
 * Synchronises with the agent behind `transport` and waits for its hello.
 *
 * @throws DvmError `AGENT_LOST` when the transport ends first, `AGENT_PROTOCOL` for a breach of the protocol or
 * another version; the signal's reason when it is aborted
 */
export async function connectAgent(
  transport: Duplex,
  options: ConnectOptions = {},
): Promise<AgentClient> {
  const { client, hello } = openAgent(transport, options);
  await hello;
  return client;
}

/** Begins a conversation as `connectAgent` does, without waiting for the guest. */
export function openAgent(transport: Duplex, options: ConnectOptions = {}): OpenedAgent {
  options.signal?.throwIfAborted();
  const client = new AgentClient(transport, options.takeOver?.generation, options.alias);
  return { client, hello: greeting(client, options) };
}

async function greeting(client: AgentClient, options: ConnectOptions): Promise<Hello> {
  const { promise, resolve, reject } = Promise.withResolvers<Hello>();
  const abort = () => reject(options.signal?.reason);
  options.signal?.addEventListener("abort", abort, { once: true });
  try {
    options.takeOver?.prepare(client);
    client.begin(resolve, reject);
    return await promise;
  } catch (error) {
    client.close();
    throw error;
  } finally {
    options.signal?.removeEventListener("abort", abort);
  }
}

export class AgentClient extends EventEmitter<AgentEvents> {
  readonly #transport: Duplex;
  readonly #channel: Channel;
  readonly #waiting = new Map<number, Waiting>();
  #hello: Hello | undefined;
  #onHello: (hello: Hello) => void = () => {};
  #onFailure: (error: DvmError) => void = () => {};
  readonly #firstRequest: number;
  #nextRequest: number;
  #nextStream: number;
  readonly #reopened: IncomingStream[] = [];
  readonly #unwanted: number[] = [];
  readonly #alias: ContainerAlias | undefined;
  #blocked = false;
  #closed = false;

  /** Use `connectAgent`. */
  constructor(transport: Duplex, generation = 0, alias?: ContainerAlias) {
    super();
    this.#alias = alias;
    // every exec and every piece of work on files listens for its own end
    this.setMaxListeners(0);
    if (generation > MAX_GENERATIONS)
      throw agentError("AGENT_LOST", `the guest agent has had ${generation} clients`);
    this.#firstRequest = generation * NUMBERS_EACH + 1;
    this.#nextRequest = this.#firstRequest;
    this.#nextStream = this.#firstRequest;
    this.#transport = transport;
    this.#channel = new Channel({
      onMessage: (value) => this.#receive(fromGuest.parse(value)),
      onSynchronised: () => {},
      onOutput: () => this.#flush(),
      window: INPUT_WINDOW,
    });
  }

  /** Use `connectAgent`. */
  begin(onHello: (hello: Hello) => void, onFailure: (error: DvmError) => void): void {
    this.#onHello = onHello;
    this.#onFailure = onFailure;
    this.#transport.on("data", (piece: Uint8Array) => this.#take(piece));
    this.#transport.on("drain", () => {
      this.#blocked = false;
      this.#flush();
    });
    this.#transport.on("error", (cause) => this.#fail(lost(cause)));
    this.#transport.on("close", () => this.#fail(lost()));
    this.#transport.on("end", () => this.#fail(lost()));
    this.#channel.open(randomBytes(16));
  }

  /** What the guest said of itself. */
  get hello(): Hello {
    if (this.#hello === undefined)
      throw agentError("AGENT_LOST", "the guest agent has not said hello");
    return this.#hello;
  }

  /**
   * Asks the guest for something and waits for its answer.
   *
   * @throws DvmError with the guest's own code, message and exit code when it refuses; `AGENT_LOST` when it goes away
   */
  request(request: Request): Promise<Reply> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    if (this.#closed) {
      reject(lost());
      return promise;
    }
    const id = this.#nextRequest++;
    this.#waiting.set(id, { resolve, reject });
    try {
      this.#channel.send({ id, request: this.#asInGuest(request) });
    } catch (cause) {
      this.#waiting.delete(id);
      reject(
        agentError("AGENT_PROTOCOL", `request ${request.type}: ${(cause as Error).message}`, {
          cause,
        }),
      );
    }
    return promise;
  }

  /** A stream from the guest, for `stdio` of a process that is about to start. */
  openReadable(): GuestReadable {
    return new GuestReadable(this.#channel, this.#nextStream++);
  }

  /** A stream to the guest, for `stdio` of a process that is about to start. */
  openWritable(): GuestWritable {
    return new GuestWritable(this.#channel, this.#nextStream++);
  }

  /** A stream from the guest whose bytes are consumed at the caller's own pace. */
  openIncoming(handlers: IncomingHandlers): IncomingStream {
    return this.#channel.openIncoming(this.#nextStream++, handlers);
  }

  /** This side wants no more of an incoming stream. */
  dropIncoming(id: number): void {
    this.#channel.resetIncoming(id);
  }

  /** For `TakeOver.prepare`: goes on with an earlier client's stream from the guest after what that had consumed. */
  reopenIncoming(at: { readonly id: number; readonly offset: number }, handlers: IncomingHandlers) {
    const stream = this.#channel.openIncoming(at.id, handlers, at.offset);
    this.#reopened.push(stream);
    return stream;
  }

  /** For `TakeOver.prepare`: goes on with an earlier client's stream to the guest. */
  reopenWritable(id: number): GuestWritable {
    return new GuestWritable(this.#channel, id, true);
  }

  /** For `TakeOver.prepare`: what an earlier client's stream from the guest still brings is not wanted. */
  discardIncoming(id: number): void {
    this.#channel.openIncoming(id, { onData: () => {}, onEnd: () => {} });
    this.#unwanted.push(id);
  }

  /** Ends the conversation; the guest is not told. */
  close(): void {
    this.#end(undefined);
  }

  #take(piece: Uint8Array): void {
    if (this.#closed) return;
    try {
      this.#channel.receive(piece);
    } catch (error) {
      this.#fail(breach(error));
    }
  }

  #receive(message: FromGuest): void {
    switch (message.type) {
      case "hello":
        this.#greet(message);
        break;
      case "reply":
        this.#settle(message.id)?.resolve(message);
        break;
      case "failure":
        this.#settle(message.id)?.reject(this.#refusal(message.error));
        break;
      case "process.exit":
        this.emit("process.exit", { ...message, container: this.#asHere(message.container) });
        break;
      case "container.oom":
        this.emit("container.oom", { container: this.#asHere(message.container) });
        break;
      case "log":
        this.emit("log", message.text);
        break;
    }
  }

  #greet(hello: Hello): void {
    if (this.#hello !== undefined)
      throw new ProtocolError("BAD_MESSAGE", "a second hello in one conversation");
    if (hello.version < OLDEST_AGENT_VERSION || hello.version > PROTOCOL_VERSION) {
      throw agentError(
        "AGENT_VERSION",
        `the guest agent speaks version ${hello.version} of the protocol, wanted ${OLDEST_AGENT_VERSION} to ${PROTOCOL_VERSION}`,
      );
    }
    if (hello.version >= WIDE_WINDOW_VERSION) this.#channel.creditStep = WIDE_CREDIT_STEP;
    const containers = Object.entries(hello.containers).map(
      ([name, processes]) => [this.#asHere(name), processes] as const,
    );
    this.#hello = { ...hello, containers: Object.fromEntries(containers) };
    for (const stream of this.#reopened) this.#channel.resumeIncoming(stream);
    for (const id of this.#unwanted) this.#channel.resetIncoming(id);
    this.#onHello(this.#hello);
  }

  #asInGuest(request: Request): Request {
    if (this.#alias === undefined || !("container" in request)) return request;
    const { name, inGuest } = this.#alias;
    if (request.container === name) return { ...request, container: inGuest };
    if (request.type !== "container.create" || request.spec.joins === undefined) return request;
    const joins = Object.fromEntries(
      Object.entries(request.spec.joins).map(([kind, id]) => [kind, id === name ? inGuest : id]),
    );
    return { ...request, spec: { ...request.spec, joins } };
  }

  #asHere(container: string): string {
    return this.#alias?.inGuest === container ? this.#alias.name : container;
  }

  /** An agent of an older dvm says of what it does not know that the message is bad. */
  #refusal(failure: Failure): DvmError {
    const version = this.#hello?.version ?? PROTOCOL_VERSION;
    if (failure.code !== "BAD_MESSAGE" || version === PROTOCOL_VERSION)
      return guestRefusal(failure);
    return agentError(
      "AGENT_VERSION",
      `the guest agent cannot do this, it is of an older dvm: ${guestRefusal(failure).message}`,
    );
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    // an earlier client asked, and is not there to hear it
    if (waiting === undefined && id < this.#firstRequest) return undefined;
    if (waiting === undefined)
      throw new ProtocolError("BAD_MESSAGE", `answer to request ${id}, which was not asked`);
    this.#waiting.delete(id);
    return waiting;
  }

  #flush(): void {
    while (!this.#blocked && !this.#closed) {
      const bytes = this.#channel.nextOutput();
      if (bytes === undefined) return;
      this.#blocked = !this.#transport.write(bytes);
    }
  }

  #fail(error: DvmError): void {
    this.#onFailure(error);
    this.#end(error);
  }

  #end(error: DvmError | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#transport.destroy();
    for (const { reject } of this.#waiting.values()) reject(error ?? lost());
    this.#waiting.clear();
    this.emit("closed", error);
  }
}

function lost(cause?: unknown): DvmError {
  return agentError(
    "AGENT_LOST",
    "the guest agent closed its port",
    cause === undefined ? {} : { cause },
  );
}

function breach(error: unknown): DvmError {
  if (error instanceof DvmError) return error;
  if (!(error instanceof ProtocolError)) throw error;
  return agentError("AGENT_PROTOCOL", `the guest agent broke the protocol: ${error.message}`, {
    cause: error,
  });
}
