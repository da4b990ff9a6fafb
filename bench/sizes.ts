/**
 * What the guest agent weighs: its binary, and its resident memory in a guest that runs one container.
 *
 * usage: node bench/sizes.ts
 */

import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAgent } from "../host/agent/agent-client.ts";
import { ImageStore } from "../host/image/image-store.ts";
import { loadImage } from "../host/image/load-image.ts";
import { openFileSource } from "../host/image/source/open-file-source.ts";
import { makeRootDisk } from "../host/rootfs/root-disk.ts";
import { openHypervisor } from "../host/vmm/factory.ts";
import type { MachineConfig } from "../host/vmm/hypervisor.ts";
import { observerContainer, observerProcess } from "./observer.ts";
import { AGENT, IMAGES, INITRAMFS, KERNEL } from "./paths.ts";

const folder = await mkdtemp(join(tmpdir(), "dvm-bench-"));
try {
  const { size } = await stat(AGENT);
  const status = await statusOfAgent(folder);
  const resident = /VmRSS:\s+(\d+) kB/.exec(status)?.[1];
  const peak = /VmHWM:\s+(\d+) kB/.exec(status)?.[1];
  process.stdout.write(
    `guest agent: ${size} bytes of binary, ${resident} kB resident (peak ${peak} kB) with one container; kernel ${(await stat(KERNEL)).size} bytes\n`,
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** /proc/1/status of the guest, read by a container that shares the guest's PID namespace. */
async function statusOfAgent(scratch: string): Promise<string> {
  const store = await ImageStore.open(join(scratch, "store"));
  const layout = { transport: "oci", path: join(IMAGES, "busybox"), image: undefined } as const;
  await using source = await openFileSource(layout, scratch);
  await using image = await loadImage(source, { store });
  const { extents } = await makeRootDisk({
    layers: image.layers,
    directory: join(scratch, "disks"),
  });
  const { hypervisor } = await openHypervisor({
    vmm: "qemu",
    accel: "auto",
    cacheDirectory: scratch,
  });
  const config: MachineConfig = {
    id: "bench",
    kernel: KERNEL,
    initramfs: INITRAMFS,
    commandLine: ["quiet"],
    memoryMiB: 128,
    vcpus: 1,
    disks: [{ serial: "image", readOnly: true, source: { kind: "extents", extents } }],
    networks: [],
    shares: [],
    runDirectory: scratch,
  };
  await using machine = await hypervisor.start(config);
  const agent = await connectAgent(machine.agent);
  await agent.request({ type: "container.create", container: "bench", spec: observerContainer });
  const output = agent.openReadable();
  const command = observerProcess(["cat", "/proc/1/status"], output.id);
  await agent.request({ type: "container.start", container: "bench", process: command });
  const chunks: Buffer[] = [];
  for await (const chunk of output) chunks.push(chunk as Buffer);
  agent.close();
  return Buffer.concat(chunks).toString();
}
