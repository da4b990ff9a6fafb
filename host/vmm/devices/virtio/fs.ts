/** The shared folder (virtio 1.2 §5.11): its queues carry FUSE requests, served one by one. */

import type { FuseServer } from "../fs/fuse-server.ts";
import { VIRTIO_ID_FS } from "./constants.ts";
import type { DeviceHost, VirtioDevice } from "./device.ts";
import type { Virtqueue } from "./queue.ts";

/** Long enough for a request of 256 pages, with its headers. */
const QUEUE_SIZE = 512;
const TAG_SIZE = 36;
/** Requests before other devices get their turn. */
const BURST_LIMIT = 64;

export class VirtioFs implements VirtioDevice {
  readonly name: string;
  readonly deviceId = VIRTIO_ID_FS;
  readonly features = 0;
  /** that of the requests that must not wait, then that of all others */
  readonly queueSizes = [QUEUE_SIZE, QUEUE_SIZE];
  /** struct virtio_fs_config: tag, number of request queues */
  readonly config = new Uint8Array(TAG_SIZE + 4);
  readonly #server: FuseServer;
  #queues: readonly (Virtqueue | undefined)[] = [];
  #again: () => void = () => {};

  /** @param tag at most 36 ASCII bytes */
  constructor(server: FuseServer, tag: string) {
    this.name = `share ${tag}`;
    this.#server = server;
    this.config.set(Uint8Array.from(tag.slice(0, TAG_SIZE), (letter) => letter.charCodeAt(0)));
    this.config[TAG_SIZE] = 1;
  }

  attach(host: DeviceHost): void {
    this.#again = () => host.timer(0, () => this.process());
  }

  activate(queues: readonly (Virtqueue | undefined)[]): void {
    this.#queues = queues;
    this.process();
  }

  reset(): void {
    this.#queues = [];
    this.#server.reset();
  }

  process(): void {
    for (const queue of this.#queues) {
      const isDone = queue?.serve((chain) => this.#server.serve(chain), BURST_LIMIT);
      if (isDone === false) this.#again();
    }
  }
}
