/** Modes of namespaces that may be another container's: --pid, --ipc (docker/cli parse, container.PidMode, IpcMode). */

const OF_CONTAINER = /^container:.+$/s;

export function parsePidMode(text: string): string {
  if (OF_CONTAINER.test(text)) return text;
  throw new Error("must be container:CONTAINER");
}

export function parseIpcMode(text: string): string {
  if (text === "private" || text === "shareable" || OF_CONTAINER.test(text)) return text;
  throw new Error("must be private, shareable or container:CONTAINER");
}
