/** The images as the API server asks for them: each user's own, and what happens to them told. */

import { PassThrough, type Readable } from "node:stream";
import type { EventBus } from "../../engine/daemon/event-bus.ts";
import type { Caller } from "../../engine/daemon/model.ts";
import type {
  ImageEngine,
  ImageUsage,
  LoadedName,
  PulledImage,
  PushedImage,
} from "../../engine/images/image-engine.ts";
import type { ImageJob, JobEvent } from "../../engine/images/image-job.ts";
import type { ImageView } from "../../engine/images/image-view.ts";
import type { RunJob } from "../../engine/images/image-worker.ts";
import type { RemovedImages } from "../../engine/images/remove-image.ts";
import type { ImageProgress } from "../../engine/images/transfer-progress.ts";
import { familiarName } from "../docker/image-json.ts";
import type { DaemonInfo, RegistryAuth } from "./daemon-model.ts";
import { mayTouch } from "./may-touch.ts";

export interface ImageCalls {
  /** Those that the caller may see, newest first. */
  list(caller: Caller): Promise<readonly ImageView[]>;
  /** By name, id or unique start of an id, among the caller's. @throws IMAGE_NOT_FOUND */
  find(reference: string, caller: Caller): Promise<ImageView>;
  /** The same of those that are listed already. @throws IMAGE_NOT_FOUND */
  findListed(reference: string, caller: Caller): Promise<ImageView>;
  /** Brings an image, or with `all` every tag of a repository. */
  pull(reference: string, caller: Caller, options: PullOptions): Promise<void>;
  push(reference: string, caller: Caller, options: PushOptions): Promise<void>;
  tag(id: string, caller: Caller, name: string): Promise<void>;
  /** Takes the name away, and with the last one the image. */
  remove(
    reference: string,
    caller: Caller,
    options: { readonly force: boolean },
  ): Promise<RemovedImages>;
  /** An archive as `docker save` writes it. */
  save(references: readonly string[], caller: Caller, signal: AbortSignal): Promise<Readable>;
  /** @returns what was loaded: names, or ids of those without one */
  load(tar: Readable, caller: Caller, options: LoadOptions): Promise<readonly LoadedName[]>;
  /** Makes an image of one layer. @returns its id */
  import(tar: Readable, caller: Caller, options: ImportOptions): Promise<string>;
  /** Removes these, and what no name, container or image needs. */
  prune(ids: readonly string[], caller: Caller): Promise<RemovedImages>;
  usage(caller: Caller): Promise<ImageUsage>;
  /** Shows credentials to a registry. @throws REGISTRY_UNAUTHORIZED */
  login(host: string, auth: RegistryAuth, insecure: readonly string[]): Promise<void>;
}

export interface TransferOptions {
  readonly auth?: RegistryAuth;
  /** hosts that may be spoken to without TLS, beside those of the daemon's settings */
  readonly insecure?: readonly string[];
  readonly onProgress: (progress: ImageProgress) => void;
  readonly signal: AbortSignal;
}

export interface PullOptions extends TransferOptions {
  /** `OS/ARCHITECTURE[/VARIANT]` */
  readonly platform?: string;
  /** whether it is a repository, of which all tags are wanted */
  readonly all?: boolean;
  readonly onPulled: (image: PulledImage) => void;
}

export interface PushOptions extends TransferOptions {
  /** whether it is a repository, of which all tags are wanted */
  readonly all?: boolean;
  readonly onPushed: (image: PushedImage) => void;
}

export interface LoadOptions {
  /** `OS/ARCHITECTURE[/VARIANT]` */
  readonly platform?: string;
  readonly onProgress: (progress: ImageProgress) => void;
  readonly signal: AbortSignal;
}

export interface ImportOptions {
  /** name to give it; absent: none */
  readonly name?: string;
  /** lines of a Dockerfile */
  readonly changes: readonly string[];
  readonly message: string;
  readonly platform?: string;
  readonly signal: AbortSignal;
}

export interface ServedImagesOptions {
  readonly images: ImageEngine;
  /** does what takes long */
  readonly runJob: RunJob;
  readonly events: EventBus;
  /** ids of the containers that a user may see */
  readonly containersOf: (caller: Caller) => ReadonlySet<string>;
}

export class ServedImages implements ImageCalls {
  readonly #options: ServedImagesOptions;

  constructor(options: ServedImagesOptions) {
    this.#options = options;
  }

  list(caller: Caller): Promise<readonly ImageView[]> {
    return this.#of(caller).list();
  }

  find(reference: string, caller: Caller): Promise<ImageView> {
    return this.#of(caller).find(reference);
  }

  findListed(reference: string, caller: Caller): Promise<ImageView> {
    return this.#of(caller).findListed(reference);
  }

  async pull(reference: string, caller: Caller, options: PullOptions): Promise<void> {
    const { all = false, onPulled, ...others } = options;
    const tell = (image: PulledImage) => {
      const name = familiarName(image.name);
      this.#tell(caller, "pull", { id: name, name: withoutTag(name) });
      onPulled(image);
    };
    const { platform, ...access } = others;
    const job = { kind: "pull", name: reference, all, platform } as const;
    await this.#run(caller, { ...job, ...registryAccess(access, caller) }, others, (event) => {
      if (event.kind === "pulled") tell(event.image);
    });
  }

  async push(reference: string, caller: Caller, options: PushOptions): Promise<void> {
    const { all = false, onPushed, ...others } = options;
    const tell = (image: PushedImage) => {
      const name = familiarName(image.name);
      this.#tell(caller, "push", { id: name, name: withoutTag(name) });
      onPushed(image);
    };
    const job = { kind: "push", name: reference, all } as const;
    await this.#run(caller, { ...job, ...registryAccess(others, caller) }, others, (event) => {
      if (event.kind === "pushed") tell(event.image);
    });
  }

  async tag(id: string, caller: Caller, name: string): Promise<void> {
    const tagged = await this.#of(caller).tag(id, name);
    this.#tell(caller, "tag", { id: tagged.id, name: familiarName(tagged.name) });
  }

  async remove(
    reference: string,
    caller: Caller,
    { force }: { readonly force: boolean },
  ): Promise<RemovedImages> {
    const removed = await this.#of(caller).remove(reference, { force, ...this.#counting(caller) });
    this.#tellRemoved(caller, removed);
    return removed;
  }

  async save(
    references: readonly string[],
    caller: Caller,
    signal: AbortSignal,
  ): Promise<Readable> {
    const images = this.#of(caller);
    const output = new PassThrough();
    // what cannot be found is an answer of its own
    for (const reference of references) await images.find(reference);
    images.save(references, output, signal).then(
      (ids) => {
        for (const id of ids) this.#tell(caller, "save", { id });
        output.end();
      },
      (error: Error) => output.destroy(error),
    );
    return output;
  }

  async load(tar: Readable, caller: Caller, options: LoadOptions): Promise<readonly LoadedName[]> {
    const { platform, signal } = options;
    await using spool = await this.#of(caller).spool(tar, signal);
    const loaded: LoadedName[] = [];
    const job = { kind: "load", path: spool.path, platform } as const;
    await this.#run(caller, job, options, (event) => {
      if (event.kind === "loaded") loaded.push(event.image);
    });
    for (const id of new Set(loaded.map((each) => each.id))) this.#tell(caller, "load", { id });
    return loaded;
  }

  async import(tar: Readable, caller: Caller, options: ImportOptions): Promise<string> {
    const { signal, ...about } = options;
    await using spool = await this.#of(caller).spool(tar, signal);
    let id = "";
    const job = { kind: "import", path: spool.path, ...about } as const;
    await this.#run(caller, job, { signal, onProgress: () => {} }, (event) => {
      if (event.kind === "loaded") ({ id } = event.image);
    });
    this.#tell(caller, "import", { id });
    if (options.name !== undefined) this.tellNamed(caller, id, options.name);
    return id;
  }

  async prune(ids: readonly string[], caller: Caller): Promise<RemovedImages> {
    const chosen = new Set(ids);
    const accepts = (id: string) => chosen.has(id);
    const removed = await this.#of(caller).prune({
      all: true,
      accepts,
      ...this.#counting(caller),
    });
    this.#tellRemoved(caller, removed);
    this.#tell(caller, "prune", { id: "", reclaimed: removed.reclaimed });
    return removed;
  }

  usage(caller: Caller): Promise<ImageUsage> {
    return this.#of(caller).diskUsage();
  }

  login(host: string, auth: RegistryAuth, insecure: readonly string[]): Promise<void> {
    return this.#options.images.login(host, credentialsOf(auth), insecure);
  }

  /** How registries are reached, as the daemon's settings say. */
  async registries(): Promise<DaemonInfo["registries"]> {
    const { insecure, mirrors } = await this.#options.images.registrySettings();
    const urls = mirrors.get("docker.io") ?? [];
    return { insecure, mirrors: urls.map(({ href }) => href) };
  }

  /** That an image has got a name. */
  tellNamed(caller: Caller, id: string, name: string): void {
    this.#tell(caller, "tag", { id, name: familiarName(name) });
  }

  #run(
    { uid }: Caller,
    job: ImageJob,
    { onProgress, signal }: Pick<TransferOptions, "onProgress" | "signal">,
    onEvent: (event: JobEvent) => void,
  ): Promise<void> {
    return this.#options.runJob(uid, job, {
      signal,
      onEvent: (event) => {
        if (event.kind === "progress") onProgress(event.progress);
        else onEvent(event);
      },
    });
  }

  #of({ uid }: Caller): ImageEngine {
    return this.#options.images.for(uid);
  }

  /** Another user's containers do not keep a name. */
  #counting(caller: Caller) {
    if (mayTouch(caller, undefined)) return {};
    const theirs = this.#options.containersOf(caller);
    return { counts: (id: string) => theirs.has(id) };
  }

  #tellRemoved(caller: Caller, { changes }: RemovedImages): void {
    for (const { id, action } of changes) this.#tell(caller, action, { id });
  }

  /** Docker's attributes: a name where one is meant, else the id once more (moby daemon/images/image_events.go). */
  #tell(
    { uid: owner }: Caller,
    action: string,
    about: { readonly id: string; readonly name?: string; readonly reclaimed?: number },
  ): void {
    const { id, name = id, reclaimed } = about;
    const attributes = reclaimed === undefined ? { name } : { reclaimed: String(reclaimed) };
    this.#options.events.emit({ type: "image", action, id, attributes, owner });
  }
}

/** The daemon's own credentials are for its own user; Docker's clients that have none send empty ones. */
function registryAccess(
  { auth = {}, insecure = [] }: Pick<TransferOptions, "auth" | "insecure">,
  caller: Caller,
) {
  const isEmpty = auth.username === undefined && auth.identityToken === undefined;
  if (!isEmpty) return { insecure, credentials: credentialsOf(auth) };
  return { insecure, ...(mayTouch(caller, undefined) ? {} : { credentials: "none" as const }) };
}

function credentialsOf({ username = "", password = "", identityToken }: RegistryAuth) {
  return identityToken === undefined
    ? { username, password }
    : { username, password, identityToken };
}

function withoutTag(name: string): string {
  return name.replace(/@.*$/s, "").replace(/:[^/:]*$/, "");
}
