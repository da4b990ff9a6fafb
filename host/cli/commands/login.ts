/** dvm login: credentials that the registry has taken, kept where Docker keeps them. */

import { text as readAll } from "node:stream/consumers";
import { keepCredentials } from "../../api/client/registry-access.ts";
import type { CliContext, Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { asText, booleanFlag, parseFlags, valueFlag } from "../parse/flag-set.ts";
import { helpFlag, insecureFlag } from "../parse/image-flags.ts";
import { askPassword, askUser } from "../terminal/ask.ts";

const flags = {
  ...helpFlag,
  ...insecureFlag,
  password: valueFlag({ short: "p", placeholder: "string", help: "Password", parse: asText }),
  "password-stdin": booleanFlag({ help: "Take the password from stdin" }),
  username: valueFlag({ short: "u", placeholder: "string", help: "Username", parse: asText }),
} as const;

type Values = ReturnType<typeof parseFlags<typeof flags>>["values"];

export const login: Command = {
  usage: "login [OPTIONS] [SERVER]",
  summary: "Authenticate to a registry",
  flags,
  run: async (words, context) => {
    const { values, args } = parseFlags(flags, words);
    if (args.length > 1) throw cliError("ARGUMENTS", "'dvm login' accepts at most 1 argument");
    const host = registryHost(args[0]);
    const credentials = await readCredentials(values, context);
    using daemon = await context.openDaemon();
    await daemon.login(host, credentials, values["insecure-registry"]);
    const helper = await keepCredentials(host, credentials);
    if (helper === undefined) {
      context.stderr.write(
        "WARNING! Your password will be stored unencrypted in Docker's config.json.\n" +
          "Configure a credential helper to remove this warning.\n",
      );
    }
    context.stdout.write("Login Succeeded\n");
    return 0;
  },
};

/** The server's host: a scheme and a path, as old instructions have them, do not count. */
export function registryHost(server: string | undefined): string {
  return (server ?? "docker.io").replace(/^https?:\/\//, "").split("/", 1)[0] ?? "docker.io";
}

async function readCredentials(
  values: Values,
  context: CliContext,
): Promise<{ readonly username: string; readonly password: string }> {
  const { username, password } = values;
  if (values["password-stdin"]) {
    if (password !== undefined)
      throw cliError("CONFLICT", "--password and --password-stdin are mutually exclusive");
    if (username === undefined)
      throw cliError("CONFLICT", "Must provide --username with --password-stdin");
    return { username, password: (await readAll(context.stdin)).replace(/\r?\n$/, "") };
  }
  if (password !== undefined) {
    context.stderr.write(
      "WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n",
    );
  }
  const name = username ?? (await askUser(context));
  return { username: name, password: password ?? (await askPassword(context)) };
}
