/** A machine for a container, booted, with its agent ready and told what every machine must know. */

import { randomBytes } from "node:crypto";
import type { RequestType } from "#protocol";
import { type AgentClient, connectAgent } from "../agent/agent-client.ts";
import { DvmError } from "../errors.ts";
import type { PreparedNetwork } from "../network/prepared-network.ts";
import type { Extent } from "../rootfs/extent.ts";
import type { Hypervisor, Machine, MachineConfig, MachineStage } from "../vmm/hypervisor.ts";
import type { Artifacts } from "./artifacts.ts";
import { shortId } from "./container-name.ts";
import { IMAGE_SERIAL, UPPER_SERIAL } from "./container-spec.ts";
import { withDeadline } from "./deadline.ts";
import { type EventSink, inPhase, type Phase } from "./engine-event.ts";
import { engineError } from "./errors.ts";
import { kernelCommandLine, type MachineShape } from "./machine-shape.ts";

/** How long the guest may take for each step, in `milliseconds`. */
export interface GuestDeadlines {
  /** until the agent's port is open; absent: the backend's own */
  readonly boot?: number;
  readonly hello: number;
  readonly configure: number;
  /** making a container and starting its process */
  readonly container: number;
  /** ending all and unmounting */
  readonly shutdown: number;
}

/** Ample for TCG on a loaded machine. */
const DEFAULT_DEADLINES: GuestDeadlines = {
  hello: 30_000,
  configure: 15_000,
  container: 60_000,
  shutdown: 10_000,
};

/** The deadlines; `DVM_BOOT_TIMEOUT` sets another for the boot and the agent's hello, in `seconds`. */
export function guestDeadlines(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): GuestDeadlines {
  const seconds = Number(environment.DVM_BOOT_TIMEOUT);
  if (!(seconds > 0)) return DEFAULT_DEADLINES;
  return { ...DEFAULT_DEADLINES, boot: seconds * 1000, hello: seconds * 1000 };
}

export interface BootOptions {
  /** id of the container */
  readonly container: string;
  readonly hypervisor: Hypervisor;
  readonly artifacts: Artifacts;
  readonly shape: MachineShape;
  /** the image's root disk */
  readonly extents: readonly Extent[];
  /** raw disk that takes the writes */
  readonly writableDisk: string;
  readonly runDirectory: string;
  readonly hostname: string;
  /** absent: none */
  readonly network?: PreparedNetwork;
  readonly deadlines: GuestDeadlines;
  /** whether the machine outlives this process */
  readonly detached?: boolean;
  readonly onEvent: EventSink;
  readonly signal: AbortSignal | undefined;
}

/** A machine and the conversation with its agent; disposing of it ends both. */
export interface BootedMachine extends AsyncDisposable {
  readonly machine: Machine;
  readonly agent: AgentClient;
}

/** Bytes that seed the guest's entropy pool: as many as its generator's key has (drivers/char/random.c, Linux 6.1). */
const ENTROPY_BYTES = 32;
/** Lines of the guest's console that an error shows. */
const CONSOLE_LINES = 10;

export async function bootMachine(options: BootOptions): Promise<BootedMachine> {
  const { container, onEvent } = options;
  await using parts = new AsyncDisposableStack();
  const machine = parts.use(await startMachine(options).catch(advise));
  try {
    const agent = await inPhase(onEvent, { container, phase: "hello" }, () =>
      withDeadline(connectAgent(machine.agent, signalOf(options)), {
        what: "the guest agent's hello",
        milliseconds: options.deadlines.hello,
        signal: options.signal,
      }),
    );
    parts.defer(() => agent.close());
    const { kernel, uptime } = agent.hello;
    onEvent({ type: "guest", container, kernel, uptime: uptime / 1000 });
    agent.on("log", (text) => onEvent({ type: "log", container, text }));
    await configureMachine(agent, options);
    const held = parts.move();
    return { machine, agent, [Symbol.asyncDispose]: () => held.disposeAsync() };
  } catch (error) {
    options.signal?.throwIfAborted();
    throw await explainLoss(machine, error);
  }
}

/**
 * A guest that has gone away says why on its console only: the error names how the machine ended and shows
 * the console's last lines.
 */
export async function explainLoss(machine: Machine, error: unknown): Promise<unknown> {
  const code = error instanceof DvmError ? error.code : "";
  if (!["AGENT_LOST", "MACHINE_LOST", "STAGE_TIMEOUT"].includes(code)) return error;
  const exit = await Promise.race([machine.exit, delay(500)]);
  const how = exit === undefined ? (error as Error).message : describeExit(exit);
  const tail = machine.consoleTail(CONSOLE_LINES).trimEnd();
  const shown =
    tail === "" ? "" : `; the guest's console ends with\n${tail.replace(/^/gm, "  | ")}`;
  const row = code === "STAGE_TIMEOUT" ? code : "MACHINE_LOST";
  return engineError(row, `${how}${shown}`, { cause: error });
}

/** Whatever keeps a machine from starting and comes without advice: the doctor knows more. */
function advise(error: unknown): never {
  if (!(error instanceof DvmError) || error.hint !== undefined) throw error;
  const { code, message, exitCode, cause } = error;
  throw new DvmError(code, message, { exitCode, cause, hint: "dvm doctor checks the set-up" });
}

function startMachine(options: BootOptions): Promise<Machine> {
  const { container, onEvent, hypervisor } = options;
  const { boot } = options.deadlines;
  return hypervisor.start(machineConfig(options), {
    ...signalOf(options),
    detached: options.detached ?? false,
    ...(boot === undefined ? {} : { deadlines: { boot, agent: boot } }),
    onStage: (stage, milliseconds) =>
      onEvent({ type: "phase-end", container, phase: PHASE_OF_STAGE[stage], milliseconds }),
  });
}

const PHASE_OF_STAGE: Readonly<Record<MachineStage, Phase>> = {
  spawn: "vm-spawn",
  configure: "vm-configure",
  boot: "vm-boot",
  agent: "vm-agent",
};

function machineConfig(options: BootOptions): MachineConfig {
  return {
    id: shortId(options.container),
    kernel: options.artifacts.kernel,
    initramfs: options.artifacts.initramfs,
    commandLine: kernelCommandLine(),
    ...options.shape,
    disks: [
      {
        serial: IMAGE_SERIAL,
        readOnly: true,
        source: { kind: "extents", extents: options.extents },
      },
      {
        serial: UPPER_SERIAL,
        readOnly: false,
        source: { kind: "file", path: options.writableDisk, format: "raw" },
      },
    ],
    networks: options.network?.devices ?? [],
    shares: [],
    runDirectory: options.runDirectory,
  };
}

async function configureMachine(agent: AgentClient, options: BootOptions): Promise<void> {
  const request = agent.request({
    type: "machine.configure" satisfies RequestType,
    clock: String(BigInt(Date.now()) * 1_000_000n),
    entropy: randomBytes(ENTROPY_BYTES).toString("base64"),
    hostname: options.hostname,
    interfaces: options.network?.interfaces ?? [],
  });
  await withDeadline(request, {
    what: "configuring the guest",
    milliseconds: options.deadlines.configure,
    signal: options.signal,
  });
}

function describeExit(exit: Awaited<Machine["exit"]>): string {
  switch (exit.reason) {
    case "panic":
      return `the guest's kernel panicked: ${exit.message}`;
    case "killed":
      return `the virtual machine was killed by ${exit.signal}`;
    case "vmm-error":
      return `the virtual machine failed: ${exit.message}`;
    case "triple-fault":
      return "the guest's processor met a triple fault";
    case "poweroff":
    case "reboot":
      return "the guest turned itself off";
  }
}

function signalOf(options: BootOptions): { readonly signal?: AbortSignal } {
  return options.signal === undefined ? {} : { signal: options.signal };
}

async function delay(milliseconds: number): Promise<undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  setTimeout(() => resolve(undefined), milliseconds);
  return promise;
}
