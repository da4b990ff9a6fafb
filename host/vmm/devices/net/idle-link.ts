/** The link of a template's card, which leads nowhere: it offers what the clones' links will, and carries nothing. */

import { check, type System } from "../../kvm/system.ts";
import type { NetLink } from "./net-link.ts";

export class IdleLink implements NetLink {
  /** never ready */
  readonly fd: number;
  readonly features: number;

  constructor(system: System, features: number) {
    this.fd = check("eventfd", system.eventfd());
    this.features = features;
  }

  send(): boolean {
    return true;
  }

  flush(): boolean {
    return true;
  }

  receive(): undefined {
    return undefined;
  }
}
