/** The volumes as the API server asks for them. */

import type { EventBus } from "../../engine/daemon/event-bus.ts";
import type { Caller } from "../../engine/daemon/model.ts";
import {
  type CreateVolumeOptions,
  VolumeStore,
  type VolumeView,
} from "../../engine/volumes/volume-store.ts";

export interface VolumeCalls {
  /** Those that the caller may see, by name. */
  list(caller: Caller): readonly VolumeView[];
  /** @throws NO_SUCH_VOLUME */
  find(name: string, caller: Caller): VolumeView;
  /** One that is there already is left as it is. @throws VOLUME_INVALID */
  create(options: CreateVolumeOptions, caller: Caller): Promise<VolumeView>;
  /** @throws NO_SUCH_VOLUME unless forced, VOLUME_IN_USE */
  remove(name: string, caller: Caller, options: { readonly force: boolean }): Promise<void>;
  /** @returns names, and what they took on the disk in `bytes` */
  prune(
    accepts: (volume: VolumeView) => boolean,
    caller: Caller,
  ): Promise<{ readonly names: readonly string[]; readonly reclaimed: number }>;
  /** What it takes on the disk, in `bytes`. */
  size(volume: VolumeView): Promise<number>;
}

export class ServedVolumes implements VolumeCalls {
  readonly #store: VolumeStore;
  readonly #events: EventBus;

  constructor(dataRoot: string, events: EventBus) {
    this.#store = new VolumeStore(dataRoot);
    this.#events = events;
  }

  list({ uid }: Caller): readonly VolumeView[] {
    return this.#store.list(uid);
  }

  find(name: string, { uid }: Caller): VolumeView {
    return this.#store.find(name, uid);
  }

  async create(options: CreateVolumeOptions, { uid }: Caller): Promise<VolumeView> {
    // a folder of the host's is reached with the daemon's rights, which are not the caller's
    const isForeign = uid !== process.getuid?.();
    const volume = await this.#store.create({ ...options, owner: uid, isForeign });
    this.#tell("create", volume.name, uid);
    return volume;
  }

  async remove(
    name: string,
    { uid }: Caller,
    { force }: { readonly force: boolean },
  ): Promise<void> {
    const removed = await this.#store.remove(name, { force, uid });
    if (removed !== undefined) this.#tell("destroy", name, uid);
  }

  async prune(accepts: (volume: VolumeView) => boolean, { uid }: Caller) {
    const pruned = await this.#store.prune(accepts, uid);
    for (const name of pruned.names) this.#tell("destroy", name, uid);
    return pruned;
  }

  size(volume: VolumeView): Promise<number> {
    return this.#store.size(volume);
  }

  #tell(action: string, id: string, owner: number): void {
    this.#events.emit({ type: "volume", action, id, attributes: { driver: "local" }, owner });
  }
}
