/** What carries the frames of a network card to the host. */

import type { Buffers } from "../virtio/chain.ts";

/** struct virtio_net_hdr_v1 of linux/virtio_net.h, which goes before each frame in the rings, in `bytes` */
export const NET_HEADER_SIZE = 12;

/** The largest frame, with its link-layer header and a VLAN tag; segmentation offload makes them that large. */
export const FRAME_LIMIT = 65_535 + 18;

export interface NetLink {
  readonly fd: number;
  /** feature bits of what the host side takes over: checksums and segmentation */
  readonly features: number;
  /** Takes a frame behind its header; false when it has to be offered again once `fd` can be written. */
  send(buffers: Buffers): boolean;
  /** Sends what `send` has gathered; false when some of it waits until `fd` can be written. */
  flush(): boolean;
  /** The next frame behind its header, valid until the next call; undefined when there is none, or no more. */
  receive(): Uint8Array | undefined;
}
