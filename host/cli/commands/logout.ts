/** dvm logout: forgets a registry's credentials. */

import { forgetCredentials } from "../../api/client/registry-access.ts";
import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { parseFlags } from "../parse/flag-set.ts";
import { helpFlag } from "../parse/image-flags.ts";
import { registryHost } from "./login.ts";

export const logout: Command = {
  usage: "logout [SERVER]",
  summary: "Log out from a registry",
  flags: helpFlag,
  run: async (words, context) => {
    const { args } = parseFlags(helpFlag, words);
    if (args.length > 1) throw cliError("ARGUMENTS", "'dvm logout' accepts at most 1 argument");
    const host = registryHost(args[0]);
    const known = await forgetCredentials(host);
    context.stdout.write(
      known ? `Removing login credentials for ${host}\n` : `Not logged in to ${host}\n`,
    );
    return 0;
  },
};
