/** dvm network connect and disconnect: refused, since a running machine gets no further card. */

import type { Command } from "../command.ts";
import { cliError } from "../errors.ts";
import { booleanFlag, parseFlags } from "../parse/flag-set.ts";

const flags = { help: booleanFlag({ help: "Print usage" }) } as const;

export const networkConnect: Command = refusal("connect", "Connect a container to a network");
export const networkDisconnect: Command = refusal(
  "disconnect",
  "Disconnect a container from a network",
);

function refusal(verb: "connect" | "disconnect", summary: string): Command {
  return {
    usage: `network ${verb} NETWORK CONTAINER`,
    summary: `${summary} (not supported yet)`,
    flags,
    run: async (words) => {
      parseFlags(flags, words);
      throw cliError("UNSUPPORTED", `network ${verb} is not supported yet`, {
        hint: "name the networks when the container is made: dvm run --network A --network B",
      });
    },
  };
}
