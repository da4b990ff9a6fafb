/** Flags of the form KEY=VALUE: labels, sysctls, storage options. */

/** --label KEY[=VALUE]. @throws Error with Docker's words */
export function parseLabel(text: string): readonly [string, string] {
  const [key, value] = split(text);
  if (key === "") throw new Error(`invalid label '${text}': empty name`);
  return [key, value ?? ""];
}

/** Kernel parameters that belong to a namespace, and so to a container: the rest are the machine's (docker/cli opts.ValidateSysctl). */
const SYSCTLS: ReadonlySet<string> = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

/** --sysctl NAME=VALUE. @throws Error with Docker's words */
export function parseSysctl(text: string): readonly [string, string] {
  const [key, value] = split(text);
  const allowed = SYSCTLS.has(key) || key.startsWith("net.") || key.startsWith("fs.mqueue.");
  if (!allowed || value === undefined) throw new Error(`sysctl '${text}' is not allowed`);
  return [key, value];
}

/** --storage-opt KEY=VALUE. @throws Error with Docker's words */
export function parseStorageOption(text: string): readonly [string, string] {
  const [key, value] = split(text);
  if (value === undefined) throw new Error("invalid storage option");
  return [key, value];
}

/** KEY=VALUE, or KEY for an empty value. @throws Error */
export function parseKeyValue(text: string): readonly [string, string] {
  const [key, value = ""] = split(text);
  if (key === "") throw new Error(`'${text}' has no name`);
  return [key, value];
}

function split(text: string): readonly [string, string | undefined] {
  const equals = text.indexOf("=");
  return equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
}
