/** Accesses to emulated devices, out of QEMU's trace. */

/** QEMU's trace events of each access (softmmu/memory.c, QEMU 7.2). */
export const TRACE_WORDS = [
  "-trace",
  "memory_region_ops_read",
  "-trace",
  "memory_region_ops_write",
] as const;

/** Device types of virtio (virtio 1.2 §5). */
const VIRTIO_DEVICES: Readonly<Record<number, string>> = {
  1: "network",
  2: "block",
  3: "console",
  4: "entropy",
  5: "balloon",
  26: "file system",
};

/** VIRTIO_MMIO_DEVICE_ID, the register that tells what a device is (virtio 1.2 §4.2.2). */
const DEVICE_ID = 0x008;
/** Bytes of a virtio-mmio device's registers on QEMU's microvm. */
const SLOT = 0x200;

const LINE =
  /memory_region_ops_(read|write) .*addr 0x([0-9a-f]+) value 0x([0-9a-f]+) size \d+ name '([^']*)'/;

/** Counts by device. A virtio device is called by its type, which the guest itself asked it for. */
export function deviceAccesses(trace: string): ReadonlyMap<string, number> {
  const regions = new Map<string, number>();
  const types = new Map<string, string>();
  for (const line of trace.split("\n")) {
    const [, kind, address = "0", value = "0", name = ""] = LINE.exec(line) ?? [];
    if (kind === undefined) continue;
    const at = Number.parseInt(address, 16);
    const region = name.startsWith("virtio-mmio") ? `virtio ${Math.floor(at / SLOT)}` : name;
    regions.set(region, (regions.get(region) ?? 0) + 1);
    if (kind === "read" && at % SLOT === DEVICE_ID && region !== name) {
      const type = Number.parseInt(value, 16);
      types.set(
        region,
        type === 0 ? "virtio, empty slot" : `virtio ${VIRTIO_DEVICES[type] ?? type}`,
      );
    }
  }
  const devices = new Map<string, number>();
  for (const [region, count] of regions) {
    const device = types.get(region) ?? region;
    devices.set(device, (devices.get(device) ?? 0) + count);
  }
  return devices;
}
