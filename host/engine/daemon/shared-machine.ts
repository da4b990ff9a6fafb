/** A running machine as those see it that run in it with its own container, or are to. */

import type { AgentClient } from "../../agent/agent-client.ts";
import type { Machine, ShareConfig } from "../../vmm/hypervisor.ts";
import type { Serial } from "./serial.ts";

export interface SharedMachine {
  /** id of the container whose machine it is */
  readonly owner: string;
  readonly machine: Machine;
  /** the conversation with its guest, which is the owner's */
  readonly agent: AgentClient;
  readonly vcpus: number;
  /** when the guest's kernel started, in `milliseconds` since the epoch */
  readonly bootedAt: number;
  /** in which those that join get their disks: of more than eight pieces of news at once the guest's kernel loses some */
  readonly turns: Serial;
  /** ids of the containers that run in it beside the owner */
  readonly joined: Set<string>;
  /** what of the host it has had since it was started */
  readonly shares: readonly ShareConfig[];
  /** folder on the host that goes with it */
  readonly runDirectory: string;
}
