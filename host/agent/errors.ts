/** What can go wrong between host and guest agent. */

import { errorTable } from "../errors.ts";

export const agentError = errorTable({
  AGENT_LOST: {
    exitCode: 125,
    hint: "the guest's console log may say why: run again with --verbose",
  },
  AGENT_PROTOCOL: {
    exitCode: 125,
    hint: "the guest is hostile or its agent is of another version: run 'npm run setup'",
  },
  AGENT_TIMEOUT: { exitCode: 125, hint: "the machine may be overloaded: try again" },
});
