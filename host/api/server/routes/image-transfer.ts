/** Images into the store and out of it: pull, push, load, save, import, commit. */

import type { ImageProgress } from "../../../engine/images/transfer-progress.ts";
import { apiError } from "../../docker/errors.ts";
import { familiarName } from "../../docker/image-json.ts";
import { progressJson } from "../../docker/progress-json.ts";
import { any, boolean, list, map, object, readBySchema, string } from "../../docker/schema.ts";
import type { ApiCall } from "../api-call.ts";
import type { Reply } from "../reply.ts";
import type { Route } from "../router.ts";
import type { TransferOptions } from "../served-images.ts";
import { errorBody } from "../status.ts";
import { callable } from "../told-work.ts";
import { imageName } from "./images.ts";
import { registryAuth } from "./login.ts";

export const imageTransferRoutes: readonly Route[] = [
  { method: "POST", pattern: "/images/create", handle: create },
  { method: "POST", pattern: "/images/load", handle: load },
  { method: "GET", pattern: "/images/get", handle: save },
  { method: "GET", pattern: "/images/{name...}/get", handle: save },
  { method: "POST", pattern: "/images/{name...}/push", handle: push },
  { method: "POST", pattern: "/commit", handle: commit },
];

async function create(call: ApiCall): Promise<void> {
  const source = call.query.text("fromSrc");
  if (source !== "") return importImage(call, source);
  const repository = call.query.text("fromImage");
  if (repository === "") throw apiError("BAD_REQUEST", "neither fromImage nor fromSrc is given");
  const name = imageName(repository, call.query.text("tag"));
  const platform = call.query.given("platform");
  await transfer(call, (parts, steps) =>
    call.engine.images().pull(name, call.caller, {
      ...parts,
      ...(platform === undefined ? {} : { platform }),
      all: isRepository(name),
      onPulled: (image) => {
        const { digest, isNew } = image;
        parts.onProgress({ status: `Digest: ${digest}` });
        const what = isNew ? "Downloaded newer image for" : "Image is up to date for";
        parts.onProgress({ status: `Status: ${what} ${familiarName(image.name)}` });
        const { name: Name, id: ID, digest: Digest, isNew: IsNew } = image;
        steps.result({ Name, ID, Digest, IsNew });
      },
    }),
  );
}

async function push(call: ApiCall): Promise<void> {
  const name = imageName(call.parameter("name"), call.query.text("tag"));
  await transfer(call, (parts, steps) =>
    call.engine.images().push(name, call.caller, {
      ...parts,
      all: isRepository(name),
      onPushed: ({ tag, digest, size }) => {
        parts.onProgress({ status: `${tag}: digest: ${digest} size: ${size}` });
        steps.result({ Tag: tag, Digest: digest, Size: size });
      },
    }),
  );
}

/** A name with neither tag nor digest stands for all tags of its repository, as in Docker. */
function isRepository(name: string): boolean {
  return !name.includes("@") && !name.slice(name.lastIndexOf("/") + 1).includes(":");
}

/** Steps are told as they come; a failure before the first one is an answer of its own. */
async function transfer(
  call: ApiCall,
  work: (parts: TransferOptions, steps: ProgressStream) => Promise<void>,
): Promise<void> {
  const { query, reply } = call;
  const auth = registryAuth(call.request.headers["x-registry-auth"]);
  const steps = progressStream(reply);
  await untilFailure(call, steps, (signal) =>
    work(
      {
        ...(auth === undefined ? {} : { auth }),
        insecure: query.texts("insecure"),
        onProgress: steps.tell,
        signal,
      },
      steps,
    ),
  );
  await steps.flushed();
  reply.begin("application/json");
  reply.end();
}

/** After the first step a failure is a line. */
async function untilFailure(
  call: ApiCall,
  steps: ProgressStream,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  try {
    await callable(call, work);
  } catch (error) {
    if (!call.reply.begun || call.signal.aborted) throw error;
    await steps.send(failureLine(error));
  }
}

interface ProgressStream {
  readonly tell: (progress: ImageProgress) => void;
  /** what came of it, for programs: `aux` of Docker's messages */
  readonly result: (result: Readonly<Record<string, unknown>>) => void;
  readonly send: (line: string) => Promise<void>;
  readonly flushed: () => Promise<void>;
}

/** For a client that reads slowly, steps that a later one of the same layer overtakes are left out. */
function progressStream(reply: Reply): ProgressStream {
  const waiting = new Map<string, string>();
  let writing: Promise<void> = Promise.resolve();
  let isBusy = false;
  const drain = async () => {
    try {
      for (const [key, line] of waiting) {
        waiting.delete(key);
        await reply.write(line);
      }
    } catch {
      // the abort of the call tells whoever works that the client has gone
      waiting.clear();
    } finally {
      isBusy = false;
    }
  };
  const queue = (key: string, line: string) => {
    reply.begin("application/json");
    waiting.delete(key);
    waiting.set(key, line);
    if (isBusy) return;
    isBusy = true;
    writing = drain();
  };
  return {
    tell: (progress) =>
      queue(
        `${progress.id ?? ""} ${progress.status}`,
        `${JSON.stringify(progressJson(progress))}\r\n`,
      ),
    result: (aux) => {
      const line = `${JSON.stringify({ aux })}\r\n`;
      queue(line, line);
    },
    send: async (line) => {
      queue("failure", line);
      await writing;
    },
    flushed: async () => {
      while (isBusy) await writing;
    },
  };
}

function failureLine(error: unknown): string {
  const { message, ...rest } = errorBody(error);
  return `${JSON.stringify({ errorDetail: { message }, error: message, ...rest })}\r\n`;
}

async function load(call: ApiCall): Promise<void> {
  const { engine, caller, query, reply, request } = call;
  const isQuiet = query.flagOr("quiet", true);
  const platform = query.given("platform");
  const steps = progressStream(reply);
  await untilFailure(call, steps, async (signal) => {
    const loaded = await engine.images().load(request, caller, {
      ...(platform === undefined ? {} : { platform }),
      onProgress: isQuiet ? () => {} : steps.tell,
      signal,
    });
    reply.begin("application/json");
    for (const { id, name } of loaded) {
      const text = name === undefined ? `image ID: ${id}` : `image: ${familiarName(name)}`;
      await steps.send(`${JSON.stringify({ stream: `Loaded ${text}\n` })}\r\n`);
    }
  });
  await steps.flushed();
  reply.end();
}

async function save(call: ApiCall): Promise<void> {
  const { engine, caller, query, signal } = call;
  const name = call.parameter("name");
  const names = name === "" ? query.texts("names") : [name];
  if (names.length === 0) throw apiError("BAD_REQUEST", "no image is named");
  const tar = await engine.images().save(names, caller, signal);
  await call.reply.stream("application/x-tar", tar);
}

async function importImage(call: ApiCall, source: string): Promise<void> {
  const { engine, caller, query, reply, request } = call;
  if (source !== "-") {
    throw apiError("UNSUPPORTED", "importing from a URL is not supported: send the archive itself");
  }
  const repository = query.text("repo");
  const platform = query.given("platform");
  const id = await callable(call, (signal) =>
    engine.images().import(request, caller, {
      ...(repository === "" ? {} : { name: imageName(repository, query.text("tag")) }),
      ...(platform === undefined ? {} : { platform }),
      changes: query.texts("changes"),
      message: query.text("message"),
      signal,
    }),
  );
  reply.begin("application/json");
  await reply.write(`${JSON.stringify({ status: id })}\r\n`);
  reply.end();
}

const configBody = object({
  User: string,
  Env: list(string),
  Cmd: any,
  Entrypoint: any,
  ExposedPorts: map(any),
  Volumes: map(any),
  WorkingDir: string,
  OnBuild: list(string),
  Labels: map(string),
  Tty: boolean,
  OpenStdin: boolean,
});

async function commit(call: ApiCall): Promise<void> {
  const { engine, caller, query, reply } = call;
  const config = readBySchema(configBody, await call.json({}));
  if (Object.values(config).some(isGiven)) {
    throw apiError("UNSUPPORTED", "commit with a configuration is not supported: use changes");
  }
  const view = await call.container(query.text("container"));
  const repository = query.text("repo");
  const id = await engine.commit(view.id, caller, {
    ...(repository === "" ? {} : { name: imageName(repository, query.text("tag")) }),
    author: query.text("author"),
    comment: query.text("comment"),
    changes: query.texts("changes"),
    pause: query.flagOr("pause", true),
  });
  reply.json(201, { Id: id });
}

function isGiven(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === false) return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}
