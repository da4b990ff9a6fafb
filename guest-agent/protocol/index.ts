/** The protocol between host and guest agent, as both sides import it: `#protocol`. */

export { Channel, type ChannelHandlers } from "./channel.ts";
export type {
  ContainerSpec,
  DeviceRule,
  DeviceSpec,
  FileTask,
  MountSpec,
  ProcessSpec,
  Resources,
  Rlimit,
  Rootfs,
  Stdio,
  SwapSpec,
  TerminalSize,
} from "./container-spec.ts";
export { FRAME_HEADER_SIZE } from "./frame.ts";
export {
  CREDIT_STEP,
  INPUT_WINDOW,
  MAX_COPIED_PAYLOAD,
  MAX_DATA_PAYLOAD,
  STREAM_WINDOW,
  WIDE_CREDIT_STEP,
} from "./limits.ts";
export {
  type ContainerStats,
  type Failure,
  type FromGuest,
  type FromHost,
  fromGuest,
  fromHost,
  type Listener,
  type ProcessInfo,
  type Request,
  type RequestOf,
  type RequestType,
} from "./messages.ts";
export { ProtocolError, type ProtocolErrorCode } from "./protocol-error.ts";
export type { IncomingHandlers, IncomingStream, OutgoingStream } from "./stream.ts";
export { OLDEST_AGENT_VERSION, PROTOCOL_VERSION } from "./version.ts";
