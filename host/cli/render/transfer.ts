/** Progress of pulls, pushes and loads: on a terminal a line per layer that changes in place, elsewhere a line per step. */

import type { ImageProgress } from "../../api/engine-api.ts";
import type { CliContext } from "../command.ts";
import { humanSize } from "./size.ts";

export interface TransferRenderer {
  readonly onProgress: (progress: ImageProgress) => void;
}

/** Least time between two drawings of a passing state, in `milliseconds`. */
const REDRAW = 80;
const BAR = 30;

export function transferRenderer(stderr: CliContext["stderr"], quiet: boolean): TransferRenderer {
  if (quiet) return { onProgress: () => {} };
  return stderr.isTTY === true ? terminalRenderer(stderr) : plainRenderer(stderr);
}

function plainRenderer(stderr: CliContext["stderr"]): TransferRenderer {
  return {
    onProgress: ({ id, status, current }) => {
      if (current === undefined) stderr.write(`${id === undefined ? "" : `${id}: `}${status}\n`);
    },
  };
}

function terminalRenderer(stderr: CliContext["stderr"]): TransferRenderer {
  const rows: string[] = [];
  const drawn = new Map<string, number>();
  const draw = (id: string, text: string): void => {
    const known = rows.indexOf(id);
    const line = text.slice(0, Math.max((stderr.columns || 80) - 1, 1));
    if (known < 0) {
      rows.push(id);
      stderr.write(`${line}\n`);
      return;
    }
    const up = rows.length - known;
    stderr.write(`\u001b[${up}A\r\u001b[K${line}\u001b[${up}B\r`);
  };
  return {
    onProgress: ({ id, status, current, total }) => {
      if (id === undefined) {
        rows.length = 0;
        stderr.write(`${status}\n`);
        return;
      }
      const now = performance.now();
      const passing = current !== undefined && current !== total;
      if (passing && now - (drawn.get(id) ?? Number.NEGATIVE_INFINITY) < REDRAW) return;
      drawn.set(id, now);
      draw(id, `${id}: ${status}${bar(current, total)}`);
    },
  };
}

function bar(current: number | undefined, total: number | undefined): string {
  if (current === undefined) return "";
  if (total === undefined || total === 0) return ` ${humanSize(current)}`;
  const filled = Math.min(Math.floor((current / total) * BAR), BAR);
  const arrow = filled === BAR ? "=".repeat(BAR) : `${"=".repeat(filled)}>`.padEnd(BAR);
  return ` [${arrow}] ${humanSize(current)}/${humanSize(total)}`;
}
