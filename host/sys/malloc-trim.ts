/** malloc_trim(3): what was freed and the C library keeps goes back to the system. */

import { foreign } from "./libc.ts";

const malloc_trim = foreign<(pad: number) => number>("int malloc_trim(size_t pad)");

/** Of all of its arenas; takes some milliseconds where they hold much. */
export function trimMalloc(): void {
  malloc_trim(0);
}
