/** dvm info: the daemon, its machine, and what it has. */

import {
  any,
  boolean,
  type Infer,
  integer,
  list,
  map,
  object,
  readBySchema,
  string,
} from "../../api/docker/schema.ts";
import { printableText } from "../../printable-text.ts";
import type { Command } from "../command.ts";
import { checkCount, helpFlag, objectFormatFlag } from "../parse/common-flags.ts";
import { parseFlags } from "../parse/flag-set.ts";
import { binarySize } from "../render/size.ts";
import { parseTemplate } from "../render/template.ts";

const flags = { ...helpFlag, ...objectFormatFlag } as const;

const infoAnswer = object({
  ID: string,
  Name: string,
  Containers: integer,
  ContainersRunning: integer,
  ContainersPaused: integer,
  ContainersStopped: integer,
  Images: integer,
  Driver: string,
  DriverStatus: list(list(string)),
  LoggingDriver: string,
  CgroupDriver: string,
  CgroupVersion: string,
  Plugins: object({ Volume: list(string), Network: list(string), Log: list(string) }),
  Runtimes: map(any),
  DefaultRuntime: string,
  SecurityOptions: list(string),
  RegistryConfig: object({
    InsecureRegistryCIDRs: list(string),
    IndexConfigs: map(object({ Secure: boolean })),
    Mirrors: list(string),
  }),
  ExperimentalBuild: boolean,
  LiveRestoreEnabled: boolean,
  KernelVersion: string,
  OperatingSystem: string,
  OSType: string,
  Architecture: string,
  NCPU: integer,
  MemTotal: integer,
  ServerVersion: string,
  DockerRootDir: string,
  Warnings: list(string),
});

export const info: Command = {
  usage: "info [OPTIONS]",
  summary: "Display system-wide information",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    checkCount(args, "info", {});
    const { format } = values;
    const template = format && format !== "json" ? parseTemplate(format) : undefined;
    using daemon = await context.openDaemon();
    const answer = await daemon.info();
    if (template !== undefined) context.stdout.write(`${template(answer)}\n`);
    else if (format === "json") context.stdout.write(`${JSON.stringify(answer)}\n`);
    else {
      const about = readBySchema(infoAnswer, answer);
      context.stdout.write(infoText(about));
      for (const warning of about.Warnings) context.stderr.write(`WARNING: ${warning}\n`);
    }
    return 0;
  },
};

type Row = readonly [name: string, value: string | number | undefined];

function infoText(about: Infer<typeof infoAnswer>): string {
  const { InsecureRegistryCIDRs, IndexConfigs, Mirrors: mirrors } = about.RegistryConfig;
  const named = Object.entries(IndexConfigs).filter(([, { Secure }]) => !Secure);
  const insecure = [...named.map(([host]) => host), ...InsecureRegistryCIDRs];
  const rows: readonly Row[] = [
    ["Containers", about.Containers],
    [" Running", about.ContainersRunning],
    [" Paused", about.ContainersPaused],
    [" Stopped", about.ContainersStopped],
    ["Images", about.Images],
    ["Server Version", about.ServerVersion],
    ["Storage Driver", about.Driver],
    ...about.DriverStatus.map(([name = "", value = ""]) => [` ${name}`, value] as const),
    ["Logging Driver", about.LoggingDriver],
    ["Cgroup Driver", about.CgroupDriver],
    ["Cgroup Version", about.CgroupVersion],
    ["Plugins", ""],
    [" Volume", about.Plugins.Volume.join(" ")],
    [" Network", about.Plugins.Network.join(" ")],
    [" Log", about.Plugins.Log.join(" ")],
    ["Runtimes", Object.keys(about.Runtimes).join(" ")],
    ["Default Runtime", about.DefaultRuntime],
    ["Security Options", ""],
    ...about.SecurityOptions.map((text) => [` ${text.replace("name=", "")}`, undefined] as const),
    ["Kernel Version", about.KernelVersion],
    ["Operating System", about.OperatingSystem],
    ["OSType", about.OSType],
    ["Architecture", about.Architecture],
    ["CPUs", about.NCPU],
    ["Total Memory", binarySize(about.MemTotal)],
    ["Name", about.Name],
    ["ID", about.ID],
    ["Root Dir", about.DockerRootDir],
    ["Experimental", String(about.ExperimentalBuild)],
    ["Insecure Registries", ""],
    ...insecure.map((host) => [` ${host}`, undefined] as const),
    ...(mirrors.length === 0 ? [] : [["Registry Mirrors", ""] as const]),
    ...mirrors.map((url) => [` ${url}`, undefined] as const),
    ["Live Restore Enabled", String(about.LiveRestoreEnabled)],
  ];
  return `Server:\n${rows.map(line).join("")}`;
}

/** One without a value is an item of a list. */
function line([name, value]: Row): string {
  const rest = value === undefined ? "" : `: ${printableText(String(value))}`.trimEnd();
  return ` ${printableText(name)}${rest}\n`;
}
