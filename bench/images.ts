/**
 * Images: a pull from a registry on loopback to a root disk that is ready to boot, beside the raw decompression of
 * the same layers by libdeflate on the same cores, with the steps between the two one by one, and beside `skopeo copy`
 * with `umoci unpack`. Then its memory, what a second image costs that shares three of its four layers, and 40 layers
 * against one.
 *
 * usage: node bench/images.ts [RUNS]
 */

import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startRegistry } from "../host/image/test-support/real-registry.ts";
import { type OwnDaemon, openOwnDaemon } from "./engine/own-daemon.ts";
import { describeEnvironment } from "./environment.ts";
import { layerFiles, MANY, makeLayout } from "./image-scenes/four-layers.ts";
import { runCommand } from "./measure/command.ts";
import { interleave } from "./measure/interleave.ts";
import { peakOfChildren } from "./measure/peak-memory.ts";
import { summarise } from "./measure/summary.ts";
import { DVM } from "./paths.ts";
import { report } from "./report.ts";

const runs = Number(process.argv[2] ?? 10);
const folder = await mkdtemp(join(tmpdir(), "dvm-bench-"));
try {
  const environment = await describeEnvironment();
  const layout = await makeLayout(folder);
  await using registry = await startRegistry(join(folder, "registry"));
  const name = (tag: string): string => `${registry.host}/bench:${tag}`;
  for (const tag of ["four", "sibling", "one", "many"])
    await runCommand("skopeo", [
      "copy",
      "--dest-tls-verify=false",
      `oci:${layout}:${tag}`,
      `docker://${name(tag)}`,
    ]);
  const layers = await layerFiles(layout, "four");

  const libdeflate = {
    name: `libdeflate-gzip -dc of the layers, ${availableParallelism()} at once`,
    once: async () =>
      (
        await runCommand("sh", [
          "-c",
          `printf '%s\\n' "$@" | xargs -P ${availableParallelism()} -I{} sh -c 'libdeflate-gzip -dc < {} > /dev/null'`,
          "sh",
          ...layers,
        ])
      ).milliseconds,
  };
  const rung = (mode: string, what: string) => ({
    name: `ISA-L${what}, a thread a core`,
    once: () =>
      inFresh(folder, async (root) => {
        const program = new URL("./image-scenes/rung.ts", import.meta.url);
        const args = ["--no-warnings", fileURLToPath(program), mode, root, ...layers];
        return Number((await runCommand(process.execPath, args)).stdout);
      }),
  });
  const rungs = [
    rung("inflate", ""),
    rung("hash", ", SHA-256 of blob and stream"),
    rung("write", ", both digests, the stream into a file"),
    rung("direct", ", both digests, the stream past the page cache into a file"),
  ];
  const pull = {
    name: "dvm pull to a root disk",
    once: () =>
      withDaemon(folder, async ({ dvm }) => {
        const { command, args } = dvm("pull", "-q", name("four"));
        return (await runCommand(command, args)).milliseconds;
      }),
  };
  const unpack = {
    name: "skopeo copy and umoci unpack",
    once: () =>
      inFresh(folder, async (root) => {
        const copy = await runCommand("skopeo", [
          "copy",
          "--src-tls-verify=false",
          `docker://${name("four")}`,
          `oci:${root}/copy:x`,
        ]);
        const bundle = await runCommand("umoci", [
          "unpack",
          "--image",
          `${root}/copy:x`,
          `${root}/bundle`,
        ]);
        return copy.milliseconds + bundle.milliseconds;
      }),
  };
  await report("images-libdeflate", {
    environment,
    unit: "ms",
    ...(await interleave([libdeflate, ...rungs, pull], runs)),
  });
  await report("images-umoci", {
    environment,
    unit: "ms",
    ...(await interleave([unpack, pull], Math.ceil(runs / 2))),
  });

  const memory: number[] = [];
  for (let n = 0; n < runs; n++)
    memory.push(
      await withDaemon(folder, ({ dvm, pid }) => {
        const { command, args } = dvm("pull", "-q", name("four"));
        return peakOfChildren(pid, () => runCommand(command, args));
      }),
    );
  const arms = [
    { name: "the process that pulls, peak resident memory", summary: summarise(memory) },
  ];
  await report("images-memory", { environment, unit: "MiB", arms, ratios: [] });

  await withDaemon(folder, async ({ dvm, dataRoot }) => {
    const usage = async (): Promise<number> => {
      const words = ["-sB1", join(dataRoot, "images"), "--apparent-size"];
      return Number((await runCommand("du", words)).stdout.split("\t")[0]);
    };
    const pullOf = (tag: string) => {
      const { command, args } = dvm("pull", "-q", name(tag));
      return runCommand(command, args);
    };
    await pullOf("four");
    const before = await usage();
    const { milliseconds } = await pullOf("sibling");
    process.stdout.write(
      `first image ${before} bytes on disk; a second one with three of its layers and 1000000 bytes of its own: ${(await usage()) - before} more, ${milliseconds.toFixed(0)} ms\n`,
    );
  });

  const root = join(folder, "starts");
  const start = (tag: string) => ({
    name: `dvm run of the image of ${tag === "one" ? 1 : MANY} layers`,
    once: async () =>
      (await runCommand(DVM, ["--data-root", root, "run", "--rm", name(tag), "true"])).milliseconds,
  });
  await report("images-layers", {
    environment,
    unit: "ms",
    ...(await interleave([start("one"), start("many")], runs)),
  });
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** A daemon with nothing in its data root, which has started already: a user's has. */
function withDaemon<T>(
  parent: string,
  work: (daemon: OwnDaemon & { readonly dataRoot: string }) => Promise<T>,
): Promise<T> {
  return inFresh(parent, async (root) => {
    await using daemon = await openOwnDaemon(root);
    return await work({ ...daemon, dataRoot: join(root, "data") });
  });
}

async function inFresh<T>(parent: string, work: (root: string) => Promise<T>): Promise<T> {
  const root = await mkdtemp(join(parent, "root-"));
  try {
    return await work(root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
