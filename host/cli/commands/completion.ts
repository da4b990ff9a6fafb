/** dvm completion: the script that makes a shell complete dvm's command line. */

import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { checkCount, helpFlag } from "../parse/common-flags.ts";
import { parseFlags } from "../parse/flag-set.ts";
import { completionScripts } from "../render/completion-scripts.ts";

export const completion: Command = {
  usage: "completion bash|zsh|fish",
  summary: "Print the completion script of a shell",
  flags: helpFlag,
  run: async (words, context) => {
    const { args } = parseFlags(helpFlag, words);
    checkCount(args, "completion", { least: 1 });
    const [shell = ""] = args;
    const script = completionScripts.get(shell);
    if (script === undefined) {
      throw cliError("ARGUMENTS", `no completion for ${shell}: it is there for bash, zsh and fish`);
    }
    context.stdout.write(script);
    return 0;
  },
};
