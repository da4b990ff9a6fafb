/**
 * The containers on disk: `containers/ID/container.json` beside each one's disks, and `names/NAME`, which holds
 * the id and makes names unique among processes, since linking it succeeds once. Names of other users' containers are
 * in `names-of/UID/NAME`: nobody's names are in another's way.
 */

import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { makeContainerName, NAME_PATTERN, shortId } from "./container-name.ts";
import { type ContainerRecord, RECORD_VERSION } from "./container-record.ts";
import { engineError, storageFailure } from "./errors.ts";
import { makePrivateFolder } from "./paths.ts";

const ID_PATTERN = /^[0-9a-f]{64}$/;
/** Tries to make up a name that is free. */
const NAME_ATTEMPTS = 20;

export class ContainerStore {
  readonly #containers: string;
  readonly #names: string;
  readonly #namesOf: string;

  constructor(dataRoot: string) {
    this.#containers = join(dataRoot, "containers");
    this.#names = join(dataRoot, "names");
    this.#namesOf = join(dataRoot, "names-of");
  }

  /** The folder of a container's own files. */
  folder(id: string): string {
    return join(this.#containers, id);
  }

  /**
   * Makes the container's folder and takes its name, or makes one up.
   *
   * @param owner uid whose it is; absent: the engine's own user's
   * @returns the name
   * @throws DvmError `NAME_TAKEN`
   */
  reserve(id: string, wanted: string | undefined, owner?: number): string {
    makePrivateFolder(this.#containers);
    try {
      mkdirSync(this.folder(id), { mode: 0o700 });
      return this.#takeName(id, wanted, owner);
    } catch (error) {
      rmSync(this.folder(id), { recursive: true, force: true });
      throw storageFailure(error, this.#containers);
    }
  }

  /** Gives the container another name. @throws DvmError `NAME_TAKEN` */
  rename({ id, name: oldName, owner }: ContainerRecord, name: string): void {
    if (!NAME_PATTERN.test(name)) {
      throw engineError(
        "CONFIG_INVALID",
        `invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
      );
    }
    this.#takeName(id, name, owner);
    if (oldName !== name) rmSync(join(this.#folderOfNames(owner), oldName), { force: true });
  }

  /** Folders that hold no container: it was being made, or removed, when its engine was killed. */
  orphans(): string[] {
    return this.ids().filter((id) => readIfThere(this.#recordPath(id)) === undefined);
  }

  /** Writes the record; a reader sees the old one or the new one. */
  write(record: ContainerRecord): void {
    const path = this.#recordPath(record.id);
    const draft = `${path}.new`;
    try {
      writeFileSync(draft, `${JSON.stringify(record)}\n`, { mode: 0o600 });
      renameSync(draft, path);
    } catch (error) {
      rmSync(draft, { force: true });
      throw storageFailure(error, this.#containers);
    }
  }

  /** The record, or nothing when there is none. @throws DvmError `STATE_CORRUPT` */
  read(id: string): ContainerRecord | undefined {
    const text = readIfThere(this.#recordPath(id));
    if (text === undefined) return undefined;
    return parseRecord(text, id);
  }

  /**
   * The id that a name of the engine's own user's, an id, or the unique start of an id stands for.
   *
   * @throws DvmError `NO_SUCH_CONTAINER`
   */
  resolve(reference: string): string {
    const ids = this.ids();
    if (ids.includes(reference)) return reference;
    const named = NAME_PATTERN.test(reference) ? this.#idOfName(this.#names, reference) : undefined;
    if (named !== undefined) return named;
    const matches = reference === "" ? [] : ids.filter((id) => id.startsWith(reference));
    const [only] = matches;
    if (only === undefined) {
      throw engineError("NO_SUCH_CONTAINER", `no such container: ${reference}`);
    }
    if (matches.length > 1) {
      throw engineError(
        "NO_SUCH_CONTAINER",
        `multiple IDs found with provided prefix: ${reference}`,
      );
    }
    return only;
  }

  /** Removes the container's folder and gives its name back. */
  remove(id: string): void {
    const others = listFolder(this.#namesOf).map((uid) => join(this.#namesOf, uid));
    for (const names of [this.#names, ...others]) {
      for (const name of namesOf(names, id)) rmSync(join(names, name), { force: true });
    }
    rmSync(this.folder(id), { recursive: true, force: true });
  }

  #folderOfNames(owner: number | undefined): string {
    const isOwn = owner === undefined || owner === process.getuid?.();
    return isOwn ? this.#names : join(this.#namesOf, `${owner}`);
  }

  #takeName(id: string, wanted: string | undefined, owner: number | undefined): string {
    const names = this.#folderOfNames(owner);
    makePrivateFolder(names);
    const draft = join(this.folder(id), "id");
    writeFileSync(draft, id, { mode: 0o600 });
    for (let attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
      const name = wanted ?? makeContainerName(attempt);
      if (isLinked(draft, join(names, name))) return name;
      const holder = this.#idOfName(names, name);
      // its container is gone, or the name was given back just now
      if (holder === undefined) rmSync(join(names, name), { force: true });
      else if (wanted !== undefined) throw nameTaken(name, holder);
    }
    throw engineError("NAME_TAKEN", `no free name in ${NAME_ATTEMPTS} attempts`);
  }

  #idOfName(names: string, name: string): string | undefined {
    const id = readIfThere(join(names, name));
    if (id === undefined || !ID_PATTERN.test(id)) return undefined;
    return this.ids().includes(id) ? id : undefined;
  }

  /** Of all containers, those too whose records cannot be read. */
  ids(): string[] {
    return listFolder(this.#containers).filter((name) => ID_PATTERN.test(name));
  }

  #recordPath(id: string): string {
    return join(this.folder(id), "container.json");
  }
}

function isLinked(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function namesOf(folder: string, id: string): string[] {
  return listFolder(folder).filter((name) => readIfThere(join(folder, name)) === id);
}

function nameTaken(name: string, holder: string): Error {
  return engineError(
    "NAME_TAKEN",
    `conflict. The container name "/${name}" is already in use by container "${holder}"`,
  );
}

/** The file was written by dvm itself; what is checked is that it is whole and of this version. */
function parseRecord(text: string, id: string): ContainerRecord {
  let value: Partial<ContainerRecord> | null;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw engineError("STATE_CORRUPT", `state of container ${shortId(id)} is damaged`, { cause });
  }
  if (value?.version !== RECORD_VERSION) {
    throw engineError(
      "STATE_CORRUPT",
      `state of container ${shortId(id)} has version ${value?.version}, wanted ${RECORD_VERSION}`,
    );
  }
  if (value.id !== id || !value.state || !value.config || !value.image || !value.name) {
    throw engineError("STATE_CORRUPT", `state of container ${shortId(id)} is incomplete`);
  }
  return value as ContainerRecord;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
