/** Reasons why an arm cannot run here. */

import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** @returns why not, for the first program of these that is not installed */
export async function missingProgram(...programs: readonly string[]): Promise<string | undefined> {
  for (const program of programs)
    if (!(await isInstalled(program))) return `${program} is not installed`;
  return undefined;
}

export function notRoot(): string | undefined {
  return process.getuid?.() === 0 ? undefined : "needs root: mknod and namespaces without a user's";
}

async function isInstalled(program: string): Promise<boolean> {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const found = await Promise.all(
    folders.map((folder) =>
      access(join(folder, program), constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}
