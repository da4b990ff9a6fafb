/** The way from typed calls to the kernel: numbers, errors, and structures in memory. */

import { errnoName } from "../linux/errno.ts";
import type { FieldLayout, StructLayout } from "../linux/layout.ts";
import { SYS } from "../linux/unistd_64.ts";
import type { Engine, SyscallArgument } from "./engine.ts";
import { SyscallError } from "./syscalls.ts";

/** Name of a system call of x86_64. */
export type CallName = keyof typeof SYS;

export class Kernel {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  // Parameters by name cost QuickJS a tenth of what it takes to gather a list and to spread it; no call has more.

  /** Makes a call that is about nothing with a name. @throws SyscallError */
  call(
    name: CallName,
    a?: SyscallArgument,
    b?: SyscallArgument,
    c?: SyscallArgument,
    d?: SyscallArgument,
    e?: SyscallArgument,
  ): number {
    const result = this.#engine.syscall(SYS[name], a, b, c, d, e);
    if (result < 0) throw failure(name, -result, "");
    return result;
  }

  /** Makes a call; `subject` goes into the error. @throws SyscallError */
  about(
    subject: string,
    name: CallName,
    a?: SyscallArgument,
    b?: SyscallArgument,
    c?: SyscallArgument,
    d?: SyscallArgument,
    e?: SyscallArgument,
  ): number {
    const result = this.#engine.syscall(SYS[name], a, b, c, d, e);
    if (result < 0) throw failure(name, -result, subject);
    return result;
  }

  /** Address of a structure's memory, for pointers within another; keep both reachable over the call. */
  address(memory: ArrayBufferView): number {
    return this.#engine.address(memory);
  }

  encode(text: string): Uint8Array {
    return new Uint8Array(this.#engine.encode(text));
  }

  decode(bytes: Uint8Array): string {
    return this.#engine.decode(bytes);
  }
}

/** A C structure in memory of its own; x86_64 is little-endian. */
export class Struct<Layout extends StructLayout> {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #fields: Readonly<Record<string, FieldLayout>>;

  /** @param count elements of an array of the structure */
  constructor(layout: Layout, count = 1) {
    const buffer = new ArrayBuffer(layout.size * count);
    this.bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#fields = layout.fields;
  }

  /** Unsigned value of a field; 64-bit ones are exact up to 2^53. @param base offset of the array's element */
  get(field: keyof Layout["fields"] & string, base = 0): number {
    const { offset, size } = this.#field(field);
    const at = base + offset;
    if (size === 2) return this.#view.getUint16(at, true);
    if (size === 4) return this.#view.getUint32(at, true);
    return this.#view.getUint32(at + 4, true) * 0x1_0000_0000 + this.#view.getUint32(at, true);
  }

  /** Sets a field, from the value's lowest bits. */
  set(field: keyof Layout["fields"] & string, value: number | bigint, base = 0): this {
    const { offset, size } = this.#field(field);
    const at = base + offset;
    if (size === 2) this.#view.setUint16(at, Number(value), true);
    else if (size === 4) this.#view.setUint32(at, Number(value), true);
    else this.#view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
    return this;
  }

  #field(name: string): FieldLayout {
    const field = this.#fields[name];
    if (field === undefined) throw new RangeError(`no field ${name}`);
    return field;
  }
}

function failure(name: CallName, errno: number, subject: string): SyscallError {
  return new SyscallError(name, errno, errnoName(errno), subject);
}
