/** The cards of a spare machine at the host, from their making to their place in a container's network. */

import { join } from "node:path";
import type { SpareCard } from "../../network/prepared-network.ts";
import type { MachineConfig, NetworkDeviceConfig } from "../../vmm/hypervisor.ts";

export interface SpareCards extends AsyncDisposable {
  /** the machine's cards */
  readonly networks: MachineConfig["networks"];
  /** names of its taps */
  readonly taps: readonly string[];
  /** Hands them over, once the machine runs; they are the taker's then. @returns nothing for a machine without any */
  readonly give: () => Promise<SpareCard[] | undefined>;
}

/** Of a machine that gets its cards when it is taken. */
export const NO_CARDS: SpareCards = {
  networks: [],
  taps: [],
  give: async () => undefined,
  [Symbol.asyncDispose]: async () => {},
};

interface Made {
  readonly backend: NetworkDeviceConfig["backend"];
  readonly card: () => Promise<SpareCard>;
}

/**
 * @param unique names them: the spare's own name, that ends with eight digits
 * @param folder private one of the machine
 */
export async function spareCards(
  { networks }: Pick<MachineConfig, "networks">,
  unique: string,
  folder: string,
): Promise<SpareCards> {
  await using undo = new AsyncDisposableStack();
  const made: Made[] = [];
  for (const [place, { backend }] of networks.entries()) {
    made.push(
      await (backend.kind === "tap"
        ? makeTap(undo, unique, place)
        : openDoor(undo, join(folder, `card${place}.sock`))),
    );
  }
  const held = undo.move();
  return {
    networks: networks.map((card, place) => ({
      ...card,
      backend: made[place]?.backend ?? card.backend,
    })),
    taps: made.flatMap(({ backend }) => (backend.kind === "tap" ? [backend.name] : [])),
    give: () => Promise.all(made.map(({ card }) => card())),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

async function makeTap(undo: AsyncDisposableStack, unique: string, place: number): Promise<Made> {
  const [{ spareTapName }, { makeLooseTaps, removeDevices }] = await Promise.all([
    import("../../network/bridge/spare-taps.ts"),
    import("../../network/bridge/devices.ts"),
  ]);
  const name = spareTapName(unique.slice(-8), place);
  await makeLooseTaps([name]);
  undo.defer(() => removeDevices([name]));
  return { backend: { kind: "tap", name }, card: async () => ({ kind: "tap", name }) };
}

async function openDoor(undo: AsyncDisposableStack, path: string): Promise<Made> {
  const { StreamDoor } = await import("../../network/user/stream-door.ts");
  const door = await StreamDoor.open(path);
  undo.defer(async () => void (await door.connection.catch(() => undefined))?.destroy());
  // first: with it the wait for somebody who never came is over
  undo.use(door);
  return {
    backend: { kind: "stream", path },
    card: async () => ({ kind: "stream", connection: await door.connection }),
  };
}
