/** Does what a job says, with the images of one user. */

import { createReadStream } from "node:fs";
import type { ImageEngine } from "./image-engine.ts";
import type { ImageJob, JobEvent } from "./image-job.ts";

/** @throws what the engine's calls throw, LOAD_CANCELLED when it was aborted */
export async function runImageJob(
  images: ImageEngine,
  job: ImageJob,
  options: { readonly onEvent: (event: JobEvent) => void; readonly signal: AbortSignal },
): Promise<void> {
  const { onEvent, signal } = options;
  const heard = {
    onProgress: (progress: Extract<JobEvent, { kind: "progress" }>["progress"]) =>
      onEvent({ kind: "progress", progress }),
    signal,
  };
  switch (job.kind) {
    case "pull": {
      const { name, all, credentials, insecure, platform } = job;
      const request = {
        ...heard,
        credentials,
        insecure,
        platform,
        onPulled: (image: Extract<JobEvent, { kind: "pulled" }>["image"]) =>
          onEvent({ kind: "pulled", image }),
      };
      await (all ? images.pullAll(name, request) : images.pull(name, request));
      return;
    }
    case "push": {
      const { name, all, credentials, insecure } = job;
      const request = {
        ...heard,
        credentials,
        insecure,
        onPushed: (image: Extract<JobEvent, { kind: "pushed" }>["image"]) =>
          onEvent({ kind: "pushed", image }),
      };
      await (all ? images.pushAll(name, request) : images.push(name, request));
      return;
    }
    case "load": {
      const loaded = await images.load(job.path, { ...heard, platform: job.platform });
      for (const image of loaded) onEvent({ kind: "loaded", image });
      return;
    }
    case "import": {
      const { path, name, changes, message, platform } = job;
      const tar = createReadStream(path, { highWaterMark: CHUNK });
      const id = await images.import(tar, { name, changes, message, platform, signal });
      onEvent({ kind: "loaded", image: { id } });
      return;
    }
  }
}

/** Length of a read, in `bytes`. */
const CHUNK = 256 * 1024;
