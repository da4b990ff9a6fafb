/** Frames through a tap device, whose kernel side does checksums and segmentation (linux/if_tun.h). */

import { EAGAIN, type System } from "../../kvm/system.ts";
import { IoVector } from "../../memory/io-vector.ts";
import type { Buffers } from "../virtio/chain.ts";
import {
  VIRTIO_NET_F_CSUM,
  VIRTIO_NET_F_GUEST_CSUM,
  VIRTIO_NET_F_GUEST_TSO4,
  VIRTIO_NET_F_GUEST_TSO6,
  VIRTIO_NET_F_HOST_TSO4,
  VIRTIO_NET_F_HOST_TSO6,
} from "../virtio/constants.ts";
import { FRAME_LIMIT, NET_HEADER_SIZE, type NetLink } from "./net-link.ts";

/** The host has turned its half on when it opened the device; a driver that refuses these drops such frames. */
export const TAP_FEATURES =
  (1 << VIRTIO_NET_F_CSUM) |
  (1 << VIRTIO_NET_F_GUEST_CSUM) |
  (1 << VIRTIO_NET_F_GUEST_TSO4) |
  (1 << VIRTIO_NET_F_GUEST_TSO6) |
  (1 << VIRTIO_NET_F_HOST_TSO4) |
  (1 << VIRTIO_NET_F_HOST_TSO6);

export class TapLink implements NetLink {
  readonly fd: number;
  readonly features = TAP_FEATURES;
  readonly #system: System;
  readonly #vector: IoVector;
  readonly #received: IoVector;
  readonly #buffer: Uint8Array;

  /** @param fd non-blocking, set to a header of `NET_HEADER_SIZE` */
  constructor(system: System, fd: number) {
    this.fd = fd;
    this.#system = system;
    this.#vector = new IoVector(system);
    this.#received = new IoVector(system);
    const { address, bytes } = system.map(NET_HEADER_SIZE + FRAME_LIMIT);
    this.#received.add(address, bytes.byteLength);
    this.#buffer = new Uint8Array(bytes);
  }

  /** Straight from guest memory; a frame or a header that the kernel refuses is lost, as on a wire. */
  send(buffers: Buffers): boolean {
    buffers.fill(this.#vector, 0, NET_HEADER_SIZE + FRAME_LIMIT);
    const { address, count } = this.#vector;
    return this.#system.writev(this.fd, address, count) !== -EAGAIN;
  }

  flush(): boolean {
    return true;
  }

  receive(): Uint8Array | undefined {
    const { address, count } = this.#received;
    const length = this.#system.readv(this.fd, address, count);
    return length > NET_HEADER_SIZE ? this.#buffer.subarray(0, length) : undefined;
  }
}
