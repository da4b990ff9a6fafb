/** What the QuickJS embedding (engine/engine.c) offers to the program that it runs. */

/** An argument of a system call: an integer, a C string, an argv, memory that the kernel reads or fills, or NULL. */
export type SyscallArgument = number | bigint | string | readonly string[] | ArrayBufferView | null;

export interface Engine {
  /** the process's own argv */
  readonly arguments: readonly string[];
  /** Makes a system call. @returns its result, or the negative error number */
  syscall(number: number, ...args: (SyscallArgument | undefined)[]): number;
  /** Address of a view's memory, which stays there as long as the view is reachable. */
  address(view: ArrayBufferView): number;
  /** Bytes of a string; U+DC80 to U+DCFF become the single byte that they stand for. */
  encode(text: string): ArrayBuffer;
  /** Text of bytes; a byte that is not part of valid UTF-8 becomes U+DC00 + byte. */
  decode(view: ArrayBufferView): string;
}
