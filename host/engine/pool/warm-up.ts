/**
 * What a machine does once before it is anybody's: it runs a container that ends at once, and forgets it. The guest has
 * then loaded, made and patched what it needs for one, and an emulator that goes on has translated it.
 */

import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { ProcessSpec } from "#protocol";
import { type AgentClient, connectAgent } from "../../agent/agent-client.ts";
import type { Machine, MachineConfig, WarmUp } from "../../vmm/hypervisor.ts";
import type { ContainerConfig } from "../container-config.ts";
import { containerSpec } from "../container-spec.ts";
import { withDeadline } from "../deadline.ts";
import type { EngineParts } from "../engine-parts.ts";
import { WARM_UP_PROGRAM, warmUpImage } from "./warm-up-image.ts";

export interface WarmUpOptions {
  /** machine that is warmed up: its first two disks are an image's and a writable one */
  readonly config: MachineConfig;
  readonly dataRoot: string;
  readonly parts: Pick<EngineParts, "makeWritableDisk">;
  /** whether the conversation with the agent goes on; the client is the caller's then */
  readonly onClient?: (client: AgentClient) => void;
}

/** A warm-up and the files that it needs, which go when it is disposed of. */
export interface PreparedWarmUp extends AsyncDisposable {
  readonly warmUp: WarmUp;
}

/** Until the guest has answered and its container has ended, in `milliseconds`. */
const DEADLINE = 60_000;
/** Size of the writable disk, in `bytes`: the usual one. */
const DISK = 10 * 1024 ** 3;
const CONTAINER = "warm-up";
/** An address of no network out there (RFC 2544): what is sent from it is for nobody. */
const NOWHERE = { addresses: ["198.18.0.2/30"], gateways: ["198.18.0.1"] };
const MTU = 1500;
/** What a kernel does after a container is gone, its network and its control group not least, in `milliseconds`. */
const AFTERMATH = 250;

/** Nothing that a container without wishes would not have. */
const PLAIN: ContainerConfig = {
  image: "",
  command: [],
  env: [],
  groupAdd: [],
  terminal: false,
  openStdin: false,
  labels: {},
  init: false,
  readOnly: false,
  privileged: false,
  autoRemove: true,
  tmpfs: [],
  resources: {},
  ulimits: [],
  capAdd: [],
  capDrop: [],
  seccomp: "default",
  noNewPrivileges: false,
  sysctls: {},
  extraHosts: [],
  dns: { servers: [], search: [], options: [] },
  network: "none",
  machine: { accelerator: "auto", backend: "auto" },
};

const PROCESS: Omit<ProcessSpec, "stdio"> = {
  args: [WARM_UP_PROGRAM],
  env: ["PATH=/bin", `HOSTNAME=${CONTAINER}`],
  cwd: "/",
  user: "",
  additionalGroups: [],
  capAdd: [],
  capDrop: [],
  privileged: false,
  noNewPrivileges: false,
  seccomp: "default",
  rlimits: [],
};

export async function prepareWarmUp(options: WarmUpOptions): Promise<PreparedWarmUp> {
  const { config, dataRoot, parts } = options;
  const [image, writable] = config.disks;
  if (image === undefined || writable === undefined) throw new TypeError("a machine without disks");
  const extents = await warmUpImage(join(dataRoot, "host"));
  const folder = await mkdtemp(join(tmpdir(), "dvm-"));
  try {
    const path = join(folder, "writable");
    const journal = writable.disposable !== true;
    const templates = join(dataRoot, "disk-templates");
    await parts.makeWritableDisk({ path, bytes: DISK, journal, templates });
    const disks = [
      { ...image, source: { kind: "extents", extents } },
      { ...writable, source: { kind: "file", path, format: "raw" } },
    ] as const;
    return {
      warmUp: { disks, run: (machine) => warmUp(machine, options) },
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
    };
  } catch (error) {
    await rm(folder, { recursive: true });
    throw error;
  }
}

async function warmUp(machine: Machine, options: WarmUpOptions): Promise<void> {
  const signal = AbortSignal.timeout(DEADLINE);
  const client = await connectAgent(machine.agent, { signal });
  const cards = options.config.networks.map(({ mac }, place) => machine.clonedMacs?.[place] ?? mac);
  // a template's lead nowhere
  const connected = options.onClient === undefined ? [] : cards;
  const network = cards.length > 0 ? "guest" : "private";
  await withDeadline(runContainer(client, network, connected), {
    what: "warming up",
    milliseconds: DEADLINE,
  });
  await setTimeout(AFTERMATH);
  options.onClient?.(client);
}

/** As a container's machine is used, in the same order. @param cards MAC addresses of those that are set up */
async function runContainer(
  client: AgentClient,
  network: "guest" | "private",
  cards: readonly string[],
): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    client.once("process.exit", () => resolve());
  });
  await client.request({
    type: "machine.configure",
    clock: String(BigInt(Date.now()) * 1_000_000n),
    entropy: randomBytes(32).toString("base64"),
    hostname: CONTAINER,
    interfaces: cards.map((mac, place) => {
      return { ...NOWHERE, mac, clonedMac: mac, name: `eth${place}`, mtu: MTU };
    }),
  });
  const spec = containerSpec(CONTAINER, PLAIN);
  await client.request({
    type: "container.create",
    container: CONTAINER,
    spec: { ...spec, namespaces: { ...spec.namespaces, network } },
  });
  const [stdout, stderr] = [client.openReadable(), client.openReadable()];
  await client.request({
    type: "container.start",
    container: CONTAINER,
    process: { ...PROCESS, stdio: { stdout: stdout.id, stderr: stderr.id } },
  });
  for (const stream of [stdout, stderr]) stream.resume();
  await ended;
  await client.request({
    type: "container.network",
    container: CONTAINER,
    disconnect: cards.map((mac) => ({ ...NOWHERE, mac, carried: false })),
    connect: [],
    hosts: { remove: [], add: [] },
    dns: PLAIN.dns,
  });
  await client.request({ type: "container.remove", container: CONTAINER });
}
