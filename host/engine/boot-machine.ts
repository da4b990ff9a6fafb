/** A machine for a container, booted, with its agent ready and told what every machine must know. */

import { randomBytes } from "node:crypto";
import type { RequestType } from "#protocol";
import {
  type AgentClient,
  type Hello,
  type OpenedAgent,
  openAgent,
} from "../agent/agent-client.ts";
import { DvmError } from "../errors.ts";
import type { PreparedNetwork } from "../network/prepared-network.ts";
import type { Extent } from "../rootfs/extent.ts";
import type {
  DiskConfig,
  DiskLimits,
  Hypervisor,
  Machine,
  MachineConfig,
  MachineStage,
  TemplateUse,
} from "../vmm/hypervisor.ts";
import type { Artifacts } from "./artifacts.ts";
import { shortId } from "./container-name.ts";
import { withDeadline } from "./deadline.ts";
import { type EventSink, inPhase, type Phase } from "./engine-event.ts";
import { engineError } from "./errors.ts";
import { kernelCommandLine, type MachineShape } from "./machine-shape.ts";
import type { TakenSpare } from "./pool/machine-pool.ts";
import { diskSource, IMAGE_SERIAL, UPPER_SERIAL } from "./storage/container-disk.ts";
import type { PreparedMounts } from "./volumes/prepared-mounts.ts";

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
  /** disk that takes the writes, see `containerDisk`; undefined: a folder of the host is the root */
  readonly writableDisk: string | undefined;
  /** whether that is removed with the machine */
  readonly disposable?: boolean;
  readonly runDirectory: string;
  readonly hostname: string;
  /** absent: none */
  readonly network?: PreparedNetwork;
  /** absent: none */
  readonly mounts?: PreparedMounts;
  /** what its disks may use together; absent: no limit */
  readonly diskLimits?: DiskLimits | undefined;
  readonly deadlines: GuestDeadlines;
  /** whether the machine outlives this process */
  readonly detached?: boolean;
  /** whether it boots, whatever there is that it could be a clone of */
  readonly fresh?: boolean;
  /** called when the machine had to boot for want of a template */
  readonly onNoTemplate?: (config: MachineConfig) => void;
  /** gives a machine that waits for a container; absent: every one is started */
  readonly takeSpare?: (config: MachineConfig) => Promise<TakenSpare | undefined>;
  /** called as soon as the process of the machine is known */
  readonly onProcess?: (pid: number) => void;
  readonly onEvent: EventSink;
  readonly signal: AbortSignal | undefined;
}

/** A machine and the conversation with its agent; disposing of it ends both. */
export interface BootedMachine extends AsyncDisposable {
  readonly machine: Machine;
  readonly agent: AgentClient;
}

/** The same, before the guest has answered. */
export interface OpenedMachine extends BootedMachine {
  /** settles when the agent is ready; requests that are made before follow at once and in order */
  readonly ready: Promise<void>;
}

/** Bytes that seed the guest's entropy pool: as many as its generator's key has (drivers/char/random.c, Linux 6.1). */
const ENTROPY_BYTES = 32;
/** Until a clone, whose agent listens already, has said hello, in `milliseconds`; on a loaded machine it takes some 200. */
const CLONE_HELLO = 10_000;
/** Lines of the guest's console that an error shows. */
const CONSOLE_LINES = 10;

export async function bootMachine(options: BootOptions): Promise<BootedMachine> {
  const booted = await openMachine(options);
  try {
    await booted.ready;
    return booted;
  } catch (error) {
    await booted[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * As `bootMachine`, without waiting for what the agent answers: the guest is not to wait for us either. A clone says hello
 * first: one that does not is given up with its template, and the machine boots.
 */
export async function openMachine(options: BootOptions): Promise<OpenedMachine> {
  const config = machineConfig(options);
  const started = await startMachine(options, config).catch(advise);
  const opened = await openStarted(options, started);
  if (!started.isUntried) return opened;
  const { container, hypervisor, signal, onEvent } = options;
  try {
    const what = "the hello of a clone";
    const milliseconds = Math.min(CLONE_HELLO, options.deadlines.hello);
    await withDeadline(opened.hello, { what, milliseconds, signal });
    return opened;
  } catch (error) {
    const text = `the template of this machine is not usable, so it boots: ${(error as Error).message}`;
    await opened[Symbol.asyncDispose]();
    signal?.throwIfAborted();
    await hypervisor.rejectTemplate?.(config);
    onEvent({ type: "warning", container, text });
    options.onNoTemplate?.(config);
    const { takeSpare: _, ...rest } = options;
    return openMachine({ ...rest, fresh: true });
  }
}

async function openStarted(
  options: BootOptions,
  started: StartedMachine,
): Promise<OpenedMachine & Pick<OpenedAgent, "hello">> {
  await using parts = new AsyncDisposableStack();
  const machine = parts.use(started.machine);
  const { client: agent, hello } = started.opened ?? openAgent(machine.agent, signalOf(options));
  parts.defer(() => agent.close());
  agent.on("log", (text) => options.onEvent({ type: "log", container: options.container, text }));
  const ready = makeReady(options, { machine, agent, hello });
  // whoever waits for it hears of its failure; a machine that is given up before has nobody who does
  ready.catch(() => {});
  const held = parts.move();
  return { machine, agent, hello, ready, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

async function makeReady(
  options: BootOptions,
  {
    machine,
    agent,
    hello,
  }: {
    readonly machine: Machine;
    readonly agent: AgentClient;
    readonly hello: Promise<Hello>;
  },
): Promise<void> {
  const { container, onEvent, signal } = options;
  const configuration = configureMachine(agent, options, machine);
  // it fails with the hello, which says why
  configuration.catch(() => {});
  try {
    const { kernel, uptime } = await inPhase(onEvent, { container, phase: "hello" }, () =>
      withDeadline(hello, {
        what: "the guest agent's hello",
        milliseconds: options.deadlines.hello,
        signal,
      }),
    );
    onEvent({ type: "guest", container, kernel, uptime: uptime / 1000 });
    await configuration;
  } catch (error) {
    signal?.throwIfAborted();
    throw await explainLoss(machine, error);
  }
}

/** Errors that say all there is to say already. */
const explained = new WeakSet<Error>();

/**
 * A guest that has gone away says why on its console only: the error names how the machine ended and shows
 * the console's last lines.
 */
export async function explainLoss(machine: Machine, error: unknown): Promise<unknown> {
  const code = error instanceof DvmError && !explained.has(error) ? error.code : "";
  if (!["AGENT_LOST", "MACHINE_LOST", "STAGE_TIMEOUT"].includes(code)) return error;
  const exit = await Promise.race([machine.exit, delay(500)]);
  const how = exit === undefined ? (error as Error).message : describeExit(exit);
  const tail = machine.consoleTail(CONSOLE_LINES).trimEnd();
  const shown =
    tail === "" ? "" : `; the guest's console ends with\n${tail.replace(/^/gm, "  | ")}`;
  const row = code === "STAGE_TIMEOUT" ? code : "MACHINE_LOST";
  const explanation = engineError(row, `${how}${shown}`, { cause: error });
  explained.add(explanation);
  return explanation;
}

/** Whatever keeps a machine from starting and comes without advice: the doctor knows more. */
function advise(error: unknown): never {
  if (!(error instanceof DvmError) || error.hint !== undefined) throw error;
  const { code, message, exitCode, cause } = error;
  throw new DvmError(code, message, { exitCode, cause, hint: "dvm doctor checks the set-up" });
}

interface StartedMachine {
  readonly machine: Machine;
  /** the conversation with the agent, where there is one already */
  readonly opened?: OpenedAgent;
  /** whether it is a clone that has not done anything yet */
  readonly isUntried: boolean;
}

async function startMachine(options: BootOptions, config: MachineConfig): Promise<StartedMachine> {
  const spare = await options.takeSpare?.(config);
  const machine = spare && (await takeOver(spare, config, options));
  if (spare === undefined || machine === undefined) return startNew(options, config);
  options.onProcess?.(machine.pid);
  spare.letGo();
  const { agent } = spare;
  if (agent === undefined) return { machine, isUntried: true };
  const opened = { client: agent, hello: Promise.resolve(agent.hello) };
  return { machine, opened, isUntried: false };
}

/** @returns nothing for a spare that is of no use, and no more */
async function takeOver(
  { machine: spare, agent, connect, giveUp }: TakenSpare,
  config: MachineConfig,
  { container, onEvent, network }: BootOptions,
): Promise<Machine | undefined> {
  try {
    const machine = await inPhase(onEvent, { container, phase: "vm-boot" }, async () => {
      // one that gets its cards now finds them made
      if (agent === undefined && network !== undefined) await connect(network);
      const becoming = spare.become(config);
      const [connected] = await Promise.allSettled([
        agent && network && connect(network),
        becoming,
      ]);
      const machine = await becoming;
      if (connected.status === "fulfilled") return machine;
      await machine[Symbol.asyncDispose]();
      throw connected.reason;
    });
    onEvent({ type: "template", container });
    return machine;
  } catch (error) {
    await giveUp();
    const text = `the machine that was kept ready is not usable: ${(error as Error).message}`;
    onEvent({ type: "warning", container, text });
    return undefined;
  }
}

async function startNew(options: BootOptions, config: MachineConfig): Promise<StartedMachine> {
  const { container, onEvent, hypervisor, fresh = false } = options;
  const { boot } = options.deadlines;
  await options.network?.connect?.();
  let isClone: boolean | undefined;
  const machine = await hypervisor.start(config, {
    ...signalOf(options),
    detached: options.detached ?? false,
    fresh,
    ...(boot === undefined ? {} : { deadlines: { boot, agent: boot } }),
    onTemplate: (use) => {
      isClone = use.kind === "cloned";
      tellTemplate(options, use);
    },
    onStage: (stage, milliseconds) =>
      onEvent({ type: "phase-end", container, phase: PHASE_OF_STAGE[stage], milliseconds }),
  });
  options.onProcess?.(machine.pid);
  if (isClone === false) options.onNoTemplate?.(config);
  return { machine, isUntried: isClone ?? false };
}

function tellTemplate({ container, onEvent }: BootOptions, use: TemplateUse): void {
  if (use.kind === "cloned") onEvent({ type: "template", container });
  if (use.kind !== "unusable") return;
  const text = `the template of this machine is not usable, so it boots: ${use.reason}`;
  onEvent({ type: "warning", container, text });
}

export const PHASE_OF_STAGE: Readonly<Record<MachineStage, Phase>> = {
  spawn: "vm-spawn",
  configure: "vm-configure",
  boot: "vm-boot",
  agent: "vm-agent",
};

/** What a machine's configuration is made from. */
type MachineParts = Pick<
  BootOptions,
  | "container"
  | "artifacts"
  | "shape"
  | "extents"
  | "writableDisk"
  | "disposable"
  | "runDirectory"
  | "network"
  | "mounts"
  | "diskLimits"
>;

export function rootDisks({
  extents,
  writableDisk,
  disposable = false,
}: Pick<MachineParts, "extents" | "writableDisk" | "disposable">): DiskConfig[] {
  if (writableDisk === undefined) return [];
  return [
    { serial: IMAGE_SERIAL, readOnly: true, source: { kind: "extents", extents } },
    { serial: UPPER_SERIAL, readOnly: false, disposable, source: diskSource(writableDisk) },
  ];
}

export function machineConfig(options: MachineParts): MachineConfig {
  const { diskLimits: limits } = options;
  const disks: DiskConfig[] = [...rootDisks(options), ...(options.mounts?.disks ?? [])];
  return {
    id: shortId(options.container),
    kernel: options.artifacts.kernel,
    initramfs: options.artifacts.initramfs,
    commandLine: kernelCommandLine(),
    ...options.shape,
    disks: disks.map((disk) => (limits === undefined ? disk : { ...disk, limits })),
    networks: options.network?.devices ?? [],
    shares: options.mounts?.shares ?? [],
    runDirectory: options.runDirectory,
  };
}

/** Makes the guest a machine of its own. */
export async function configureMachine(
  agent: AgentClient,
  options: BootOptions,
  { clonedMacs }: Pick<Machine, "clonedMacs"> = {},
): Promise<void> {
  const request = agent.request({
    type: "machine.configure" satisfies RequestType,
    clock: String(BigInt(Date.now()) * 1_000_000n),
    entropy: randomBytes(ENTROPY_BYTES).toString("base64"),
    hostname: options.hostname,
    interfaces: interfacesOf(options, clonedMacs),
  });
  await withDeadline(request, {
    what: "configuring the guest",
    milliseconds: options.deadlines.configure,
    signal: options.signal,
  });
}

/** The devices of a clone are found by the addresses that they still have. */
function interfacesOf({ network }: BootOptions, clonedMacs: readonly string[] = []) {
  const { interfaces = [], devices = [] } = network ?? {};
  return interfaces.map((wanted) => {
    const clonedMac = clonedMacs[devices.findIndex(({ mac }) => mac === wanted.mac)];
    return clonedMac === undefined ? wanted : { ...wanted, clonedMac };
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
    case "watchdog":
      return "the guest hung, and its watchdog ended it";
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
