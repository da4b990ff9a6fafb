/**
 * Main module of the child process that measures the host for `host/vmm/probe.ts`: a KVM that hangs must not hang us,
 * and koffi is not loaded by those who need no measurement. Prints a line of JSON for each finding, a `HostFinding`.
 */

import { type KvmMeasurement, measureKvm } from "./kvm-probe.ts";
import { measureTscKhz } from "./tsc.ts";

/** One finding; the KVM comes last. */
export type HostFinding = { readonly tscKhz: number | null } | { readonly kvm: KvmMeasurement };

const device = process.argv[2];

print({ tscKhz: measureTscKhz() ?? null });
if (device !== undefined) print({ kvm: measureKvm(device) });

function print(finding: HostFinding): void {
  process.stdout.write(`${JSON.stringify(finding)}\n`);
}
