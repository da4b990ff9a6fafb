/** Options of wait4(2) and readers of its status (include/uapi/linux/wait.h; status bits as of wait(2)). */

export const WNOHANG = 1;
export const WUNTRACED = 2;
export const WCONTINUED = 8;

/** Whether a wait status says that the process exited by itself. */
export function WIFEXITED(status: number): boolean {
  return (status & 0x7f) === 0;
}

/** Exit code of a process that exited by itself. */
export function WEXITSTATUS(status: number): number {
  return (status >> 8) & 0xff;
}

/** Signal that ended the process, 0 when it exited by itself. */
export function WTERMSIG(status: number): number {
  return status & 0x7f;
}

/** Exit code as a shell and Docker tell it: the process's own, or 128 + the signal that ended it. */
export function exitCodeOf(status: number): number {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
