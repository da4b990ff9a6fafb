/** The C library, loaded once; every foreign function of `host/sys` is looked up in it. */

import koffi from "koffi";

const library = koffi.load("libc.so.6");

/**
 * Looks a function up and types it. The caller states the C prototype twice, for koffi and for TypeScript;
 * the two must agree, there is nothing that could check it.
 */
export function foreign<Signature extends (...args: never[]) => unknown>(
  prototype: string,
): Signature {
  return library.func(prototype) as unknown as Signature;
}

/** Where a function or variable of the C library is in this process. */
export function addressOf(name: string): bigint {
  return koffi.address(library.symbol(name, "int"));
}
