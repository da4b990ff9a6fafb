/** How ioctl request numbers are put together (include/uapi/asm-generic/ioctl.h). */

const IOC_WRITE = 1;
const IOC_READ = 2;

/** Request without an argument that is copied. */
export function _IO(type: string, number: number): number {
  return request(0, type, number, 0);
}

/** Request that the kernel reads `size` bytes for. */
export function _IOW(type: string, number: number, size: number): number {
  return request(IOC_WRITE, type, number, size);
}

/** Request that the kernel writes `size` bytes for. */
export function _IOR(type: string, number: number, size: number): number {
  return request(IOC_READ, type, number, size);
}

function request(direction: number, type: string, number: number, size: number): number {
  return ((direction << 30) | (size << 16) | (type.charCodeAt(0) << 8) | number) >>> 0;
}
