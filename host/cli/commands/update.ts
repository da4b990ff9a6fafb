/** dvm update: change the limits and the restart policy of containers, also while they run. */

import type { Command } from "../command.ts";
import { forEach } from "../each.ts";
import { cliError } from "../errors.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { parseCpus } from "../parse/cpus.ts";
import { type DeviceRate, orNone, parseDeviceBps, parseDeviceIops } from "../parse/device-rate.ts";
import { asText, type FlagValues, listFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { parseInteger } from "../parse/integer.ts";
import { parseMemorySize, parseSwapSize } from "../parse/memory-size.ts";
import { parseRestartPolicy } from "../parse/restart-policy.ts";

const integer = (help: string, short?: string) =>
  valueFlag({ placeholder: "int", help, parse: parseInteger, ...(short ? { short } : {}) });
const bytes = (help: string, short?: string) =>
  valueFlag({ placeholder: "bytes", help, parse: parseMemorySize, ...(short ? { short } : {}) });

const rate = (help: string, parse: (text: string) => DeviceRate) =>
  listFlag({ help: `${help}, or 0 for no limit`, parse: orNone(parse) });

const deviceRateFlags = {
  "device-read-bps": rate("Limit read rate (bytes per second) from a device", parseDeviceBps),
  "device-read-iops": rate("Limit read rate (IO per second) from a device", parseDeviceIops),
  "device-write-bps": rate("Limit write rate (bytes per second) to a device", parseDeviceBps),
  "device-write-iops": rate("Limit write rate (IO per second) to a device", parseDeviceIops),
} as const;

const flags = {
  ...helpFlag,
  "blkio-weight": integer("Block IO (relative weight), between 10 and 1000, or 0 to disable"),
  "cpu-period": integer("Limit CPU CFS (Completely Fair Scheduler) period"),
  "cpu-quota": integer("Limit CPU CFS (Completely Fair Scheduler) quota"),
  "cpu-shares": integer("CPU shares (relative weight)", "c"),
  cpus: valueFlag({ placeholder: "decimal", help: "Number of CPUs", parse: parseCpus }),
  "cpuset-cpus": valueFlag({
    placeholder: "string",
    help: "CPUs in which to allow execution (0-3, 0,1)",
    parse: asText,
  }),
  ...deviceRateFlags,
  memory: bytes("Memory limit", "m"),
  "memory-reservation": bytes("Memory soft limit"),
  "memory-swap": valueFlag({
    placeholder: "bytes",
    help: "Swap limit equal to memory plus swap: -1 to enable unlimited swap",
    parse: parseSwapSize,
  }),
  "pids-limit": integer("Tune container pids limit (set -1 for unlimited)"),
  restart: valueFlag({
    placeholder: "string",
    help: "Restart policy to apply when a container exits",
    parse: parseRestartPolicy,
  }),
} as const;

export const update: Command = {
  usage: "update [OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Update configuration of one or more containers",
  flags,
  run: async (words, context) => {
    const { values, args, given } = parseFlags(flags, words);
    checkCount(args, "update", { least: 1, most: Number.POSITIVE_INFINITY });
    if (given.size === 0) {
      throw cliError("ARGUMENTS", "you must provide one or more flags when using this command");
    }
    const body = updateBody(values);
    using daemon = await context.openDaemon();
    return await forEach({
      context,
      name: "update",
      references: args,
      act: async (reference) => {
        const warnings = await daemon.update(reference, body);
        for (const warning of warnings) context.stderr.write(`dvm: warning: ${warning}\n`);
        return reference;
      },
    });
  },
};

/** What was not given is left out, and stays as it is. */
function updateBody(values: FlagValues<typeof flags>): object {
  const { restart } = values;
  return {
    BlkioWeight: values["blkio-weight"],
    BlkioDeviceReadBps: rates(values["device-read-bps"]),
    BlkioDeviceWriteBps: rates(values["device-write-bps"]),
    BlkioDeviceReadIOps: rates(values["device-read-iops"]),
    BlkioDeviceWriteIOps: rates(values["device-write-iops"]),
    CpuPeriod: values["cpu-period"],
    CpuQuota: values["cpu-quota"],
    CpuShares: values["cpu-shares"],
    NanoCpus: values.cpus,
    CpusetCpus: values["cpuset-cpus"],
    Memory: values.memory,
    MemoryReservation: values["memory-reservation"],
    MemorySwap: values["memory-swap"],
    PidsLimit: values["pids-limit"],
    ...(restart === undefined
      ? {}
      : {
          RestartPolicy: { Name: restart.name, MaximumRetryCount: restart.maximumRetryCount },
        }),
  };
}

function rates(list: readonly DeviceRate[]): readonly object[] | undefined {
  if (list.length === 0) return undefined;
  return list.map(({ path, rate }) => ({ Path: path, Rate: rate }));
}
