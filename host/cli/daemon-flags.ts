/** Flags of `dvm create` and `dvm run` that only a daemon can keep: restarts, health, logs. */

import type { DaemonContainerConfig } from "../api/engine-api.ts";
import { cliError } from "./errors.ts";
import { parseDuration } from "./parse/duration.ts";
import { asText, booleanFlag, type FlagValues, listFlag, valueFlag } from "./parse/flag-set.ts";
import { parseInteger } from "./parse/integer.ts";
import { parseKeyValue } from "./parse/key-values.ts";
import { parseRestartPolicy } from "./parse/restart-policy.ts";

const LOG_DRIVERS = ["json-file", "local", "none"] as const;

const duration = (help: string) =>
  valueFlag({ placeholder: "duration", help, parse: parseDuration });

export const daemonFlags = {
  annotation: listFlag({
    placeholder: "map",
    help: "Add an annotation to the container (passed through to the engine)",
    parse: parseKeyValue,
  }),
  "health-cmd": valueFlag({
    placeholder: "string",
    help: "Command to run to check health",
    parse: asText,
  }),
  "health-interval": duration("Time between running the check (ms|s|m|h)"),
  "health-retries": valueFlag({
    placeholder: "int",
    help: "Consecutive failures needed to report unhealthy",
    parse: parseInteger,
  }),
  "health-start-interval": duration("Time between running the check during the start period"),
  "health-start-period": duration("Start period for the container to initialize"),
  "health-timeout": duration("Maximum time to allow one check to run (ms|s|m|h)"),
  "log-driver": valueFlag({
    placeholder: "string",
    help: `Logging driver for the container (${LOG_DRIVERS.join(", ")})`,
    parse: (text) => {
      const driver = LOG_DRIVERS.find((known) => known === text);
      if (driver === undefined) throw new Error(`must be one of ${LOG_DRIVERS.join(", ")}`);
      return driver;
    },
  }),
  "log-opt": listFlag({ help: "Log driver options", parse: parseKeyValue }),
  "no-healthcheck": booleanFlag({ help: "Disable any container-specified HEALTHCHECK" }),
  restart: valueFlag({
    placeholder: "string",
    help: "Restart policy to apply when a container exits",
    parse: parseRestartPolicy,
    defaultText: '"no"',
  }),
} as const;

type DaemonValues = FlagValues<typeof daemonFlags>;

/** @throws DvmError `CONFLICT` for flags that contradict each other */
export function daemonConfig(
  values: DaemonValues & { readonly rm: boolean },
): Pick<DaemonContainerConfig, "restartPolicy" | "log" | "healthcheck" | "annotations"> {
  const { restart, annotation } = values;
  if (restart !== undefined && restart.name !== "no" && values.rm) {
    throw cliError("CONFLICT", "conflicting options: cannot specify both --restart and --rm");
  }
  const health = healthcheck(values);
  return {
    ...(restart === undefined ? {} : { restartPolicy: restart }),
    ...(values["log-driver"] === undefined && values["log-opt"].length === 0
      ? {}
      : {
          log: {
            driver: values["log-driver"] ?? "json-file",
            options: Object.fromEntries(values["log-opt"]),
          },
        }),
    ...(health === undefined ? {} : { healthcheck: health }),
    ...(annotation.length === 0 ? {} : { annotations: Object.fromEntries(annotation) }),
  };
}

function healthcheck(values: DaemonValues): DaemonContainerConfig["healthcheck"] {
  const command = values["health-cmd"];
  const times = {
    interval: values["health-interval"],
    timeout: values["health-timeout"],
    startPeriod: values["health-start-period"],
    startInterval: values["health-start-interval"],
    retries: values["health-retries"],
  };
  const isGiven = command !== undefined || Object.values(times).some((each) => each !== undefined);
  if (values["no-healthcheck"]) {
    if (isGiven) throw cliError("CONFLICT", "--no-healthcheck conflicts with --health-* options");
    return { test: ["NONE"], ...zeros };
  }
  if (!isGiven) return undefined;
  const { interval = 0, timeout = 0, startPeriod = 0, startInterval = 0, retries = 0 } = times;
  return {
    test: command === undefined ? [] : ["CMD-SHELL", command],
    interval,
    timeout,
    startPeriod,
    startInterval,
    retries,
  };
}

const zeros = { interval: 0, timeout: 0, startPeriod: 0, startInterval: 0, retries: 0 };
