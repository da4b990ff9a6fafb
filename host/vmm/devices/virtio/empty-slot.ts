/** The place of a device that may come while the machine runs: the driver passes it over (virtio 1.2 §4.2.3.1.1). */

import type { VirtioDevice } from "./device.ts";

export class EmptySlot implements VirtioDevice {
  readonly name = "empty slot";
  readonly deviceId = 0;
  readonly features = 0;
  readonly queueSizes = [];
  readonly config = new Uint8Array();

  attach(): void {}
  activate(): void {}
  process(): void {}
  reset(): void {}
}
