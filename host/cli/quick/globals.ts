/** What of Node's globals the command line's modules use on their way from words to a request. */

import { CLOCK_MONOTONIC } from "#linux/time";
import { attempt, bytesOf } from "../../sys/quickjs/calls.ts";
import { NotHere } from "./not-here.ts";
import { environment } from "./world.ts";

const started = milliseconds();

/** On the clock that only goes forward. */
function milliseconds(): number {
  const time = new DataView(new ArrayBuffer(16));
  attempt("clock_gettime", CLOCK_MONOTONIC, time);
  return Number(time.getBigInt64(0, true)) * 1000 + Number(time.getBigInt64(8, true)) / 1e6;
}

Object.assign(globalThis, {
  performance: { now: () => milliseconds() - started },
  process: {
    get env() {
      return environment();
    },
    getuid: () => attempt("getuid"),
  },
  Buffer: {
    from: (text: string, encoding?: string) => {
      if (encoding !== undefined) throw new NotHere(encoding);
      return bytesOf(text);
    },
  },
});
