/** What can be wrong with KVM itself, as opposed to a system call that failed. */
export class KvmError extends Error {
  override readonly name = "KvmError";
}
