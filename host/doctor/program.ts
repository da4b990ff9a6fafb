/** Programs that dvm uses: whether they are there, and what they say of themselves. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** Users other than root seldom have these in their path. */
const SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin";

/** The first line that the program prints, or nothing when it is not there. */
export async function programSays(
  program: string,
  args: readonly string[],
): Promise<string | undefined> {
  const env = { ...process.env, PATH: `${process.env.PATH ?? ""}:${SYSTEM_PATH}` };
  try {
    const { stdout, stderr } = await execute(program, [...args], { env, timeout: 10_000 });
    return (stdout || stderr).split("\n")[0]?.trim();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
