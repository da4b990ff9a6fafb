/** One way to run a container: plain namespaces, an engine, or dvm with one of its backends. */

import type { MachineSource } from "./machine-source.ts";

/** A program and its arguments. */
export interface CommandLine {
  readonly command: string;
  readonly args: readonly string[];
  /** variables beside those of the bench's own environment */
  readonly variables?: Readonly<Record<string, string>>;
}

export interface Arm {
  /** what results and the command line call it, such as `dvm-qemu-tcg` */
  readonly name: string;
  /** what the page calls it */
  readonly title: string;
  /** what isolates a container from the host */
  readonly isolation: "namespaces" | "vm";
  /** whether it runs an image as its layers, or a folder that the image was unpacked to beforehand */
  readonly images: "layers" | "unpacked";
  /** how a container is started by it, one sentence */
  readonly how: string;
  /** Looks whether it can run here. @returns why not, or undefined */
  readonly refusal: () => Promise<string | undefined>;
  /** Makes an image ready to be run by it. */
  readonly open: (options: OpenOptions) => Promise<OpenArm>;
  /** Pulls an image from a registry into an empty store in `folder`; absent: it has no images */
  readonly pull?: (reference: string, folder: string) => readonly CommandLine[];
  /** Ends what `pull` has left running or mounted in a folder; absent: nothing. */
  readonly leave?: (folder: string) => Promise<void>;
}

export interface OpenOptions {
  /** path of an OCI image layout, with its tag: `FOLDER:TAG` */
  readonly image: string;
  /** empty folder of its own; its path stands in the command line of each process that belongs to a container */
  readonly folder: string;
  /** where the machines of its containers come from; absent: namespaces, which have none, or clones */
  readonly source?: MachineSource;
}

export interface ContainerOptions {
  /** unique among the containers of the bench */
  readonly name: string;
  readonly words: readonly string[];
  /** `none` unless the scenario needs one; `usual` is what the arm gives a container that asks for nothing */
  readonly network?: "none" | "usual";
  /** whether it can be written to */
  readonly interactive?: boolean;
  /** whether the command line ends once the container runs, where the arm has `remove` */
  readonly detached?: boolean;
  /** whether what it writes and syncs has to reach the disk, as in a container that is kept */
  readonly durable?: boolean;
  /** CPUs that a virtual machine gets; namespaces see all of the host's */
  readonly cpus?: number;
  /** memory that a virtual machine gets, in `MiB` */
  readonly memoryMiB?: number;
}

/** An arm with an image. */
export interface OpenArm extends AsyncDisposable {
  /** Command line that runs a new container, is its end's exit code, and passes its streams through. */
  readonly run: (options: ContainerOptions) => Promise<CommandLine>;
  /** Command line of a further process in a running container. @param pid the host's process that `run` became */
  readonly exec: (name: string, words: readonly string[], pid: number) => Promise<CommandLine>;
  /** Command line that ends and removes a detached container; absent: it has no engine that would hold one. */
  readonly remove?: (name: string) => CommandLine;
  /** Waits until the next container can have a machine that was kept ready; absent: there is nothing to wait for. */
  readonly settle?: () => Promise<void>;
  /** Processes of a container, and of its engine, beside those whose command line holds the arm's folder: none as a rule. */
  readonly furtherProcesses?: (name: string) => Promise<readonly number[]>;
}

/** What an arm lacks, which the page says in place of a figure. */
export class Lacking extends Error {}
