/** A KVM virtual machine without its processors: memory slots, interrupt controllers, event descriptors. */

import * as kvm from "../../sys/kvm.ts";
import type { GuestAddress, GuestMemory } from "../memory/guest-memory.ts";
import { IDENTITY_MAP_ADDRESS, TSS_ADDRESS } from "../x86_64/layout.ts";
import { KvmError } from "./errors.ts";
import { control, KVM, type KvmName, type System } from "./system.ts";

const REQUIRED = ["KVM_CAP_IRQCHIP", "KVM_CAP_PIT2", "KVM_CAP_IRQFD", "KVM_CAP_IOEVENTFD"] as const;

/** The largest structure that a request of this file takes, in `bytes`. */
const ARGUMENT_SIZE = 64;

export class Vm {
  /** descriptor of the KVM device */
  readonly kvmFd: number;
  /** descriptor of the virtual machine */
  readonly fd: number;
  readonly #system: System;
  readonly #argument;

  /**
   * Creates the machine with its interrupt controllers and timer inside the kernel.
   *
   * @throws {KvmError} when this KVM lacks what the machine is made of
   */
  constructor(system: System, kvmFd: number) {
    this.#system = system;
    this.kvmFd = kvmFd;
    this.#argument = system.map(ARGUMENT_SIZE);
    const version = system.ioctl(kvmFd, kvm.KVM_GET_API_VERSION, 0);
    if (version !== kvm.KVM_API_VERSION) throw new KvmError(`unknown KVM API version ${version}`);
    for (const name of REQUIRED) {
      if (system.ioctl(kvmFd, kvm.KVM_CHECK_EXTENSION, KVM[name]) <= 0) {
        throw new KvmError(`this KVM lacks ${name}`);
      }
    }
    this.fd = control(system, kvmFd, "KVM_CREATE_VM", 0);
    this.#call("KVM_SET_TSS_ADDR", TSS_ADDRESS);
    this.#set("KVM_SET_IDENTITY_MAP_ADDR", (view) => {
      view.setBigUint64(0, BigInt(IDENTITY_MAP_ADDRESS), true);
    });
    this.#call("KVM_CREATE_IRQCHIP", 0);
    this.#set("KVM_CREATE_PIT2", (view) => {
      view.setUint32(kvm.kvm_pit_config.flags, 0, true);
    });
  }

  /** Gives the guest its memory, a slot for each region. The mapping must live as long as the machine. */
  setMemory(memory: GuestMemory): void {
    for (const [slot, region] of memory.regions.entries()) {
      this.#set("KVM_SET_USER_MEMORY_REGION", (view) => {
        const layout = kvm.kvm_userspace_memory_region;
        view.setUint32(layout.slot, slot, true);
        view.setBigUint64(layout.guest_phys_addr, BigInt(region.start), true);
        view.setBigUint64(layout.memory_size, BigInt(region.length), true);
        view.setBigUint64(layout.userspace_addr, BigInt(region.address), true);
      });
    }
  }

  /** From now on each write to `fd` is an edge on interrupt line `gsi`. */
  addIrqfd(fd: number, gsi: number): void {
    this.#set("KVM_IRQFD", (view) => {
      view.setUint32(kvm.kvm_irqfd.fd, fd, true);
      view.setUint32(kvm.kvm_irqfd.gsi, gsi, true);
    });
  }

  /** From now on a 32-bit write of the guest to `address` signals `fd` and does not exit. */
  addIoeventfd(fd: number, address: GuestAddress): void {
    this.#set("KVM_IOEVENTFD", (view) => {
      view.setBigUint64(kvm.kvm_ioeventfd.addr, BigInt(address), true);
      view.setUint32(kvm.kvm_ioeventfd.len, 4, true);
      view.setInt32(kvm.kvm_ioeventfd.fd, fd, true);
    });
  }

  /** A request on a zeroed structure that `fill` sets; the kernel copies it during the call. */
  #set(request: KvmName, fill: (view: DataView) => void): void {
    const { address, bytes } = this.#argument;
    new Uint8Array(bytes).fill(0);
    fill(new DataView(bytes));
    this.#call(request, address);
  }

  #call(request: KvmName, argument: number): void {
    control(this.#system, this.fd, request, argument);
  }
}
