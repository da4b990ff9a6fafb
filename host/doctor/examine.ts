/**
 * The examination of a machine: checks, each with a verdict and what mends it.
 *
 * `dvm doctor --json` prints a `Report` as it is.
 */

/** `warn`: dvm works, but something is slower or missing; `fail`: containers cannot run. */
export type Status = "ok" | "warn" | "fail";

export interface Finding {
  readonly status: Status;
  /** what was found, one line */
  readonly detail: string;
  /** what to do about it; absent: nothing */
  readonly mend?: string;
}

export interface Check {
  /** a few words that stay the same */
  readonly name: string;
  readonly look: () => Promise<Finding>;
}

export interface Report {
  /** version of this shape */
  readonly version: 1;
  /** whether nothing failed */
  readonly ok: boolean;
  readonly checks: readonly ({ readonly name: string } & Finding)[];
}

/** Makes all checks, side by side. One that cannot be made counts as failed. */
export async function examine(checks: readonly Check[]): Promise<Report> {
  const findings = await Promise.all(
    checks.map(async ({ name, look }) => {
      try {
        return { name, ...(await look()) };
      } catch (error) {
        const detail = error instanceof Error ? error.message : String(error);
        return { name, status: "fail" as const, detail };
      }
    }),
  );
  return { version: 1, ok: findings.every(({ status }) => status !== "fail"), checks: findings };
}
