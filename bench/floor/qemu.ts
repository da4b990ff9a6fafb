/** QEMU with the arguments of dvm's own backend, run by hand: the baseline beneath dvm's own work. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import type { Accelerator, DiskConfig, MachineConfig } from "../../host/vmm/hypervisor.ts";
import { AGENT_FD, qemuArguments } from "../../host/vmm/qemu/qemu-arguments.ts";
import { KERNEL } from "../paths.ts";

export interface BareQemuOptions {
  readonly initramfs: string;
  /** guest memory, in `MiB` */
  readonly memoryMiB: number;
  readonly accelerator: Accelerator;
  /** frequency of the host's time stamp counter, in `kHz`, where known: what dvm would pass */
  readonly tscKhz?: number;
  /** a TCG plugin that counts instructions; the clock then runs by them */
  readonly counter?: string;
  readonly disks?: readonly DiskConfig[];
  /** further words for QEMU */
  readonly more?: readonly string[];
  /** program that starts QEMU, with its own words, such as a tracer */
  readonly through?: readonly string[];
}

export interface BareQemu {
  /** stream to the agent's port */
  readonly agent: Duplex;
  readonly pid: number;
  /** settles when QEMU has ended, with what it wrote on stderr */
  readonly end: Promise<string>;
  kill(): void;
}

export function startBareQemu(options: BareQemuOptions): BareQemu {
  const config: MachineConfig = {
    id: "bench",
    kernel: KERNEL,
    initramfs: options.initramfs,
    commandLine: ["quiet"],
    memoryMiB: options.memoryMiB,
    vcpus: 1,
    disks: options.disks ?? [],
    networks: [],
    shares: [],
    runDirectory: "/nonexistent",
  };
  const { accelerator, tscKhz } = options;
  const args = qemuArguments({ config, accelerator, ...(tscKhz && { tscKhz }) });
  const { through = [], more = [], counter } = options;
  const [program = "", ...rest] = [
    ...through,
    "qemu-system-x86_64",
    ...counted(args, counter),
    ...more,
  ];
  const child = spawn(program, rest, {
    stdio: ["ignore", "ignore", "pipe", "pipe", "pipe", "pipe"],
  });
  const errors: Buffer[] = [];
  child.stderr?.on("data", (chunk: Buffer) => errors.push(chunk));
  // the streams beyond the standard three are sockets, which the types of `spawn` do not know
  const sockets = child.stdio.slice(3) as unknown as readonly Duplex[];
  for (const socket of sockets) socket.on("error", () => {});
  const agent = sockets[AGENT_FD - 3];
  if (agent === undefined) throw new Error("no socket for the agent's port");
  for (const socket of sockets) if (socket !== agent) socket.resume();
  const end = once(child, "close").then(() => Buffer.concat(errors).toString());
  return {
    agent,
    pid: child.pid ?? -1,
    end,
    kill: () => child.kill("SIGKILL"),
  };
}

/** At shift 6 an instruction takes 64 ns of the guest's time; at shift 0 the kernel's timed waits count as work. */
function counted(args: readonly string[], counter: string | undefined): readonly string[] {
  if (counter === undefined) return args;
  const singleThread = args.map((word) => word.replace("thread=multi", "thread=single"));
  return [...singleThread, "-plugin", counter, "-icount", "shift=6"];
}
