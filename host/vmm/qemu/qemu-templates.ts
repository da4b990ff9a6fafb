/** Templates of QEMU's machines: found, or made by booting a machine of the shape and saving it. */

import { createWriteStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout } from "node:timers/promises";
import type {
  Accelerator,
  MachineConfig,
  SaveTemplateOptions,
  TemplateUse,
} from "../hypervisor.ts";
import { shapeOf } from "../template/machine-shape.ts";
import { type TemplateKey, templateKey } from "../template/template-key.ts";
import {
  type Template,
  TemplateDamaged,
  TemplateStore,
  type UnfinishedTemplate,
} from "../template/template-store.ts";
import { jailEntries } from "./jail-entries.ts";
import { qemuArguments } from "./qemu-arguments.ts";
import type { QemuMachine } from "./qemu-machine.ts";
import { QemuProcess } from "./qemu-process.ts";
import { templateTaps } from "./template-arguments.ts";

export interface QemuTemplatesOptions {
  /** where they are kept */
  readonly folder: string;
  readonly accelerator: Accelerator;
  readonly tscKhz?: number;
  /** finds QEMU */
  readonly binary: () => Promise<string>;
}

/** From the agent's first byte until the guest has nothing to do, in `milliseconds`; else clones would do it first. */
const SETTLE = 200;

export class QemuTemplates {
  readonly #options: QemuTemplatesOptions;
  readonly #store: TemplateStore;

  constructor(options: QemuTemplatesOptions) {
    this.#options = options;
    this.#store = new TemplateStore(options.folder);
  }

  /** @param onUse hears what there is, unless the machine's shape can have no template */
  async find(
    config: MachineConfig,
    onUse: (use: Exclude<TemplateUse, { kind: "cloned" }>) => void,
  ): Promise<Template | undefined> {
    const shape = shapeOf(config);
    if (shape === undefined) return undefined;
    try {
      const { key } = await this.#key(shape);
      const template = await this.#store.open(key);
      if (template === undefined) onUse({ kind: "missing" });
      return template;
    } catch (error) {
      // whatever it is, the boot does without, or says it better
      onUse({ kind: "unusable", reason: (error as Error).message });
      if (error instanceof TemplateDamaged) await this.#forget(shape);
      return undefined;
    }
  }

  /** Names the template that the machine would be a clone of. @returns nothing for a shape that can have none */
  async keyOf(config: MachineConfig): Promise<string | undefined> {
    const shape = shapeOf(config);
    return shape && (await this.#key(shape)).key;
  }

  /** One that proved to be of no use goes. */
  async reject(config: MachineConfig): Promise<void> {
    const shape = shapeOf(config);
    if (shape !== undefined) await this.#forget(shape);
  }

  /** @param boot takes a machine up to the agent's first byte @returns whether there is one now */
  async save(
    config: MachineConfig,
    boot: (spawn: () => Promise<QemuProcess>) => Promise<QemuMachine>,
    { background = false }: Pick<SaveTemplateOptions, "background">,
  ): Promise<boolean> {
    const shape = shapeOf(config);
    if (shape === undefined) return false;
    const about = `${this.#options.accelerator}, ${shape.memoryMiB} MiB, ${shape.vcpus} vCPU, ${shape.disks.length} disks, ${shape.networks.length} cards`;
    const key = await this.#key(shape);
    if (background && (await this.#isThere(key))) return true;
    await this.#store.save(key, { about }, async (unfinished) => {
      await writeFile(unfinished.memory, "", { mode: 0o600 });
      // the path of a socket has at most 107 bytes (unix(7)), and a store may be anywhere
      await using sockets = await temporaryFolder();
      const further = [unfinished.folder, sockets.path].map(
        (path) => ({ path, access: "write" }) as const,
      );
      await using machine = await boot(async () => {
        const args = this.#arguments(shape, unfinished.memory);
        const process = await QemuProcess.spawn(await this.#options.binary(), args, {
          entries: jailEntries({ config: shape, accelerator: this.#options.accelerator, further }),
          taps: templateTaps(shape),
        });
        if (background) setPriority(process.pid, 19);
        return process;
      });
      await setTimeout(SETTLE);
      await saveState(machine, unfinished, join(sockets.path, "state"));
    });
    return true;
  }

  /** Others may have made it meanwhile. */
  async #isThere({ key }: TemplateKey): Promise<boolean> {
    try {
      using template = await this.#store.open(key);
      return template !== undefined;
    } catch (error) {
      if (error instanceof TemplateDamaged) return false;
      throw error;
    }
  }

  #arguments(shape: MachineConfig, memory: string): string[] {
    const { accelerator, tscKhz } = this.#options;
    return qemuArguments({
      config: shape,
      accelerator,
      ...(tscKhz !== undefined && { tscKhz }),
      template: { kind: "save", memory },
    });
  }

  async #key(shape: MachineConfig): Promise<TemplateKey> {
    const { accelerator } = this.#options;
    const files = [await this.#options.binary(), shape.kernel, shape.initramfs];
    return templateKey({ args: this.#arguments(shape, "memory"), files, accelerator });
  }

  async #forget(shape: MachineConfig): Promise<void> {
    const { key } = await this.#key(shape);
    await this.#store.remove(key);
  }
}

async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "dvm-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

/** A sandboxed QEMU starts no program that would take the state, but may connect to a socket. */
async function saveState(
  machine: QemuMachine,
  { state }: UnfinishedTemplate,
  socket: string,
): Promise<void> {
  const written = Promise.withResolvers<void>();
  const server = createServer((connection) => {
    pipeline(connection, createWriteStream(state, { mode: 0o600 })).then(
      written.resolve,
      written.reject,
    );
  });
  try {
    const listening = Promise.withResolvers<void>();
    server.once("error", listening.reject);
    server.listen(socket, listening.resolve);
    await listening.promise;
    await machine.saveState(socket);
    await written.promise;
  } finally {
    server.close();
  }
}
