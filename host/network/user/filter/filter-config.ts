/** What the filter between a hypervisor and passt is told. */

import type { NetworkRate } from "../../egress/network-rate.ts";

/** The descriptor that is the hypervisor's end of the card. */
export const CARD_FD = 3;

export interface FilterConfig {
  /** id of the container, for its denials */
  readonly container: string;
  /** passt's socket */
  readonly passt: string;
  /** file that it appends denials to, one line of JSON each */
  readonly denials: string;
  /** of the guest's card */
  readonly mac: string;
  /** the guest's address and its name server's */
  readonly address: string;
  readonly nameServer: string;
  /** as `parseEgress` reads it; absent: everything may be reached */
  readonly egress?: string;
  readonly rate?: NetworkRate;
  /** uid that it becomes; absent: it stays who it is */
  readonly runAs?: number;
}
