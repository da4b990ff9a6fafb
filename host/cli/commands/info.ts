/** dvm info: the daemon, its machine, and what it has. */

import {
  type Infer,
  integer,
  list,
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
  LoggingDriver: string,
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

function infoText(about: Infer<typeof infoAnswer>): string {
  const rows: readonly (readonly [string, string | number])[] = [
    ["Containers", about.Containers],
    [" Running", about.ContainersRunning],
    [" Paused", about.ContainersPaused],
    [" Stopped", about.ContainersStopped],
    ["Images", about.Images],
    ["Server Version", about.ServerVersion],
    ["Storage Driver", about.Driver],
    ["Logging Driver", about.LoggingDriver],
    ["Kernel Version", about.KernelVersion],
    ["Operating System", about.OperatingSystem],
    ["OSType", about.OSType],
    ["Architecture", about.Architecture],
    ["CPUs", about.NCPU],
    ["Total Memory", binarySize(about.MemTotal)],
    ["Name", about.Name],
    ["ID", about.ID],
    ["Root Dir", about.DockerRootDir],
  ];
  const lines = rows.map(([name, value]) => ` ${name}: ${printableText(String(value))}\n`);
  return `Server:\n${lines.join("")}`;
}
