/** The network card (virtio 1.2 §5.1): one pair of queues, frames of any size spread over the driver's buffers. */

import { NET_HEADER_SIZE, type NetLink } from "../net/net-link.ts";
import { type Chain, RingError } from "./chain.ts";
import * as virtio from "./constants.ts";
import { type DeviceHost, POLLIN, POLLOUT, type VirtioDevice, type Watch } from "./device.ts";
import type { Virtqueue } from "./queue.ts";

const QUEUE_SIZE = 256;
/** `num_buffers` of struct virtio_net_hdr_v1 */
const NUM_BUFFERS_OFFSET = 10;
/** Frames from the host before other devices get their turn. */
const BURST_LIMIT = 256;

/** A frame from the host on its way into the driver's buffers. */
interface Arrival {
  readonly frame: Uint8Array;
  /** how much of it has been placed, in `bytes` */
  placed: number;
  /** the chains that hold it, not yet given back: the first one must tell how many there are */
  readonly parts: { readonly head: number; readonly length: number }[];
  /** writes `num_buffers` into the first one */
  setCount: (count: number) => void;
}

export class VirtioNet implements VirtioDevice {
  readonly name: string;
  readonly deviceId = virtio.VIRTIO_ID_NET;
  readonly features: number;
  readonly queueSizes = [QUEUE_SIZE, QUEUE_SIZE];
  readonly config: Uint8Array;
  readonly #link: NetLink;
  #host: DeviceHost | undefined;
  #watch: Watch | undefined;
  #input: Virtqueue | undefined;
  #output: Virtqueue | undefined;
  #merges = false;
  #arrival: Arrival | undefined;
  /** a chain that the link has not taken yet */
  #departure: Chain | undefined;

  /** @param mac lower case with colons */
  constructor(link: NetLink, mac: string) {
    this.name = `network ${mac}`;
    this.#link = link;
    this.features =
      (1 << virtio.VIRTIO_NET_F_MAC) |
      (1 << virtio.VIRTIO_NET_F_MRG_RXBUF) |
      (1 << virtio.VIRTIO_NET_F_STATUS) |
      link.features;
    const address = mac.split(":").map((digits) => Number.parseInt(digits, 16));
    // without a status to read the kernel calls the card's state unknown
    this.config = Uint8Array.from([...address, virtio.VIRTIO_NET_S_LINK_UP, 0]);
  }

  attach(host: DeviceHost): void {
    this.#host = host;
    this.#watch = host.watch(this.#link.fd, () => this.process());
  }

  activate([input, output]: readonly (Virtqueue | undefined)[], features: number): void {
    this.#input = input;
    this.#output = output;
    this.#merges = (features & (1 << virtio.VIRTIO_NET_F_MRG_RXBUF)) !== 0;
    this.process();
  }

  reset(): void {
    this.#input = undefined;
    this.#output = undefined;
    this.#arrival = undefined;
    this.#departure = undefined;
    if (this.#watch !== undefined) this.#watch.events = 0;
  }

  process(): void {
    if (this.#watch === undefined) return;
    const canSend = this.#transmit();
    const canReceive = this.#receive();
    this.#watch.events = (canSend ? 0 : POLLOUT) | (canReceive ? POLLIN : 0);
  }

  /** False when the link takes no more for now. */
  #transmit(): boolean {
    const queue = this.#output;
    let isTaking = true;
    while (queue !== undefined && isTaking) {
      const chain = this.#departure ?? queue.pop();
      this.#departure = chain;
      if (chain === undefined) break;
      if (chain.readable.length < NET_HEADER_SIZE) throw new RingError("frame without header");
      isTaking = this.#link.send(chain.readable);
      if (!isTaking) break;
      this.#departure = undefined;
      queue.push(chain.head, 0);
    }
    const isSent = this.#link.flush();
    queue?.notify();
    return isTaking && isSent;
  }

  /** False when the driver has no buffers: what arrives stays in the link until it has. */
  #receive(): boolean {
    const queue = this.#input;
    let isFull = queue === undefined;
    for (let count = 0; queue !== undefined; count++) {
      if (count === BURST_LIMIT) {
        this.#host?.timer(0, () => this.process()); // when the others have had their turn
        break;
      }
      this.#arrival ??= this.#next();
      if (this.#arrival === undefined) break;
      isFull = !this.#place(queue, this.#arrival);
      if (isFull) break;
      this.#arrival = undefined;
    }
    queue?.notify();
    return !isFull;
  }

  #next(): Arrival | undefined {
    const frame = this.#link.receive();
    return frame && { frame, placed: 0, parts: [], setCount: () => {} };
  }

  /** Copies a frame into the driver's buffers; false when they end before it does. */
  #place(queue: Virtqueue, arrival: Arrival): boolean {
    const { frame, parts } = arrival;
    while (arrival.placed < frame.length) {
      const chain = queue.pop();
      if (chain === undefined) return false;
      if (parts.length === 0) arrival.setCount = counterIn(chain);
      const length = chain.writable.write(0, frame.subarray(arrival.placed));
      arrival.placed += length;
      parts.push({ head: chain.head, length });
      if (!this.#merges) break; // a frame that does not fit is cut, as §5.1.6.4 leaves no other way
      if (length === 0) throw new RingError("no room in a receive buffer");
    }
    arrival.setCount(parts.length);
    for (const { head, length } of parts) queue.push(head, length);
    return true;
  }
}

/** Remembers where a chain's header has its count, which is known only when later chains have been taken. */
function counterIn({ writable }: Chain): (count: number) => void {
  if (writable.length < NET_HEADER_SIZE) throw new RingError("receive buffer without header");
  let set = (_count: number): void => {};
  writable.each(NUM_BUFFERS_OFFSET, 2, (region, offset, length) => {
    if (length !== 2) throw new RingError("header of a receive buffer in pieces");
    set = (count) => region.view.setUint16(offset, count, true);
  });
  return set;
}
