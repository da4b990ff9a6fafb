/** What the daemon's engine tells of itself and takes for registries; its containers are the engine's own terms. */

import type { ContainerSizes } from "../../engine/daemon/model.ts";
import type { StorageInfo } from "../../engine/storage/storage-info.ts";

export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  readonly identityToken?: string;
  readonly serverAddress?: string;
}

export interface DaemonVersion {
  readonly version: string;
  /** release of the host's kernel */
  readonly kernel: string;
  /** name and version of each part, such as the guest's kernel */
  readonly components: readonly { readonly name: string; readonly version: string }[];
  /** whether what Docker calls experimental is served */
  readonly experimental?: boolean;
}

export interface DaemonInfo extends DaemonVersion {
  /** made once per data root */
  readonly id: string;
  readonly dataRoot: string;
  readonly images: number;
  readonly storage: StorageInfo;
  readonly registries: {
    /** hosts that may be spoken to without TLS, beside this machine */
    readonly insecure: readonly string[];
    /** URLs that are asked before `docker.io` */
    readonly mirrors: readonly string[];
  };
  /** how many warnings there are about the set-up, and what they say */
  readonly warnings: readonly string[];
}

export interface DiskUsage {
  /** all layers, each once, in `bytes` */
  readonly layers: number;
  readonly images: readonly {
    readonly id: string;
    /** used by other images too, in `bytes` */
    readonly shared: number;
    readonly containers: number;
  }[];
  readonly containers: readonly { readonly id: string; readonly sizes: ContainerSizes }[];
}
