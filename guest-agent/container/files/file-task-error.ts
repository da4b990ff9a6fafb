/** What a task about a container's files refuses, under the host's own names. */
export class FileTaskError extends Error {
  readonly code: "NO_SUCH_PATH" | "CONFIG_INVALID";

  constructor(code: FileTaskError["code"], message: string) {
    super(message);
    this.code = code;
  }
}
