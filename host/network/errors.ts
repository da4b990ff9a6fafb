/** What a network refuses or cannot do. */

import { errorTable } from "../errors.ts";

export const networkError = errorTable({
  /** a setting that makes no sense, or that the mode does not have */
  NETWORK_INVALID: { exitCode: 125 },
  NETWORK_UNSUPPORTED: { exitCode: 125 },
  NETWORK_TOOL_MISSING: { exitCode: 125 },
  NETWORK_PRIVILEGE: {
    exitCode: 125,
    hint: "--network user needs no privilege; bridges need root",
  },
  NETWORK_FAILED: { exitCode: 125, hint: "--network none works without a network" },
  NO_SUCH_NETWORK: { exitCode: 125, hint: "dvm network ls lists the networks" },
  NETWORK_EXISTS: { exitCode: 1, hint: "pick another name, or remove that network" },
  NETWORK_IN_USE: { exitCode: 1, hint: "end its containers first" },
  SUBNET_OVERLAP: { exitCode: 1, hint: "name another one with --subnet" },
  POOL_EXHAUSTED: { exitCode: 125, hint: "end a container of the network, or make a larger one" },
  ADDRESS_IN_USE: { exitCode: 125, hint: "leave --ip out, or name another address" },
  PORT_IN_USE: {
    exitCode: 125,
    hint: "end what listens there, or publish on another port (-p 0:PORT picks a free one)",
  },
});
