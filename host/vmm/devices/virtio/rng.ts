/** The entropy device (virtio 1.2 §5.4): fills the guest's buffers from the host's getrandom(2). */

import { check, type System } from "../../kvm/system.ts";
import { VIRTIO_ID_RNG } from "./constants.ts";
import type { VirtioDevice } from "./device.ts";
import type { Virtqueue } from "./queue.ts";

/** The most that one buffer is filled with, in `bytes`; the driver asks again for more. */
const REQUEST_LIMIT = 256;

export class VirtioRng implements VirtioDevice {
  readonly name = "rng";
  readonly deviceId = VIRTIO_ID_RNG;
  readonly features = 0;
  readonly queueSizes = [8];
  readonly config = new Uint8Array(0);
  readonly #system: System;
  readonly #entropy;
  #queue: Virtqueue | undefined;

  constructor(system: System) {
    this.#system = system;
    this.#entropy = system.map(REQUEST_LIMIT);
  }

  attach(): void {}

  activate([queue]: readonly (Virtqueue | undefined)[]): void {
    this.#queue = queue;
    this.process();
  }

  reset(): void {
    this.#queue = undefined;
  }

  process(): void {
    this.#queue?.serve(({ writable }) => {
      const { address, bytes } = this.#entropy;
      const wanted = Math.min(writable.length, REQUEST_LIMIT);
      const length = check("getrandom", this.#system.getrandom(address, wanted));
      return writable.write(0, new Uint8Array(bytes, 0, length));
    });
  }
}
