/** What the guest's processors say of themselves: KVM's supported CPUID leaves, less what we do not offer. */

/** Fields of a struct kvm_cpuid_entry2; `flags` are KVM_CPUID_FLAG_ bits. */
export const CPUID_FIELDS = ["function", "index", "flags", "eax", "ebx", "ecx", "edx"] as const;

/** One answer of the CPUID instruction. */
export type CpuidEntry = Readonly<Record<(typeof CPUID_FIELDS)[number], number>>;

/** Which processor of how many. */
export interface CpuidTopology {
  readonly apicId: number;
  readonly vcpus: number;
}

const SIGNIFICANT_INDEX = 1;

// Leaf 1.
const ECX_MONITOR = 1 << 3;
const ECX_VMX = 1 << 5;
const ECX_PDCM = 1 << 15;
const ECX_X2APIC = 1 << 21;
const ECX_TSC_DEADLINE = 1 << 24;
const ECX_HYPERVISOR = 1 << 31;
const EDX_MTRR = 1 << 12;
const EDX_HTT = 1 << 28;
const EBX_LOW_HALF = 0xffff;

// Leaf 0x80000001.
const ECX_CMP_LEGACY = 1 << 1;
const ECX_SVM = 1 << 2;
const ECX_PERFCTR_CORE = 1 << 23;

/** Leaves that are left out whole: deterministic topology (made anew), performance counters, nested SVM. */
const REMOVED = new Set([0xa, 0xb, 0x1f, 0x8000000a, 0x80000022]);

/**
 * Filters the supported leaves for one processor. No nested virtualisation, no performance counters, no
 * MTRRs (KVM maps guest memory write-back by itself); all processors are cores of one socket.
 */
export function filterCpuid(
  supported: readonly CpuidEntry[],
  topology: CpuidTopology,
): readonly CpuidEntry[] {
  const kept = supported
    .filter((entry) => !REMOVED.has(entry.function))
    .map((entry) => ({ ...entry, ...changes(entry, topology) }));
  return [...kept, ...extendedTopology(topology)];
}

function changes(entry: CpuidEntry, { apicId, vcpus }: CpuidTopology): Partial<CpuidEntry> {
  switch (entry.function) {
    case 0x1:
      return {
        ebx: (entry.ebx & EBX_LOW_HALF) | (vcpus << 16) | (apicId << 24),
        ecx:
          (entry.ecx & ~(ECX_MONITOR | ECX_VMX | ECX_PDCM)) |
          (ECX_X2APIC | ECX_TSC_DEADLINE | ECX_HYPERVISOR),
        edx: vcpus > 1 ? (entry.edx & ~EDX_MTRR) | EDX_HTT : entry.edx & ~(EDX_MTRR | EDX_HTT),
      };
    case 0x4: // Intel's caches: cores that share, and cores in the package
      return { eax: (entry.eax & 0x3fff) | ((vcpus - 1) << 26) };
    case 0x80000001:
      return {
        ecx:
          (entry.ecx & ~(ECX_SVM | ECX_PERFCTR_CORE | ECX_CMP_LEGACY)) |
          (vcpus > 1 ? ECX_CMP_LEGACY : 0),
        edx: entry.edx & ~EDX_MTRR,
      };
    case 0x80000008: // AMD: number of cores, less one, and bits of the APIC id that number them
      return { ecx: (coreBits(vcpus) << 12) | (vcpus - 1) };
    case 0x8000001e: // AMD: extended APIC id; one thread a core, one node
      return { eax: apicId, ebx: apicId, ecx: 0, edx: 0 };
    default:
      return {};
  }
}

/** Leaf 0xb: one thread per core, all cores in one package. */
function extendedTopology({ apicId, vcpus }: CpuidTopology): CpuidEntry[] {
  const level = (index: number, eax: number, ebx: number, type: number): CpuidEntry => ({
    function: 0xb,
    index,
    flags: SIGNIFICANT_INDEX,
    eax,
    ebx,
    ecx: (type << 8) | index,
    edx: apicId,
  });
  return [level(0, 0, 1, 1), level(1, coreBits(vcpus), vcpus, 2), level(2, 0, 0, 0)];
}

const coreBits = (vcpus: number): number => Math.ceil(Math.log2(vcpus));
