/** Templates of QEMU's machines: found, or made by booting a machine of the shape and saving it. */

import { createWriteStream } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { setPriority } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Accelerator, MachineConfig, SaveTemplateOptions } from "../hypervisor.ts";
import { BACKGROUND, MachineTemplates } from "../template/machine-templates.ts";
import { type TemplateKey, templateKey } from "../template/template-key.ts";
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

export class QemuTemplates extends MachineTemplates {
  readonly #options: QemuTemplatesOptions;

  constructor(options: QemuTemplatesOptions) {
    const { folder, accelerator } = options;
    const keyOf = (shape: MachineConfig) => qemuTemplateKey(shape, options);
    super({ folder, about: accelerator, keyOf });
    this.#options = options;
  }

  /** @param boot takes a machine up to the agent's first byte @returns whether there is one now */
  make(
    config: MachineConfig,
    boot: (spawn: () => Promise<QemuProcess>) => Promise<QemuMachine>,
    options: Pick<SaveTemplateOptions, "background">,
  ): Promise<boolean> {
    return this.save(config, options, {
      boot: async (shape, { memory, folder }) => {
        await writeFile(memory, "", { mode: 0o600 });
        const further = [folder, shape.runDirectory];
        return boot(async () => {
          const process = await this.#spawn(shape, memory, further);
          if (options.background) setPriority(process.pid, BACKGROUND);
          return process;
        });
      },
      // the path of a socket has at most 107 bytes (unix(7)), and a store may be anywhere
      save: async (machine, { memory, state }, { runDirectory }) => {
        await saveState(machine, state, join(runDirectory, "state"));
        // a clone's QEMU, which has no capabilities, cannot open it for writing then, whoever's it is
        await chmod(memory, 0o400);
      },
    });
  }

  async #spawn(
    shape: MachineConfig,
    memory: string,
    folders: readonly string[],
  ): Promise<QemuProcess> {
    const { accelerator, binary } = this.#options;
    const further = folders.map((path) => ({ path, access: "write" }) as const);
    return QemuProcess.spawn(await binary(), templateArguments(shape, memory, this.#options), {
      entries: jailEntries({ config: shape, accelerator, further }),
      taps: templateTaps(shape),
    });
  }
}

async function qemuTemplateKey(
  shape: MachineConfig,
  options: QemuTemplatesOptions,
): Promise<TemplateKey> {
  const files = [await options.binary(), shape.kernel, shape.initramfs];
  const args = templateArguments(shape, "memory", options);
  return templateKey({ args, files, accelerator: options.accelerator });
}

function templateArguments(
  shape: MachineConfig,
  memory: string,
  { accelerator, tscKhz }: Pick<QemuTemplatesOptions, "accelerator" | "tscKhz">,
): string[] {
  return qemuArguments({
    config: shape,
    accelerator,
    ...(tscKhz !== undefined && { tscKhz }),
    template: { kind: "save", memory },
  });
}

/** A sandboxed QEMU starts no program that would take the state, but may connect to a socket. */
async function saveState(machine: QemuMachine, state: string, socket: string): Promise<void> {
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
