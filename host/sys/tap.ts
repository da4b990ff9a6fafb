/** Opens a tap device by name, for a virtual machine's network card (linux/if_tun.h). */

import { Buffer } from "node:buffer";
import { constants } from "node:fs";
import { FileDescriptor } from "./file-descriptor.ts";
import { _IOW } from "./ioctl.ts";
import { ioctl, ioctlBuffer } from "./ioctl-call.ts";

const TUNSETIFF = _IOW(0x54, 202, 4);
const TUNSETOFFLOAD = _IOW(0x54, 208, 4);
const TUNSETVNETHDRSZ = _IOW(0x54, 216, 4);

const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const TUN_F_CSUM = 1;
const TUN_F_TSO4 = 2;
const TUN_F_TSO6 = 4;

/** struct virtio_net_hdr_v1, which goes before each frame, in `bytes` */
const VNET_HEADER_SIZE = 12;
/** struct ifreq of linux/if.h */
const IFREQ_SIZE = 40;
const IFNAMSIZ = 16;

/**
 * A non-blocking descriptor of an existing tap device whose frames carry a virtio header.
 *
 * @throws {SystemError} when the device cannot be opened or is in use
 */
export function openTap(name: string): FileDescriptor {
  const bytes = Buffer.from(name);
  if (bytes.length === 0 || bytes.length >= IFNAMSIZ) throw new RangeError(`device name: ${name}`);
  const tap = FileDescriptor.open("/dev/net/tun", constants.O_RDWR | constants.O_NONBLOCK);
  try {
    const request = Buffer.alloc(IFREQ_SIZE);
    bytes.copy(request);
    request.writeUInt16LE(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, IFNAMSIZ);
    ioctlBuffer({ fd: tap.number, name: "TUNSETIFF", request: TUNSETIFF }, request);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(VNET_HEADER_SIZE);
    ioctlBuffer({ fd: tap.number, name: "TUNSETVNETHDRSZ", request: TUNSETVNETHDRSZ }, size);
    const offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
    ioctl({ fd: tap.number, name: "TUNSETOFFLOAD", request: TUNSETOFFLOAD }, offload);
  } catch (error) {
    tap[Symbol.dispose]();
    throw error;
  }
  return tap;
}
