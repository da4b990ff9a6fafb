/** QEMU's command line for a machine: a pure function, so that a golden test can show all of it. */

import { join } from "node:path";
import { VmmError } from "../errors.ts";
import type { Accelerator, DiskConfig, MachineConfig, NetworkDeviceConfig } from "../hypervisor.ts";
import { throttleArguments, throttledNode } from "./disk-throttle.ts";
import { kernelCommandLine } from "./kernel-command-line.ts";
import { memoryArguments, shareArguments } from "./share-arguments.ts";
import {
  changeableNode,
  emptyNode,
  incomingArguments,
  type Node,
  type TemplateRole,
  templateCard,
} from "./template-arguments.ts";

/** Descriptors that QEMU inherits; each is one end of a connected stream socket. */
export const QMP_FD = 3;
export const CONSOLE_FD = 4;
export const AGENT_FD = 5;

/** Name of the agent's virtio port in the guest: the `name` file of its folder in `/sys/class/virtio-ports`. */
export const AGENT_PORT_NAME = "dvm.agent";
/** Id of the agent's port and of its character device, as QMP names them. */
export const AGENT_ID = "agent";

/** Sockets in the run directory of a detached VM, on which QEMU listens. */
export const QMP_SOCKET = "qmp.sock";
export const CONSOLE_SOCKET = "console.sock";
export const AGENT_SOCKET = "agent.sock";

/**
 * TCG runs `rep movsb` and `rep stosb` byte by byte. Without the bits that praise them, kernel and C libraries
 * copy and clear by words.
 */
const TCG_CPU = "max,-erms,-fsrm";

export interface QemuArgumentsOptions {
  readonly config: MachineConfig;
  /** whether the VM outlives us: its channels are sockets in the run directory then */
  readonly detached?: boolean;
  readonly accelerator: Accelerator;
  /** frequency of the host's time stamp counter, in `kHz`, where known */
  readonly tscKhz?: number;
  /** for a machine that becomes a template, or comes from one */
  readonly template?: TemplateRole;
}

/**
 * Everything after the program's name.
 *
 * @throws {VmmError} for a machine that this backend cannot make
 */
export function qemuArguments(options: QemuArgumentsOptions): string[] {
  const { config, accelerator, tscKhz, detached = false, template } = options;
  checkDevices(config);
  return [
    ...processArguments(config),
    ...machineArguments(config, accelerator),
    ...incomingArguments(config, template),
    ...["-kernel", config.kernel, "-initrd", config.initramfs],
    ...["-append", kernelCommandLine({ config, accelerator, ...(tscKhz && { tscKhz }) })],
    ...channelArguments(detached ? config.runDirectory : undefined),
    ...["-object", "rng-builtin,id=rng", "-device", "virtio-rng-device,rng=rng"],
    ...BALLOON,
    ...throttleArguments(config.disks),
    ...config.disks.flatMap((disk, index) => diskArguments(disk, index, options)),
    ...plugArguments(config),
    ...config.networks.flatMap((card, index) => networkArguments(card, index, template)),
    ...shareArguments(config),
  ];
}

/** virtio devices that a microvm without ACPI has room for (QEMU 7.2, hw/i386/microvm.c). */
const MAX_DEVICES = 8;
/** Console, entropy, balloon. */
const OWN_DEVICES = 3;

function deviceCount({ disks, networks, shares }: MachineConfig): number {
  return OWN_DEVICES + disks.length + networks.length + Math.min(shares.length, 1);
}

function checkDevices(config: MachineConfig): void {
  const { disks, networks, shares } = config;
  const count = deviceCount(config);
  if (count <= MAX_DEVICES) return;
  throw new VmmError(
    "VMM_UNSUPPORTED",
    `a machine with ${disks.length} disks, ${networks.length} networks${shares.length > 0 ? " and shared folders" : ""} needs ${count} devices, and QEMU's has ${MAX_DEVICES}`,
    { hint: "fewer networks, or fewer volumes that are disks; folders are one device together" },
  );
}

/** The controller of the disks that come later, and its bus, as QMP names them. */
export const PLUG_CONTROLLER = "plugs";

/** A microvm takes no further device while it runs; its SCSI controller takes disks. It is the first to make room. */
function plugArguments(config: MachineConfig): string[] {
  if (deviceCount(config) >= MAX_DEVICES) return [];
  return ["-device", `virtio-scsi-device,id=${PLUG_CONTROLLER}`];
}

/** Where the VMDK descriptor of a joined disk stands. */
export function descriptorPath(runDirectory: string, diskIndex: number): string {
  return join(runDirectory, `disk-${diskIndex}.vmdk`);
}

function processArguments({ id }: MachineConfig): string[] {
  if (!/^[A-Za-z0-9_.-]{1,64}$/.test(id)) {
    throw new VmmError("VMM_CONFIG_INVALID", `machine name ${JSON.stringify(id)} is not valid`);
  }
  return [
    ...["-name", `dvm-${id}`],
    // Nothing but what is named here: no devices, no files of /etc/qemu, no window.
    ...["-nodefaults", "-no-user-config", "-display", "none"],
    // A guest that resets its machine has ended; so QEMU ends.
    "-no-reboot",
    // A QEMU that the guest has taken over starts no programs and gains no rights.
    ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
  ];
}

function machineArguments(config: MachineConfig, accelerator: Accelerator): string[] {
  const machine = [
    "microvm",
    // With ACPI off QEMU names the devices on the kernel command line; our kernel has no ACPI.
    "acpi=off",
    // The timer that a kernel without ACPI calibrates by, and its interrupt controller.
    "pic=on,pit=on",
    // Without it the kernel polls an absent clock for a second (mach_get_cmos_time, Linux 6.1).
    "rtc=on",
    // For messages from before the virtio console, see kernelCommandLine.
    "isa-serial=on",
    "usb=off,pcie=off,ioapic2=off",
  ].join(",");
  return [
    ...["-machine", machine],
    ...["-accel", accelerator === "kvm" ? "kvm" : "tcg,thread=multi"],
    ...["-cpu", accelerator === "kvm" ? "host" : TCG_CPU],
    ...["-m", `${config.memoryMiB}M`, "-smp", `${config.vcpus}`],
    ...memoryArguments(config),
    // virtio 1, not the legacy interface.
    ...["-global", "virtio-mmio.force-legacy=false"],
  ];
}

/**
 * QMP, the console of the guest kernel, and the agent's port. What the guest writes on its console while nobody is
 * connected is lost: it is not to fill a disk.
 */
function channelArguments(socketFolder: string | undefined): string[] {
  const at = (fd: number, socket: string) =>
    socketFolder === undefined
      ? `fd=${fd}`
      : `path=${join(socketFolder, socket).replaceAll(",", ",,")},server=on,wait=off`;
  return [
    ...["-chardev", `socket,id=qmp,${at(QMP_FD, QMP_SOCKET)}`, "-mon", "chardev=qmp,mode=control"],
    // One stream from two devices: the serial port until the guest has its virtio console.
    ...["-chardev", `socket,id=console,${at(CONSOLE_FD, CONSOLE_SOCKET)},mux=on`],
    ...["-serial", "chardev:console"],
    ...["-chardev", `socket,id=${AGENT_ID},${at(AGENT_FD, AGENT_SOCKET)}`],
    ...["-device", "virtio-serial-device,max_ports=2"],
    ...["-device", "virtconsole,chardev=console"],
    ...["-device", `virtserialport,id=${AGENT_ID},chardev=${AGENT_ID},name=${AGENT_PORT_NAME}`],
  ];
}

/** The guest gives pages back as it frees them; it is never asked to give more. Of a clone, see private-memory.c. */
const BALLOON = ["-device", "virtio-balloon-device,free-page-reporting=on,deflate-on-oom=on"];

/** Whether its disks and networks come later, or never. */
function isMadeWithout(template: TemplateRole | undefined): boolean {
  return template?.kind === "save" || template?.kind === "spare";
}

const ON_ERROR = "werror=report,rerror=report";

/** The same for QMP, and what else a disk that comes later is told of itself. */
export function pluggedDevice({ serial, disposable }: DiskConfig) {
  return {
    serial,
    opt_io_size: READ_SIZE,
    werror: "report",
    rerror: "report",
    ...(disposable && { "write-cache": "off" }),
  };
}

/**
 * What the guest is told to be the best size of a transfer, of which it reads two ahead (disk_update_readahead of
 * block/blk-settings.c, Linux 6.1). Its own 128 KiB are a request each, and a program is read in as it is first run.
 */
const READ_SIZE = 256 * 1024;

function diskArguments(
  disk: DiskConfig,
  index: number,
  { config: { runDirectory }, template }: QemuArgumentsOptions,
): string[] {
  const behind = isMadeWithout(template) ? emptyNode(disk) : diskNode(disk, index, runDirectory);
  // what is joined is put aside when the machine is saved
  const node =
    isMadeWithout(template) || disk.source.kind === "extents"
      ? changeableNode(disk, index, behind)
      : { "node-name": `disk${index}`, ...behind };
  return [
    ...["-blockdev", JSON.stringify(node)],
    // A disk of the host that is full is the guest's to hear of; QEMU would stop the machine for good.
    ...["-device", `virtio-blk-device,drive=disk${index},${deviceProperties(disk)},${ON_ERROR}`],
  ];
}

/**
 * What stands behind a disk, without a name of its own.
 *
 * @throws {VmmError} for one that this backend cannot have
 */
export function diskNode(disk: DiskConfig, index: number, runDirectory: string): Node {
  return blockNode(disk, descriptorPath(runDirectory, index));
}

/** The same. @param descriptor of a disk that is joined of extents: path of its VMDK descriptor */
export function blockNode(disk: DiskConfig, descriptor: string): Node {
  if (!/^[\x21-\x2b\x2d-\x7e]{1,20}$/.test(disk.serial)) {
    throw new VmmError(
      "VMM_CONFIG_INVALID",
      `disk serial ${JSON.stringify(disk.serial)} is not valid`,
    );
  }
  if (disk.source.kind === "extents" && !disk.readOnly) {
    throw new VmmError(
      "VMM_CONFIG_INVALID",
      `disk ${disk.serial} is joined of extents and writable`,
    );
  }
  const [driver, filename] =
    disk.source.kind === "extents" ? ["vmdk", descriptor] : [disk.source.format, disk.source.path];
  return throttledNode(disk, {
    driver,
    "read-only": disk.readOnly,
    discard: "unmap",
    ...(disk.disposable && { cache: { "no-flush": true } }),
    ...backingNode(disk),
    file: {
      driver: disk.source.kind === "file" && disk.source.isDevice ? "host_device" : "file",
      filename,
      // Read-only disks are shared by many VMs; a writable one is locked against a second writer.
      locking: disk.readOnly ? "off" : "on",
    },
  });
}

/** The disk below, which many VMs share. */
function backingNode({ source }: DiskConfig): Node {
  const filename = source.kind === "file" ? source.backing : undefined;
  if (filename === undefined) return {};
  const file = { driver: "file", filename, locking: "off" };
  return { backing: { driver: "raw", "read-only": true, file } };
}

/** Without a write cache of the disk's own the guest sends no flushes, each of which it would wait for. */
function deviceProperties({ serial, disposable }: DiskConfig): string {
  const cache = disposable ? ",write-cache=off" : "";
  return `serial=${serial},opt_io_size=${READ_SIZE}${cache}`;
}

function networkArguments(
  { mac, backend }: NetworkDeviceConfig,
  index: number,
  template: TemplateRole | undefined,
): string[] {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) {
    throw new VmmError("VMM_CONFIG_INVALID", `MAC address ${JSON.stringify(mac)} is not valid`);
  }
  const id = `net${index}`;
  const netdev =
    template?.kind === "save" && backend.kind === "stream"
      ? templateCard(index)
      : backend.kind === "tap"
        ? { type: "tap", id, ifname: backend.name, script: "no", downscript: "no" }
        : { type: "stream", id, server: false, addr: { type: "unix", path: backend.path } };
  return [
    ...["-netdev", JSON.stringify(netdev)],
    ...["-device", `virtio-net-device,netdev=${id},mac=${mac}`],
  ];
}
