/** runc and crun: the runtimes under the engines, run by hand on a bundle of umoci's. */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { spawned } from "../measure/spawned.ts";
import type { Arm, ContainerOptions } from "./arm.ts";
import { unpackBundle } from "./bundle.ts";
import { missingProgram, notRoot } from "./refusals.ts";

/** Parts of the runtime-spec's config.json that are changed (runtime-spec 1.0, config.md). */
interface RuntimeConfig {
  readonly process: Readonly<Record<string, unknown>>;
  readonly linux: { readonly namespaces: readonly { readonly type: string }[] };
  readonly root: Readonly<Record<string, unknown>>;
}

export function ociRuntime(program: "runc" | "crun"): Arm {
  return {
    name: program,
    title: program,
    isolation: "namespaces",
    images: "unpacked",
    how: `${program} run over a bundle of umoci's, without a terminal; with a network: the host's`,
    refusal: async () => (await missingProgram(program, "umoci")) ?? notRoot() ?? tryOut(program),
    async open({ image, folder }) {
      const bundle = await unpackBundle(image, folder);
      const config: RuntimeConfig = JSON.parse(await readFile(join(bundle, "config.json"), "utf8"));
      const state = ["--root", join(folder, "state")];
      return {
        run: async (options) => {
          const own = join(folder, options.name);
          await mkdir(own);
          await writeFile(
            join(own, "config.json"),
            JSON.stringify(configure(config, bundle, options)),
          );
          return { command: program, args: [...state, "run", "--bundle", own, options.name] };
        },
        exec: async (name, words) => ({
          command: program,
          args: [...state, "exec", name, ...words],
        }),
        [Symbol.asyncDispose]: async () => {},
      };
    },
  };
}

function configure(
  { process, linux, root, ...rest }: RuntimeConfig,
  bundle: string,
  { words, network = "none" }: ContainerOptions,
): unknown {
  const keep = linux.namespaces.filter(({ type }) => network === "none" || type !== "network");
  return {
    ...rest,
    process: { ...process, terminal: false, args: words },
    root: { ...root, path: join(bundle, "rootfs"), readonly: false },
    linux: { ...linux, namespaces: keep },
  };
}

/** A runtime that does not know this machine's control groups says so at once. */
async function tryOut(program: string): Promise<string | undefined> {
  try {
    await spawned({ command: program, args: ["--version"] });
    return undefined;
  } catch (error) {
    return `${program} --version: ${error instanceof Error ? error.message : error}`;
  }
}
