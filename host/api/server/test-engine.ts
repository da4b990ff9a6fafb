/** For tests: an engine in memory whose containers' processes are a few lines each. */

import { randomBytes } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { Readable } from "node:stream";
import type { ContainerExit } from "../../engine/container-exit.ts";
import type { ClientStreams } from "../../engine/daemon/client-attachment.ts";
import type {
  Caller,
  ContainerView,
  DaemonContainerConfig,
  DaemonEvent,
  ExecView,
  LogEntry,
  LogRequest,
  StatsSample,
} from "../../engine/daemon/model.ts";
import { engineError } from "../../engine/errors.ts";
import type { ImageView } from "../../engine/images/image-view.ts";
import type { RunConfig } from "../../image/config.ts";
import { imageError } from "../../image/errors.ts";
import { apiError } from "../docker/errors.ts";
import type { Attachment, DaemonEngine } from "./daemon-engine.ts";
import type { ImageCalls } from "./served-images.ts";
import { availableCalls } from "./test-available-engine.ts";
import { TestProcess } from "./test-process.ts";

export const TEST_RUN: RunConfig = {
  user: "",
  env: ["PATH=/bin"],
  entrypoint: undefined,
  cmd: ["sh"],
  workingDir: "",
  labels: { maker: "tests" },
  exposedPorts: ["80/tcp"],
  volumes: [],
  stopSignal: undefined,
  stopTimeout: undefined,
  healthcheck: undefined,
};

export const TEST_IMAGE: ImageView = {
  id: `sha256:${"a1".repeat(32)}`,
  names: ["docker.io/library/busybox:latest"],
  digests: [`docker.io/library/busybox@sha256:${"b2".repeat(32)}`],
  created: "2024-05-06T07:08:09Z",
  platform: { os: "linux", architecture: "amd64" },
  size: 4_000_000,
  diffIds: [`sha256:${"c3".repeat(32)}`],
  run: TEST_RUN,
  history: [
    {
      created: "2024-05-06T07:08:09Z",
      createdBy: "ADD rootfs.tar /",
      author: undefined,
      comment: undefined,
      emptyLayer: false,
      size: 4_000_000,
    },
  ],
};

/** One container of it. */
interface Kept {
  view: ContainerView;
  process: TestProcess | undefined;
  readonly logs: LogEntry[];
  /** `started`, `ended` with its end, `removed` */
  readonly changes: EventEmitter;
  readonly joined: (() => void)[];
}

type Calls = Partial<DaemonEngine>;

export class TestDaemonEngine implements Calls {
  readonly kept = new Map<string, Kept>();
  readonly execs = new Map<string, ExecView>();
  readonly happened = new EventEmitter();
  /** what `writeArchive` was given, by path */
  readonly written = new Map<string, Buffer>();
  /** how many calls are under way that hold something for a client */
  readonly held = { waits: 0, logs: 0, attachments: 0 };

  async list(caller: Caller): Promise<ContainerView[]> {
    return [...this.kept.values()]
      .map(({ view }) => view)
      .filter((view) => caller.uid === 0 || view.owner === caller.uid)
      .reverse();
  }

  async find(reference: string): Promise<ContainerView> {
    const kept = [...this.kept.values()];
    const found =
      kept.find(({ view }) => view.name === reference) ??
      kept.find(({ view }) => view.id.startsWith(reference));
    if (found === undefined) {
      throw engineError("NO_SUCH_CONTAINER", `no such container: ${reference}`);
    }
    return found.view;
  }

  async create(config: DaemonContainerConfig, caller: Caller) {
    if (!/^busybox(:latest)?$/.test(config.image)) {
      throw imageError("IMAGE_NOT_FOUND", `no such image: ${config.image}`);
    }
    const id = randomBytes(32).toString("hex");
    const name = config.name ?? `test_${id.slice(0, 6)}`;
    for (const { view } of this.kept.values()) {
      if (view.name !== name) continue;
      throw engineError(
        "NAME_TAKEN",
        `conflict. The container name "/${name}" is already in use by container "${view.id}"`,
      );
    }
    const view: ContainerView = {
      id,
      name,
      created: new Date().toISOString(),
      owner: caller.uid,
      config,
      image: {
        name: "docker.io/library/busybox:latest",
        manifestDigest: `sha256:${"b2".repeat(32)}`,
        imageId: TEST_IMAGE.id,
        run: TEST_RUN,
      },
      state: { status: "created", oomKilled: false },
    };
    const changes = new EventEmitter().setMaxListeners(0);
    this.kept.set(id, { view, process: undefined, logs: [], changes, joined: [] });
    this.#tell(view, "create");
    return { id, name };
  }

  async start(id: string): Promise<boolean> {
    const kept = this.#get(id);
    if (kept.view.state.status === "running") return false;
    const { config } = kept.view;
    kept.process = this.#process(kept, config.command);
    const startedAt = new Date().toISOString();
    kept.view = {
      ...kept.view,
      state: { status: "running", pid: 42, startedAt, oomKilled: false },
    };
    for (const join of kept.joined.splice(0)) join();
    kept.process.run();
    this.#tell(kept.view, "start");
    return true;
  }

  async attach(
    id: string,
    _caller: Caller,
    { streams, stream }: { readonly streams: ClientStreams; readonly stream: boolean },
  ): Promise<Attachment> {
    const kept = this.#get(id);
    const { promise, resolve } = Promise.withResolvers<void>();
    if (!stream) return { done: Promise.resolve(), detach: () => {} };
    this.held.attachments++;
    let leave = () => {};
    const join = () => {
      leave = kept.process?.join(streams) ?? leave;
      void kept.process?.drained.then(resolve);
    };
    if (kept.process === undefined) kept.joined.push(join);
    else join();
    const done = promise.then(() => {
      this.held.attachments--;
      leave();
    });
    return { done, detach: resolve };
  }

  async wait(
    id: string,
    _caller: Caller,
    options: {
      readonly condition: string;
      readonly signal: AbortSignal;
      readonly onWaiting: () => void;
    },
  ): Promise<ContainerExit> {
    const { condition, signal, onWaiting } = options;
    const { changes, view } = this.#get(id);
    const { status, exitCode = 0 } = view.state;
    if (condition === "not-running" && status !== "running") return { exitCode, oomKilled: false };
    let end: ContainerExit = { exitCode, oomKilled: false };
    changes.once("ended", (given) => {
      end = given;
    });
    this.held.waits++;
    try {
      const event = once(changes, condition === "removed" ? "removed" : "ended", { signal });
      onWaiting();
      await event;
      return end;
    } finally {
      this.held.waits--;
    }
  }

  async kill(id: string, _caller: Caller, signal: number): Promise<void> {
    this.#get(id).process?.exit(128 + signal);
  }

  async stop(id: string, _caller: Caller, { signal = 15 }: { readonly signal?: number }) {
    const { process, changes, view } = this.#get(id);
    if (view.state.status !== "running") return false;
    const ended = once(changes, "ended");
    process?.exit(128 + signal);
    await ended;
    return true;
  }

  async pause(id: string): Promise<void> {
    this.#setStatus(id, "paused");
  }

  async unpause(id: string): Promise<void> {
    this.#setStatus(id, "running");
  }

  async rename(id: string, _caller: Caller, name: string): Promise<void> {
    const kept = this.#get(id);
    kept.view = { ...kept.view, name };
  }

  async remove(id: string, _caller: Caller, { force }: { readonly force: boolean }): Promise<void> {
    const { view, process, changes } = this.#get(id);
    if (view.state.status === "running" && !force) {
      throw engineError(
        "WRONG_STATE",
        `cannot remove container "/${view.name}": container is running: stop the container before removing or force remove`,
      );
    }
    if (view.state.status === "running") {
      const ended = once(changes, "ended");
      process?.exit(137);
      await ended;
    }
    this.#forget(id);
  }

  async resize(id: string, _caller: Caller, size: object): Promise<void> {
    this.#get(id).changes.emit("resized", size);
  }

  async top() {
    return { titles: ["PID", "CMD"], rows: [["1", "sh"]] };
  }

  async sizes() {
    return { writable: 1000, whole: 5000 };
  }

  async stats(): Promise<StatsSample> {
    return {
      read: "2024-05-06T07:08:09Z",
      memoryBytes: 3_000_000,
      memoryLimitBytes: 100_000_000,
      memoryInactiveFileBytes: 1_000_000,
      cpuMicroseconds: 500,
      cpuUserMicroseconds: 300,
      cpuSystemMicroseconds: 200,
      systemCpuMicroseconds: 1000,
      onlineCpus: 2,
      pids: 3,
      ioReadBytes: 10,
      ioWriteBytes: 20,
      networks: {},
    };
  }

  async *logs(id: string, _caller: Caller, request: LogRequest): AsyncGenerator<LogEntry> {
    const { logs, process, changes } = this.#get(id);
    const wanted = logs.filter((entry) => request[entry.stream]);
    this.held.logs++;
    try {
      yield* request.tail === undefined ? wanted : wanted.slice(-request.tail || wanted.length);
      if (request.follow && process?.isRunning) {
        await once(changes, "ended", { signal: request.signal });
      }
    } finally {
      this.held.logs--;
    }
  }

  async createExec(container: string, _caller: Caller, config: ExecView["config"]) {
    const id = randomBytes(32).toString("hex");
    this.execs.set(id, { id, container, config, status: "created" });
    return id;
  }

  async findExec(id: string): Promise<ExecView> {
    const found = this.execs.get(id);
    if (found !== undefined) return found;
    throw apiError("NO_SUCH_EXEC", `no such exec instance: ${id}`);
  }

  async startExec(
    id: string,
    _caller: Caller,
    { streams }: { readonly streams?: ClientStreams },
  ): Promise<Attachment> {
    const exec = await this.findExec(id);
    const process = new TestProcess(exec.config.command, exec.config.terminal);
    this.execs.set(id, { ...exec, status: "running", pid: 7 });
    process.onExit = (exitCode) => this.execs.set(id, { ...exec, status: "exited", exitCode });
    const leave = streams === undefined ? () => {} : process.join(streams);
    process.run();
    return { done: process.drained, detach: leave };
  }

  async statPath(_id: string, _caller: Caller, path: string) {
    return { name: path, size: 5, mode: 0o100644, modified: "2024-05-06T07:08:09Z" };
  }

  async readArchive(id: string, caller: Caller, { path }: { readonly path: string }) {
    return {
      stat: await this.statPath(id, caller, path),
      tar: Readable.from([Buffer.from("tar")]),
    };
  }

  async writeArchive(_id: string, _caller: Caller, options: { path: string; tar: Readable }) {
    const pieces: Buffer[] = [];
    for await (const piece of options.tar) pieces.push(piece);
    this.written.set(options.path, Buffer.concat(pieces));
  }

  async changes() {
    return [{ path: "/new", kind: "added" as const }];
  }

  async exportTar() {
    return Readable.from([Buffer.from("export")]);
  }

  images(): ImageCalls {
    const find = async (reference: string): Promise<ImageView> => {
      if (/^(?:busybox(?::latest)?|sha256:a1.*)$/.test(reference)) return TEST_IMAGE;
      throw imageError("IMAGE_NOT_FOUND", `no such image: ${reference}`);
    };
    const list = async () => [TEST_IMAGE];
    const pull = async (reference: string): Promise<void> => {
      throw imageError("IMAGE_NOT_FOUND", `no such image: ${reference}`);
    };
    return availableCalls<ImageCalls>({ list, find, findListed: find, pull });
  }

  async version() {
    return { version: "0.1.0", kernel: "6.1.0", components: [{ name: "QEMU", version: "7.2" }] };
  }

  async info() {
    const registries = { insecure: [], mirrors: [] };
    const storage = {
      driver: "overlay",
      reason: "the default",
      fileSystem: "ext4",
      sharesExtents: false,
    } as const;
    const version = await this.version();
    return {
      ...version,
      id: "ID",
      dataRoot: "/data",
      images: 1,
      storage,
      registries,
      warnings: [],
    };
  }

  async *events({ signal }: { readonly signal: AbortSignal }): AsyncGenerator<DaemonEvent> {
    const queue: DaemonEvent[] = [];
    const take = (event: DaemonEvent) => queue.push(event);
    this.happened.on("event", take);
    try {
      for (;;) {
        while (queue.length > 0) yield queue.shift() as DaemonEvent;
        await once(this.happened, "event", { signal });
      }
    } finally {
      this.happened.off("event", take);
    }
  }

  #process(kept: Kept, command: readonly string[]): TestProcess {
    const process = new TestProcess(command, kept.view.config.terminal);
    process.onOutput = (stream, bytes) => {
      kept.logs.push({ stream, time: 1_700_000_000_000_000_001n, bytes });
    };
    process.onExit = (exitCode) => {
      const finishedAt = new Date().toISOString();
      const state = { ...kept.view.state, status: "exited" as const, exitCode, finishedAt };
      kept.view = { ...kept.view, state };
      this.#tell(kept.view, "die");
      kept.changes.emit("ended", { exitCode, oomKilled: false });
      if (kept.view.config.autoRemove) this.#forget(kept.view.id);
    };
    return process;
  }

  #forget(id: string): void {
    const kept = this.kept.get(id);
    if (kept === undefined) return;
    this.kept.delete(id);
    this.#tell(kept.view, "destroy");
    kept.changes.emit("removed");
  }

  #tell(view: ContainerView, action: string): void {
    const attributes = { name: view.name, image: view.config.image, ...view.config.labels };
    const event: DaemonEvent = {
      type: "container",
      action,
      id: view.id,
      attributes,
      time: 1_700_000_000_123_456_789n,
      ...(view.owner === undefined ? {} : { owner: view.owner }),
    };
    this.happened.emit("event", event);
  }

  #setStatus(id: string, status: "paused" | "running"): void {
    const kept = this.#get(id);
    kept.view = { ...kept.view, state: { ...kept.view.state, status } };
  }

  #get(id: string): Kept {
    const found = this.kept.get(id);
    if (found === undefined) throw engineError("NO_SUCH_CONTAINER", `no such container: ${id}`);
    return found;
  }
}
