/** --restart: `no`, `always`, `unless-stopped`, `on-failure[:TIMES]` (docker/cli opts ParseRestartPolicy). */

export interface RestartPolicyFlag {
  readonly name: "no" | "always" | "on-failure" | "unless-stopped";
  /** most restarts; 0 for no limit */
  readonly maximumRetryCount: number;
}

const NAMES = ["no", "always", "on-failure", "unless-stopped"] as const;

/** @throws Error with Docker's words */
export function parseRestartPolicy(text: string): RestartPolicyFlag {
  const [word = "", count, ...rest] = text.split(":");
  const name = word === "" ? "no" : NAMES.find((known) => known === word);
  if (name === undefined) throw new Error(`invalid restart policy: unknown policy '${word}'`);
  if (count === undefined) return { name, maximumRetryCount: 0 };
  if (rest.length > 0 || !/^\d{1,9}$/.test(count)) {
    throw new Error("invalid restart policy format: maximum retry count must be an integer");
  }
  if (name !== "on-failure" && Number(count) > 0) {
    throw new Error(
      "invalid restart policy: maximum retry count can only be used with 'on-failure'",
    );
  }
  return { name, maximumRetryCount: Number(count) };
}
