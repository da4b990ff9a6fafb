/** What the engine says while it works; who renders it is not its concern. */

/** A part of a container's start or end that takes time worth telling. */
export type Phase =
  | "image"
  | "root-disk"
  | "writable-disk"
  | "accelerator"
  | "network"
  | "vm-spawn"
  | "vm-configure"
  | "vm-boot"
  | "vm-agent"
  | "hello"
  | "container-create"
  | "process-start"
  | "first-output"
  | "process"
  | "teardown";

export type EngineEvent =
  | { readonly type: "phase-begin"; readonly container: string; readonly phase: Phase }
  | {
      readonly type: "phase-end";
      readonly container: string;
      readonly phase: Phase;
      /** length, in `milliseconds` */
      readonly milliseconds: number;
    }
  /** how far a long step is, for whoever watches */
  | {
      readonly type: "progress";
      readonly container: string;
      readonly text: string;
      /** whether it is a state that passes, such as a percentage, rather than a step that is done */
      readonly passing: boolean;
    }
  | {
      readonly type: "container";
      readonly container: string;
      readonly name: string;
      readonly action: "create" | "start" | "oom" | "die" | "destroy";
      /** with `die` */
      readonly exitCode?: number;
    }
  /** which machine the container got */
  | {
      readonly type: "machine";
      readonly container: string;
      readonly backend: string;
      readonly accelerator: string;
      /** why this accelerator, in one sentence */
      readonly reason: string;
      readonly memoryMiB: number;
      readonly vcpus: number;
    }
  /** the machine is a clone of a booted one */
  | { readonly type: "template"; readonly container: string }
  /** what the guest says of itself */
  | {
      readonly type: "guest";
      readonly container: string;
      /** kernel release */
      readonly kernel: string;
      /** since the guest's kernel started, in `milliseconds` */
      readonly uptime: number;
    }
  /** a line that the guest agent wrote for the host's log */
  | { readonly type: "log"; readonly container: string; readonly text: string }
  /** something that is not as it should be and was got over */
  | { readonly type: "warning"; readonly container?: string; readonly text: string };

export type EventSink = (event: EngineEvent) => void;

/** Runs `work` as a phase: its begin and, when it succeeds, its length are told. */
export async function inPhase<T>(
  sink: EventSink,
  where: { readonly container: string; readonly phase: Phase },
  work: () => Promise<T>,
): Promise<T> {
  sink({ type: "phase-begin", ...where });
  const started = performance.now();
  const result = await work();
  sink({ type: "phase-end", ...where, milliseconds: performance.now() - started });
  return result;
}
