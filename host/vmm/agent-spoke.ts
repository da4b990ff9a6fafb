/** The first byte of a guest's agent. */

import type { Duplex } from "node:stream";
import { VmmError } from "./errors.ts";

/**
 * Resolves when the guest agent has sent something, and leaves that to be read.
 *
 * @param agent stream to its port
 * @param closed resolves when the guest has closed the port, if the stream does not tell
 * @throws {VmmError} VMM_AGENT_CLOSED
 */
export async function agentSpoke(agent: Duplex, closed?: Promise<void>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const refuse = () => reject(new VmmError("VMM_AGENT_CLOSED", "the guest agent closed its port"));
  // At the end of the stream `readable` comes too, and nothing can be read.
  const look = (): void => {
    if (agent.readableLength > 0) resolve();
    else if (agent.readableEnded || agent.destroyed) refuse();
  };
  void closed?.then(refuse);
  const events = ["readable", "end", "close"];
  for (const event of events) agent.on(event, look);
  look();
  try {
    await promise;
  } finally {
    for (const event of events) agent.off(event, look);
  }
}
