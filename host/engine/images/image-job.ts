/** What a process for images is told to do, and what it answers: plain data, so that it passes between processes. */

import type { Credentials } from "../../image/registry/credentials.ts";
import type { LoadedName, PulledImage, PushedImage } from "./image-engine.ts";
import type { ImageProgress } from "./transfer-progress.ts";

interface RegistryJob {
  /** an image's name, or with `all` that of a repository, of which all tags are wanted */
  readonly name: string;
  readonly all: boolean;
  readonly credentials?: Credentials | "none" | undefined;
  readonly insecure: readonly string[];
}

export interface PullJob extends RegistryJob {
  readonly kind: "pull";
  /** `OS/ARCHITECTURE[/VARIANT]` */
  readonly platform?: string | undefined;
}

export interface PushJob extends RegistryJob {
  readonly kind: "push";
}

export interface LoadJob {
  readonly kind: "load";
  /** of an archive */
  readonly path: string;
  readonly platform?: string | undefined;
}

export interface ImportJob {
  readonly kind: "import";
  /** of a tar of a file system */
  readonly path: string;
  readonly name?: string | undefined;
  readonly changes: readonly string[];
  readonly message: string;
  readonly platform?: string | undefined;
}

export type ImageJob = PullJob | PushJob | LoadJob | ImportJob;

/** A step of a job, or what came of a part of it. */
export type JobEvent =
  | { readonly kind: "progress"; readonly progress: ImageProgress }
  | { readonly kind: "pulled"; readonly image: PulledImage }
  | { readonly kind: "pushed"; readonly image: PushedImage }
  | { readonly kind: "loaded"; readonly image: LoadedName };

/** To the process. */
export type JobRequest =
  | {
      readonly kind: "job";
      readonly id: number;
      /** uid of whose images */
      readonly uid: number;
      readonly dataRoot: string;
      readonly job: ImageJob;
    }
  | { readonly kind: "cancel"; readonly id: number };

/** From it. */
export type JobAnswer =
  | { readonly kind: "event"; readonly id: number; readonly event: JobEvent }
  | { readonly kind: "done"; readonly id: number }
  | {
      readonly kind: "failed";
      readonly id: number;
      readonly message: string;
      /** of a refusal; absent: it is a defect */
      readonly code?: string;
      readonly exitCode?: number;
      readonly hint?: string | undefined;
    };
