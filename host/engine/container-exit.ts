/** How a container's process ended. */
export interface ContainerExit {
  /** as a shell has it: 128 + N for one that signal N ended */
  readonly exitCode: number;
  /** whether the kernel killed something in it for want of memory */
  readonly oomKilled: boolean;
  /** why it ended without an exit code of its own */
  readonly error?: string;
}
