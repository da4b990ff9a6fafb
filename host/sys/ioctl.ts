/** Request numbers of ioctl(2), computed as asm-generic/ioctl.h computes them. */

const IOC_NONE = 0;
const IOC_WRITE = 1;
const IOC_READ = 2;

/** A request without an argument. */
export const _IO = (type: number, number: number): number => encode(IOC_NONE, type, number, 0);

/** A request that reads a structure of `size` bytes from the kernel. */
export const _IOR = (type: number, number: number, size: number): number =>
  encode(IOC_READ, type, number, size);

/** A request that hands a structure of `size` bytes to the kernel. */
export const _IOW = (type: number, number: number, size: number): number =>
  encode(IOC_WRITE, type, number, size);

/** A request whose structure of `size` bytes travels both ways. */
export const _IOWR = (type: number, number: number, size: number): number =>
  encode(IOC_READ | IOC_WRITE, type, number, size);

/** `dir:2 size:14 type:8 nr:8` from the highest bit down; the result is an unsigned 32-bit number. */
function encode(direction: number, type: number, number: number, size: number): number {
  return ((direction << 30) | (size << 16) | (type << 8) | number) >>> 0;
}
