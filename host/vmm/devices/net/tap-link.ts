/** Frames through a tap device, whose kernel side does checksums and segmentation (linux/if_tun.h). */

import { EAGAIN, type Mapping, type System } from "../../kvm/system.ts";
import { IoVector } from "../../memory/io-vector.ts";
import type { Buffers } from "../virtio/chain.ts";
import * as virtio from "../virtio/constants.ts";
import { FRAME_LIMIT, NET_HEADER_SIZE, type NetLink } from "./net-link.ts";

/** The host has turned its half on when it opened the device; a driver that refuses these drops such frames. */
export const TAP_FEATURES =
  (1 << virtio.VIRTIO_NET_F_CSUM) |
  (1 << virtio.VIRTIO_NET_F_GUEST_CSUM) |
  (1 << virtio.VIRTIO_NET_F_GUEST_TSO4) |
  (1 << virtio.VIRTIO_NET_F_GUEST_TSO6) |
  (1 << virtio.VIRTIO_NET_F_HOST_TSO4) |
  (1 << virtio.VIRTIO_NET_F_HOST_TSO6);

export class TapLink implements NetLink {
  readonly fd: number;
  readonly features = TAP_FEATURES;
  readonly #system: System;
  readonly #vector: IoVector;
  readonly #received: Mapping;

  /** @param fd non-blocking, set to a header of `NET_HEADER_SIZE` */
  constructor(system: System, fd: number) {
    this.fd = fd;
    this.#system = system;
    this.#vector = new IoVector(system);
    this.#received = system.map(NET_HEADER_SIZE + FRAME_LIMIT);
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
    const { address, bytes } = this.#received;
    const length = this.#system.read(this.fd, address, bytes.byteLength);
    return length > NET_HEADER_SIZE ? new Uint8Array(bytes, 0, length) : undefined;
  }
}
