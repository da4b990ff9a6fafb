/** Steps of a pull, push or load as Docker's clients draw them (moby pkg/jsonmessage). */

import type { ImageProgress } from "../../engine/images/transfer-progress.ts";

export function progressJson(progress: ImageProgress): Record<string, unknown> {
  const { id, status, current, total } = progress;
  return {
    status,
    progressDetail: {
      ...(current === undefined ? {} : { current }),
      ...(total === undefined ? {} : { total }),
    },
    ...(id === undefined ? {} : { id }),
  };
}
