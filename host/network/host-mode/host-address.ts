/** The address of this host that a guest is to share, as ip(8) tells it. */

import { callProgram } from "../run-program.ts";

export interface HostAddress {
  readonly address: string;
  /** length of its network's prefix */
  readonly prefix: number;
}

interface Route {
  readonly dst?: unknown;
  readonly dev?: unknown;
  readonly prefsrc?: unknown;
}

interface Device {
  readonly ifname?: unknown;
  readonly addr_info?: readonly { readonly [name: string]: unknown }[];
}

const MISSING = "install the package iproute2";

/** @returns nothing for a host that has no address but its loopback's */
export async function hostAddress(): Promise<HostAddress | undefined> {
  const ask = async (what: string) => {
    const { output } = await callProgram({
      program: "ip",
      args: ["-4", "-json", what, "show"],
      missing: MISSING,
    });
    return output;
  };
  return chooseAddress(await ask("route"), await ask("address"));
}

/** The address that packets to the outside have, or else the first there is. @param routes, devices JSON of ip(8) */
export function chooseAddress(routes: string, devices: string): HostAddress | undefined {
  const way = (JSON.parse(routes || "[]") as Route[]).find(({ dst }) => dst === "default");
  const all = (JSON.parse(devices || "[]") as Device[]).flatMap(({ ifname, addr_info = [] }) =>
    addr_info.flatMap(({ scope, local, prefixlen }) =>
      scope === "global" && typeof local === "string" && typeof prefixlen === "number"
        ? [{ ifname, address: local, prefix: prefixlen }]
        : [],
    ),
  );
  const found =
    all.find(({ address }) => address === way?.prefsrc) ??
    all.find(({ ifname }) => ifname === way?.dev) ??
    all[0];
  return found && { address: found.address, prefix: found.prefix };
}
