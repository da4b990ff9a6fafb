/** Steps of a pull, push or load as Docker's clients draw them (moby pkg/jsonmessage). */

import type { ImageProgress } from "../server/daemon-model.ts";

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
