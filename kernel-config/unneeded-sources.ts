/**
 * Parts of a kernel tree that this build never reads, as tar patterns in which `*` crosses folders: two thirds of the
 * bytes. Kconfig files stay everywhere, since the configuration reads them all.
 */
export const UNNEEDED_SOURCES: readonly string[] = [
  ...["alpha", "arc", "arm", "arm64", "csky", "hexagon", "ia64", "loongarch", "m68k"],
  ...["microblaze", "mips", "nios2", "openrisc", "parisc", "powerpc", "riscv", "s390", "sh"],
  ...["sparc", "xtensa"],
]
  .flatMap((architecture) => [`*/arch/${architecture}/*.[chS]`, `*/arch/${architecture}/*.dts*`])
  .concat(
    ["gpu", "media", "staging", "infiniband", "iio", "clk", "pinctrl"].map(
      (drivers) => `*/drivers/${drivers}/*.[ch]`,
    ),
    ["net/ethernet", "net/wireless"].map((drivers) => `*/drivers/${drivers}/*.[ch]`),
    ["sound", "samples"].map((part) => `*/${part}/*.[ch]`),
    ["testing", "perf", "power"].map((part) => `*/tools/${part}`),
    ["rst", "txt", "yaml", "svg", "json"].map((ending) => `*/Documentation/*.${ending}`),
  );
