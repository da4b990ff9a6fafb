/**
 * The door between the command line and the engine: everything that the command line knows of the engine it
 * knows from here. All that it does is a daemon's to do (`DaemonClient`, `RemoteEngine`).
 */

export type { ContainerConfig } from "../engine/container-config.ts";
export type { ClientStreams } from "../engine/daemon/client-attachment.ts";
export type { DaemonContainerConfig } from "../engine/daemon/model.ts";
export type { EngineEvent } from "../engine/engine-event.ts";
export type { ImageProgress } from "../engine/images/transfer-progress.ts";
export type {
  DiskUsage,
  ImageStep,
  ImageSummary,
  NetworkSummary,
  RemovedLine,
  VolumeSummary,
} from "./client/answers.ts";
export type { WantedContainer } from "./client/create-container.ts";
