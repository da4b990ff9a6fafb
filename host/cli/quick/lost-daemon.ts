/** What is known of a container whose daemon was lost while it runs on: who follows it goes on after so many `bytes`. */

import { boolean, type Infer, integer, list, object, string } from "../../api/docker/schema.ts";

export const lostDaemon = object({
  container: string,
  autoRemove: boolean,
  proxySignals: boolean,
  stdout: integer,
  stderr: integer,
  /** numbers of those that have come meanwhile */
  signals: list(integer),
});

export type LostDaemon = Infer<typeof lostDaemon>;
