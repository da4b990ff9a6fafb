/** Opens a hypervisor: the only place that knows which there are. */

import { VmmError } from "./errors.ts";
import type { Accelerator, Hypervisor } from "./hypervisor.ts";
import {
  type AcceleratorChoice,
  type AcceleratorRequest,
  chooseAccelerator,
  type HostProbe,
  probeHost,
} from "./probe.ts";

export interface HypervisorRequest {
  /** `--vmm`: which backend */
  readonly vmm: "qemu" | "kvm" | "auto";
  /** `--accel`: how guests are run */
  readonly accel: AcceleratorRequest;
  /** folder that keeps the host's measurement until its next boot */
  readonly cacheDirectory: string;
  /** folder of the templates that machines are cloned from; absent: every machine boots */
  readonly templates?: string | undefined;
}

export interface OpenedHypervisor {
  readonly hypervisor: Hypervisor;
  /** why this accelerator, in one sentence */
  readonly reason: string;
}

/**
 * Opens the backend that is asked for. Backends are loaded here and not before: a program that uses one does not
 * pay for the other.
 *
 * @throws {VmmError} VMM_KVM_UNUSABLE, or VMM_UNSUPPORTED for a combination that does not exist
 */
export async function openHypervisor(request: HypervisorRequest): Promise<OpenedHypervisor> {
  const probe = await probeHost(request);
  const { vmm, choice } = chooseBackend(request, probe);
  const { accelerator, reason } = choice;
  return { hypervisor: await load(vmm, accelerator, { ...probe, ...request }), reason };
}

/** The decision alone, from what was asked for and what was measured: our own VMM wherever KVM runs Linux. */
export function chooseBackend(
  { vmm, accel }: Pick<HypervisorRequest, "vmm" | "accel">,
  { kvm }: Pick<HostProbe, "kvm">,
): { readonly vmm: "qemu" | "kvm"; readonly choice: AcceleratorChoice } {
  if (vmm === "auto" && accel !== "tcg" && kvm.usable) {
    return { vmm: "kvm", choice: chooseAccelerator("kvm", kvm) };
  }
  if (vmm !== "kvm") return { vmm: "qemu", choice: chooseAccelerator(accel, kvm) };
  if (accel === "tcg") {
    throw new VmmError("VMM_UNSUPPORTED", "the kvm backend cannot use the accelerator tcg", {
      hint: "use `--vmm qemu`",
    });
  }
  return { vmm, choice: chooseAccelerator("kvm", kvm) };
}

async function load(
  vmm: "qemu" | "kvm",
  accelerator: Accelerator,
  { tscKhz, templates }: Pick<HostProbe, "tscKhz"> & Pick<HypervisorRequest, "templates">,
): Promise<Hypervisor> {
  if (vmm === "kvm") {
    const { KvmHypervisor } = await import("./process/kvm-hypervisor.ts");
    return new KvmHypervisor({ templates });
  }
  const { QemuHypervisor } = await import("./qemu/qemu-hypervisor.ts");
  return new QemuHypervisor({
    accelerator,
    ...(tscKhz !== undefined && { tscKhz }),
    ...(templates !== undefined && { templates }),
  });
}
