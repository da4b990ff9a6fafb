/** Plain namespaces: util-linux's unshare over the unpacked image, and nothing else. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Arm, CommandLine } from "./arm.ts";
import { makeDevices, unpackBundle } from "./bundle.ts";
import { missingProgram, notRoot } from "./refusals.ts";

export const unshare: Arm = {
  name: "unshare",
  title: "plain namespaces",
  isolation: "namespaces",
  images: "unpacked",
  how: "env -i unshare -muinpf --root=ROOTFS --mount-proc COMMAND over the image as umoci unpacks it; with a network: the host's",
  refusal: async () => (await missingProgram("unshare", "umoci")) ?? notRoot(),
  async open({ image, folder }) {
    const bundle = await unpackBundle(image, folder);
    await makeDevices(bundle);
    const root = join(bundle, "rootfs");
    return {
      run: async ({ words, network }) => {
        const spaces = network === "usual" ? "-muipf" : "-muinpf";
        const args = [spaces, "--kill-child", `--root=${root}`, "--mount-proc", "--", ...words];
        // the caller's environment is none of the container's, as with every other arm
        return { command: "env", args: ["-i", ENVIRONMENT, "unshare", ...args] };
      },
      exec: async (_name, words, pid) => enter(await onlyChild(pid), words),
      [Symbol.asyncDispose]: async () => {},
    };
  },
  pull: (reference, folder) => pullBundle(reference, folder),
};

/** What makes a bundle of an image in a registry. */
function pullBundle(reference: string, folder: string): readonly CommandLine[] {
  const copy = [
    "copy",
    "--quiet",
    "--src-tls-verify=false",
    `docker://${reference}`,
    `oci:${folder}/layout:latest`,
  ];
  const unpack = ["unpack", "--image", `${folder}/layout:latest`, `${folder}/bundle`];
  return [
    { command: "skopeo", args: copy },
    { command: "umoci", args: unpack },
  ];
}

const ENVIRONMENT = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** One by one: a letter behind another would be the name of its file. */
const SPACES = ["-m", "-u", "-i", "-n", "-p", "-r"];

function enter(pid: number, words: readonly string[]): CommandLine {
  return { command: "nsenter", args: [`--target=${pid}`, ...SPACES, "--", ...words] };
}

/** unshare -f waits for the process that it forked into the namespaces. */
async function onlyChild(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim());
}
