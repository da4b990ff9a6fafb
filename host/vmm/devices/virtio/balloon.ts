/**
 * The memory balloon (virtio 1.2 §5.5): pages that the guest gives up, on request (inflate) or of its own
 * accord because they are free (free page reporting), go back to the host. Reading them yields zeros, or what the
 * template of a clone has there: a driver that has not negotiated VIRTIO_BALLOON_F_PAGE_POISON relies on neither.
 */

import { check, type System } from "../../kvm/system.ts";
import type { Chain } from "./chain.ts";
import { VIRTIO_ID_BALLOON } from "./constants.ts";
import type { DeviceHost, VirtioDevice } from "./device.ts";
import type { Virtqueue } from "./queue.ts";

const VIRTIO_BALLOON_F_DEFLATE_ON_OOM = 2;
const VIRTIO_BALLOON_F_REPORTING = 5;

const PAGE_SHIFT = 12;
const PAGE_SIZE = 1 << PAGE_SHIFT;
const FRAME_NUMBER_SIZE = 4;
/** VIRTIO_BALLOON_ARRAY_PFNS_MAX of Linux: how many page numbers come in one buffer */
const FRAME_NUMBERS_LIMIT = 256;

/** asm-generic/mman-common.h */
const MADV_DONTNEED = 4;

export class VirtioBalloon implements VirtioDevice {
  readonly name = "balloon";
  readonly deviceId = VIRTIO_ID_BALLOON;
  readonly features = (1 << VIRTIO_BALLOON_F_DEFLATE_ON_OOM) | (1 << VIRTIO_BALLOON_F_REPORTING);
  /** inflate, deflate and, without the statistics and hinting features, reporting (§5.5.2) */
  readonly queueSizes = [128, 128, 32];
  /** struct virtio_balloon_config: pages wanted, pages given */
  readonly config = new Uint8Array(8);
  readonly writableConfig = { start: 4, end: 8 };
  readonly #system: System;
  readonly #numbers = new Uint8Array(FRAME_NUMBERS_LIMIT * FRAME_NUMBER_SIZE);
  #host: DeviceHost | undefined;
  #queues: readonly (Virtqueue | undefined)[] = [];

  constructor(system: System) {
    this.#system = system;
  }

  attach(host: DeviceHost): void {
    this.#host = host;
  }

  activate(queues: readonly (Virtqueue | undefined)[]): void {
    this.#queues = queues;
    this.process();
  }

  reset(): void {
    this.#queues = [];
  }

  process(): void {
    const [inflate, deflate, reporting] = this.#queues;
    inflate?.serve((chain) => this.#inflate(chain));
    deflate?.serve(() => 0); // pages come back by being touched
    reporting?.serve((chain) => this.#report(chain));
  }

  #inflate({ readable }: Chain): number {
    const length = readable.read(0, this.#numbers);
    const view = new DataView(this.#numbers.buffer);
    for (let at = 0; at + FRAME_NUMBER_SIZE <= length; at += FRAME_NUMBER_SIZE) {
      this.#release(view.getUint32(at, true) * PAGE_SIZE, PAGE_SIZE);
    }
    return 0;
  }

  /** Each descriptor of a report is a run of free pages. */
  #report({ writable }: Chain): number {
    writable.each(0, writable.length, (region, offset, length) => {
      this.#release(region.start + offset, length);
    });
    return 0;
  }

  /** Gives the whole pages within a range of guest memory back to the host. */
  #release(address: number, length: number): void {
    const { memory } = this.#host ?? {};
    if (memory === undefined) return;
    const start = Math.ceil(address / PAGE_SIZE) * PAGE_SIZE;
    const end = Math.floor((address + length) / PAGE_SIZE) * PAGE_SIZE;
    if (end <= start) return;
    const host = memory.hostAddress(start, end - start);
    check("madvise", this.#system.madvise(host, end - start, MADV_DONTNEED));
  }
}
