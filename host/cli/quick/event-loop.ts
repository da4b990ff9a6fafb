/** Waits for descriptors, one poll(2) at a time. */

import { ERRNO } from "#linux/errno";
import { POLLFD } from "#linux/poll";
import { attempt, CallFailure } from "../../sys/quickjs/calls.ts";

export interface Watched {
  readonly fd: number;
  /** `POLL*` that are waited for */
  readonly events: number;
  readonly onReady: () => void;
}

/**
 * Waits until one of them is ready, and tells those that are.
 *
 * @param timeout at most so long, in `milliseconds`; absent: for ever
 * @throws CallFailure
 */
export function waitFor(watched: readonly Watched[], timeout = -1): void {
  const { fd, events, revents } = POLLFD.fields;
  const view = new DataView(new ArrayBuffer(POLLFD.size * watched.length));
  for (const [index, each] of watched.entries()) {
    view.setInt32(index * POLLFD.size + fd.offset, each.fd, true);
    view.setInt16(index * POLLFD.size + events.offset, each.events, true);
  }
  const result = attempt("poll", view, watched.length, timeout);
  if (result === -ERRNO.EINTR) return;
  if (result < 0) throw new CallFailure("poll", -result);
  for (const [index, each] of watched.entries())
    if (view.getInt16(index * POLLFD.size + revents.offset, true) !== 0) each.onReady();
}
