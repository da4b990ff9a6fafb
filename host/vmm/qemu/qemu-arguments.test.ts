import assert from "node:assert/strict";
import { test } from "node:test";
import { VmmError } from "../errors.ts";
import type { MachineConfig } from "../hypervisor.ts";
import { shapeOf } from "../template/machine-shape.ts";
import { qemuArguments } from "./qemu-arguments.ts";

const config: MachineConfig = {
  id: "c0ffee",
  kernel: "/k/vmlinux",
  initramfs: "/k/initramfs",
  commandLine: ["quiet"],
  memoryMiB: 256,
  vcpus: 1,
  disks: [
    {
      serial: "dvm-image",
      readOnly: true,
      source: { kind: "extents", extents: [{ kind: "zero", length: 4096 }] },
    },
    {
      serial: "dvm-upper",
      readOnly: false,
      source: { kind: "file", path: "/c/a,b.qcow2", format: "qcow2" },
    },
  ],
  networks: [
    { mac: "02:00:00:00:00:01", backend: { kind: "tap", name: "dvm0" } },
    { mac: "02:00:00:00:00:02", backend: { kind: "stream", path: "/r/net,1" } },
  ],
  shares: [],
  runDirectory: "/r",
};

const golden = `
-name dvm-c0ffee
-nodefaults
-no-user-config
-display none
-no-reboot
-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
-machine microvm,acpi=off,pic=on,pit=on,rtc=on,isa-serial=on,usb=off,pcie=off,ioapic2=off
-accel tcg,thread=multi
-cpu max,-erms,-fsrm
-m 256M
-smp 1
-global virtio-mmio.force-legacy=false
-kernel /k/vmlinux
-initrd /k/initramfs
-append quiet no_timer_check tsc_early_khz=2600000 tsc=reliable nolapic_timer noreplace-smp scsi_mod.scan=manual earlyprintk=serial,ttyS0,115200 console=hvc0 panic=-1 reboot=t
-chardev socket,id=qmp,fd=3
-mon chardev=qmp,mode=control
-chardev socket,id=console,fd=4,mux=on
-serial chardev:console
-chardev socket,id=agent,fd=5
-device virtio-serial-device,max_ports=2
-device virtconsole,chardev=console
-device virtserialport,id=agent,chardev=agent,name=dvm.agent
-object rng-builtin,id=rng
-device virtio-rng-device,rng=rng
-device virtio-balloon-device,free-page-reporting=on,deflate-on-oom=on
-blockdev {"node-name":"disk0","driver":"raw","read-only":true,"discard":"unmap","file":{"driver":"vmdk","read-only":true,"discard":"unmap","file":{"driver":"file","filename":"/r/disk-0.vmdk","locking":"off"}}}
-device virtio-blk-device,drive=disk0,serial=dvm-image,opt_io_size=262144,werror=report,rerror=report
-blockdev {"node-name":"disk1","driver":"qcow2","read-only":false,"discard":"unmap","file":{"driver":"file","filename":"/c/a,b.qcow2","locking":"on"}}
-device virtio-blk-device,drive=disk1,serial=dvm-upper,opt_io_size=262144,werror=report,rerror=report
-device virtio-scsi-device,id=plugs
-netdev {"type":"tap","id":"net0","ifname":"dvm0","script":"no","downscript":"no"}
-device virtio-net-device,netdev=net0,mac=02:00:00:00:00:01
-netdev {"type":"stream","id":"net1","server":false,"addr":{"type":"unix","path":"/r/net,1"}}
-device virtio-net-device,netdev=net1,mac=02:00:00:00:00:02
`;

test("the command line of a machine with everything", () => {
  const args = qemuArguments({ config, accelerator: "tcg", tscKhz: 2_600_000 });
  assert.equal(lines(args), golden.trim());
});

test("with KVM the CPU is the host's and the kernel finds its clocks by itself", () => {
  const text = lines(qemuArguments({ config, accelerator: "kvm", tscKhz: 2_600_000 }));
  assert.match(text, /^-accel kvm\n-cpu host$/m);
  assert.match(text, /^-append quiet scsi_mod\S+ earlyprintk=\S+ console=hvc0 panic=-1 reboot=t$/m);
});

test("several CPUs keep their local timers and their locks", () => {
  const smp = { ...config, vcpus: 2 };
  const text = lines(qemuArguments({ config: smp, accelerator: "tcg" }));
  assert.match(text, /^-append quiet no_timer_check scsi_mod\S+ earlyprintk/m);
  assert.match(text, /^-smp 2$/m);
});

test("a disk that goes with the machine is never flushed, by the guest or by QEMU", () => {
  const source = { kind: "file", path: "/d", format: "raw" } as const;
  const disk = { serial: "upper", readOnly: false, source };
  const argumentsFor = (disposable: boolean) =>
    lines(
      qemuArguments({
        config: { ...config, disks: [{ ...disk, disposable }] },
        accelerator: "tcg",
      }),
    );
  assert.match(argumentsFor(true), /"cache":\{"no-flush":true\}/);
  assert.match(argumentsFor(true), /^-device virtio-blk-device,.*,write-cache=off,/m);
  assert.doesNotMatch(argumentsFor(false), /no-flush|write-cache/);
});

test("what is shared is one device, and its server has the machine's memory", () => {
  const shares = [
    { name: "s0", path: "/p", readOnly: false },
    { name: "s1", path: "/q", readOnly: true },
  ];
  const networks: MachineConfig["networks"] = [];
  const text = lines(
    qemuArguments({ config: { ...config, networks, shares }, accelerator: "tcg" }),
  );
  assert.match(text, /^-object memory-backend-memfd,id=memory,size=256M,share=on$/m);
  assert.match(text, /^-machine memory-backend=memory$/m);
  assert.match(text, /^-chardev socket,id=shares,path=\/r\/shares.sock$/m);
  assert.equal(text.match(/^-device vhost-user-fs-device,.*tag=dvm,/gm)?.length, 1);
});

test("disks with the same limits share a throttle group", () => {
  const limits = { read: { bytesPerSecond: 1000 }, write: { operationsPerSecond: 5 } };
  const disks = config.disks.map((disk) => ({ ...disk, limits }));
  const args = qemuArguments({ config: { ...config, disks }, accelerator: "tcg" });
  const objects = args.filter((word) => word.includes('"qom-type":"throttle-group"'));
  assert.deepEqual(
    objects.map((text) => JSON.parse(text).limits),
    [{ "bps-read": 1000, "iops-write": 5 }],
  );
  const nodes = args.filter((word) => word.startsWith('{"node-name":"disk'));
  const group = JSON.parse(objects[0] ?? "{}").id;
  assert.equal(nodes.length, 2);
  for (const node of nodes) assert.ok(node.includes(`"throttle-group":"${group}"`), node);
});

test("what could be read as another option, or cannot be made, is refused", () => {
  const [disk] = config.disks;
  assert.ok(disk);
  const file = { kind: "file", path: "/d", format: "raw" } as const;
  const bad: Partial<MachineConfig>[] = [
    { id: "a,b" },
    { id: "" },
    { commandLine: ["a\nb"] },
    { commandLine: ["x".repeat(2000)] },
    { disks: [{ ...disk, serial: "a,id=b" }] },
    { disks: [{ ...disk, serial: "s".repeat(21) }] },
    { disks: [{ ...disk, readOnly: false }] },
    { disks: [{ serial: "", readOnly: true, source: file }] },
    { networks: [{ mac: "02:00,x", backend: { kind: "tap", name: "t" } }] },
    { disks: Array.from({ length: 9 }, (_, index) => ({ ...disk, serial: `d${index}` })) },
  ];
  for (const change of bad) {
    assert.throws(
      () => qemuArguments({ config: { ...config, ...change }, accelerator: "tcg" }),
      VmmError,
      JSON.stringify(change),
    );
  }
});

/** One option a line. */
function lines(args: readonly string[]): string {
  return args.join(" ").replaceAll(/ (?=-[a-z][a-z-]*( |$))/g, "\n");
}

test("what is a machine's own is not in the arguments of its template", () => {
  const changes: Partial<MachineConfig> = {
    id: "other",
    runDirectory: "/other",
    disks: config.disks.map((disk) => ({
      ...disk,
      source: { kind: "file", path: "/other/disk", format: "raw" },
      limits: { read: { bytesPerSecond: 1 } },
    })),
    networks: [
      { mac: "02:00:00:00:00:0a", backend: { kind: "tap", name: "dvm7" } },
      { mac: "02:00:00:00:00:0b", backend: { kind: "stream", path: "/other/net" } },
    ],
  };
  assert.deepEqual(templateArgs({ ...config, ...changes }), templateArgs(config));
});

test("what the guest has seen of its machine is in the arguments of its template", () => {
  const [image, upper] = config.disks;
  assert.ok(image && upper);
  const changes: Partial<MachineConfig>[] = [
    { memoryMiB: 257 },
    { vcpus: 2 },
    { commandLine: [] },
    { kernel: "/other" },
    { disks: [image] },
    { disks: [image, { ...upper, serial: "other" }] },
    { disks: [image, { ...upper, readOnly: true }] },
    { disks: [image, { ...upper, disposable: true }] },
    { networks: config.networks.slice(1) },
    { networks: config.networks.toReversed() },
  ];
  for (const change of changes) {
    assert.notDeepEqual(templateArgs({ ...config, ...change }), templateArgs(config));
  }
});

test("a clone maps its memory privately, from a descriptor, and gives back what it frees", () => {
  const args = qemuArguments({ config, accelerator: "tcg", template: { kind: "clone" } });
  assert.ok(
    args.includes("memory-backend-file,id=memory,size=256M,mem-path=/proc/self/fd/7,share=off"),
  );
  assert.ok(args.some((word) => word.includes("free-page-reporting=on")));
});

test("a machine with shares has no template", () => {
  const shares = [{ name: "s", path: "/s", readOnly: true }];
  assert.equal(shapeOf({ ...config, shares }), undefined);
});

function templateArgs(machine: MachineConfig): string[] {
  const shape = shapeOf(machine);
  assert.ok(shape);
  const template = { kind: "save", memory: "/t/memory" } as const;
  return qemuArguments({ config: shape, accelerator: "tcg", template });
}
