/** What the process between a hypervisor and its passts is told, and where it is found: names in its own folder. */

import type { ArpRequest } from "./arp-request.ts";

export interface SwitchConfig {
  /** socket of the first passt */
  readonly passt: string;
  /** what the guest would ask a passt, which knows it by that */
  readonly greeting: ArpRequest;
  /** uid that it becomes; absent: it stays who it is */
  readonly runAs?: number;
}

/** The descriptor that is the hypervisor's end of the card. */
export const CARD_FD = 3;
/** Where a daemon connects: it is sent the routes there are, as one line of JSON, and sends those that are to be. */
export const CONTROL_SOCKET = "control.sock";
