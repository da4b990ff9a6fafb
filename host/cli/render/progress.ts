/** The engine's events for the one who waits: progress, and with --verbose the phases with their times. */

import type { EngineEvent } from "../../api/engine-api.ts";
import { printableText } from "../../printable-text.ts";

/** What of a stream is used here. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ProgressOptions {
  readonly stderr: ProgressOutput;
  readonly verbose: boolean;
  /** no progress */
  readonly quiet: boolean;
}

export interface ProgressRenderer {
  readonly onEvent: (event: EngineEvent) => void;
  /** Takes the line of progress off the terminal, since the container's output follows. */
  readonly clear: () => void;
  /** From now on a line ends with a carriage return too: the terminal is in raw mode. */
  readonly setRaw: (raw: boolean) => void;
}

/** On a terminal progress is one line that changes; elsewhere each step is a line. */
export function progressRenderer({ stderr, verbose, quiet }: ProgressOptions): ProgressRenderer {
  const isTerminal = stderr.isTTY === true;
  let shown = false;
  let raw = false;
  const clear = () => {
    if (shown) stderr.write("\r\u001b[K");
    shown = false;
  };
  const line = (text: string) => {
    clear();
    stderr.write(`dvm: ${printableText(text)}${raw ? "\r\n" : "\n"}`);
  };
  const progress = (text: string, passing: boolean) => {
    if (quiet) return;
    if (!isTerminal || verbose) {
      if (!passing) line(text);
      return;
    }
    stderr.write(
      `\r\u001b[K${printableText(text).slice(0, Math.max((stderr.columns || 80) - 1, 1))}`,
    );
    shown = true;
  };
  return {
    clear,
    setRaw: (value) => {
      raw = value;
    },
    onEvent: (event) => {
      if (event.type === "progress") progress(event.text, event.passing);
      else if (event.type === "warning") line(`warning: ${event.text}`);
      else if (verbose) {
        const text = describe(event);
        if (text !== undefined) line(text);
      }
    },
  };
}

function describe(event: EngineEvent): string | undefined {
  switch (event.type) {
    case "phase-end":
      return `${atTime()} ${event.phase.padEnd(16)} ${event.milliseconds.toFixed(1).padStart(8)} ms`;
    case "machine": {
      const size = `${event.memoryMiB} MiB, ${event.vcpus} vCPU`;
      return `machine: ${event.backend}, ${event.accelerator}, ${size}: ${event.reason}`;
    }
    case "template":
      return "machine: from template";
    case "guest":
      return `guest: Linux ${event.kernel}, ready ${event.uptime.toFixed(0)} ms after its start`;
    case "container":
      return event.action === "die"
        ? `container: die, exit code ${event.exitCode}`
        : `container: ${event.action} ${event.container.slice(0, 12)} ${event.name}`;
    case "log":
      return `guest: ${event.text}`;
    default:
      return undefined;
  }
}

/** Since dvm's own start, which counts from the exec of its process. */
function atTime(): string {
  return `[${performance.now().toFixed(0).padStart(6)} ms]`;
}
