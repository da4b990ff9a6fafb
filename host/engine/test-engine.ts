/** For tests: fake parts for an engine, in folders of its own. */

import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunConfig } from "../image/config.ts";
import type { ContainerConfig } from "./container-config.ts";
import type { DaemonOptions } from "./daemon/daemon.ts";
import type { EngineEvent } from "./engine-event.ts";
import type { EngineParts } from "./engine-parts.ts";
import { type GuestBehaviour, TestHypervisor } from "./test-machine.ts";

export const EMPTY_RUN: RunConfig = {
  user: "",
  env: [],
  entrypoint: undefined,
  cmd: undefined,
  workingDir: "",
  labels: {},
  exposedPorts: [],
  volumes: [],
  stopSignal: undefined,
  stopTimeout: undefined,
  healthcheck: undefined,
};

export const PLAIN_CONFIG: ContainerConfig = {
  image: "busybox",
  command: ["true"],
  env: [],
  groupAdd: [],
  terminal: false,
  openStdin: false,
  labels: {},
  init: false,
  readOnly: false,
  privileged: false,
  autoRemove: false,
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

export interface TestEngine extends Disposable {
  /** what a daemon is opened with */
  readonly options: DaemonOptions;
  readonly hypervisor: TestHypervisor;
  readonly events: EngineEvent[];
  readonly folders: { readonly dataRoot: string; readonly runRoot: string };
  /** files and folders that are left of containers */
  readonly leftovers: () => string[];
}

export function testEngine(
  behaviour: GuestBehaviour = {},
  parts: Partial<EngineParts> = {},
): TestEngine {
  const root = mkdtempSync(join(tmpdir(), "dvm-engine-"));
  const folders = { dataRoot: join(root, "data"), runRoot: join(root, "run") };
  const hypervisor = new TestHypervisor(behaviour);
  const events: EngineEvent[] = [];
  const options = {
    paths: folders,
    parts: { ...fakeParts(hypervisor), ...parts },
    onEvent: (event: EngineEvent) => events.push(event),
    deadlines: { hello: 200, configure: 200, container: 200, shutdown: 200 },
  };
  return {
    options,
    hypervisor,
    events,
    folders,
    leftovers: () => [
      ...listIfThere(folders.runRoot),
      ...listIfThere(join(folders.dataRoot, "containers")),
      ...listIfThere(join(folders.dataRoot, "names")),
    ],
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}

function fakeParts(hypervisor: TestHypervisor): EngineParts {
  return {
    findArtifacts: () => ({ kernel: "/kernel", initramfs: "/initramfs" }),
    prepareImage: async ({ reference }) => ({
      name: `docker.io/library/${reference}:latest`,
      manifestDigest: `sha256:${"0".repeat(64)}`,
      run: EMPTY_RUN,
      extents: [{ kind: "zero", length: 4096 }],
      linkFlatDisk: async (path) => writeFileSync(path, ""),
      [Symbol.asyncDispose]: async () => {},
    }),
    releaseImage: async () => {},
    makeWritableDisk: async ({ path }) => writeFileSync(path, ""),
    openHypervisor: async () => ({ hypervisor, reason: "a test" }),
  };
}

function listIfThere(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}
