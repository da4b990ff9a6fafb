/** The taps of a spare machine, from their making to their place in a container's network. */

import type { MachineConfig, NetworkDeviceConfig } from "../../vmm/hypervisor.ts";

export interface SpareTaps extends AsyncDisposable {
  /** the machine's cards */
  readonly networks: MachineConfig["networks"];
  /** of the taps */
  readonly names: readonly string[];
  /** Takes the places of the taps of these cards. */
  readonly give: (networks: MachineConfig["networks"]) => Promise<void>;
}

/** @param unique names them: the spare's own name, that ends with eight digits */
export async function spareTaps(
  { networks }: Pick<MachineConfig, "networks">,
  unique: string,
): Promise<SpareTaps> {
  const none = { networks, names: [], give: async () => {}, [Symbol.asyncDispose]: async () => {} };
  if (!networks.some(isTap)) return none;
  const [{ makeSpareTaps, spareTapName, useSpareTaps }, { removeDevices }] = await Promise.all([
    import("../../network/bridge/spare-taps.ts"),
    import("../../network/bridge/devices.ts"),
  ]);
  const nameOf = (place: number) => spareTapName(unique.slice(-8), place);
  const own = networks.map((card, place) =>
    isTap(card) ? { ...card, backend: { kind: "tap", name: nameOf(place) } as const } : card,
  );
  const names = own.flatMap(({ backend }) => (backend.kind === "tap" ? [backend.name] : []));
  await makeSpareTaps(names);
  return {
    networks: own,
    names,
    give: (wanted) =>
      useSpareTaps(
        wanted.flatMap(({ backend }, place) =>
          backend.kind === "tap" ? [{ spare: nameOf(place), tap: backend.name }] : [],
        ),
      ),
    [Symbol.asyncDispose]: () => removeDevices(names),
  };
}

function isTap({ backend }: NetworkDeviceConfig): boolean {
  return backend.kind === "tap";
}
