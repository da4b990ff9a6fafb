/** The shape of every virtio device, and what it sees of the machine that it is plugged into. */

import type { GuestMemory } from "../../memory/guest-memory.ts";
import type { DiskLimiter } from "../block/token-bucket.ts";
import type { Virtqueue } from "./queue.ts";

/** A virtio device; all its methods run in the device thread. */
export interface VirtioDevice {
  /** name for messages */
  readonly name: string;
  /** device type, virtio 1.2 §5 */
  readonly deviceId: number;
  /** feature bits 0 to 23, those of the device type */
  readonly features: number;
  /** largest size of each queue, powers of two */
  readonly queueSizes: readonly number[];
  /** what the configuration space holds at first */
  readonly config: Uint8Array;
  /** the part of the configuration space that the driver may write, in `bytes` */
  readonly writableConfig?: { readonly start: number; readonly end: number };
  /** Called once, before anything else. */
  attach(host: DeviceHost): void;
  /** The driver is ready; the queues are valid until `reset`. A queue it did not set up is undefined. */
  activate(queues: readonly (Virtqueue | undefined)[], features: number): void;
  /** The driver has added buffers to some queue. */
  process(): void;
  /** Forget everything of the driver. */
  reset(): void;
  /** Changes how fast it may be, from now on. */
  limit?(limiter: DiskLimiter | undefined): void;
  /** What another such device needs to know to go on for the same driver, beside its rings; undefined: not now. */
  save?(): Uint8Array | undefined;
  /** Called before `activate`, with what `save` gave, of whatever origin. */
  restore?(saved: Uint8Array): void;
}

/** What a device can ask of its transport and of the device thread. */
export interface DeviceHost {
  readonly memory: GuestMemory;
  /** Calls `handler` whenever `fd` is ready for what is asked for; a bad ring in it ends in NEEDS_RESET. */
  watch(fd: number, handler: (events: number) => void): Watch;
  /** Calls `handler` once, at the monotonic time `at`, in `milliseconds`. */
  timer(at: number, handler: () => void): void;
}

/** A descriptor in the device thread's poll set. */
export interface Watch {
  /** `POLLIN` and `POLLOUT` bits asked for; 0 to be left alone */
  events: number;
  /** Takes the descriptor out of the set; the caller closes it. */
  stop(): void;
}

export const POLLIN = 1;
export const POLLOUT = 4;
