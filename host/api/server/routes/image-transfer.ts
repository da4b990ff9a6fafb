/** Images into the store and out of it: pull, push, load, save, import, commit. */

import { Buffer } from "node:buffer";
import { apiError } from "../../docker/errors.ts";
import { familiarName } from "../../docker/image-json.ts";
import { progressJson } from "../../docker/progress-json.ts";
import { any, boolean, list, map, object, readBySchema, string } from "../../docker/schema.ts";
import type { ApiCall } from "../api-call.ts";
import type { ImageProgress, RegistryAuth } from "../daemon-model.ts";
import type { Reply } from "../reply.ts";
import type { Route } from "../router.ts";
import { errorBody } from "../status.ts";
import { imageName } from "./images.ts";

export const imageTransferRoutes: readonly Route[] = [
  { method: "POST", pattern: "/images/create", handle: create },
  { method: "POST", pattern: "/images/load", handle: load },
  { method: "GET", pattern: "/images/get", handle: save },
  { method: "GET", pattern: "/images/{name...}/get", handle: save },
  { method: "POST", pattern: "/images/{name...}/push", handle: push },
  { method: "POST", pattern: "/commit", handle: commit },
];

/** Longest header with credentials, in characters. */
const MAX_AUTH = 16_384;

async function create(call: ApiCall): Promise<void> {
  const source = call.query.text("fromSrc");
  if (source !== "") return importImage(call, source);
  const repository = call.query.text("fromImage");
  if (repository === "") throw apiError("BAD_REQUEST", "neither fromImage nor fromSrc is given");
  const name = imageName(repository, call.query.text("tag"));
  await transfer(call, (parts) => call.engine.pullImage(name, call.caller, parts));
}

async function push(call: ApiCall): Promise<void> {
  const name = imageName(call.parameter("name"), call.query.text("tag"));
  await transfer(call, (parts) => call.engine.pushImage(name, call.caller, parts));
}

type Transfer = Parameters<ApiCall["engine"]["pullImage"]>[2];

/** Steps are told as they come; a failure before the first one is an answer of its own. */
async function transfer(call: ApiCall, work: (parts: Transfer) => Promise<void>): Promise<void> {
  const { query, reply, signal } = call;
  const platform = query.given("platform");
  const auth = registryAuth(call.request.headers["x-registry-auth"]);
  const steps = progressStream(reply);
  try {
    await work({
      ...(platform === undefined ? {} : { platform }),
      ...(auth === undefined ? {} : { auth }),
      onProgress: steps.tell,
      signal,
    });
  } catch (error) {
    if (!reply.begun || signal.aborted) throw error;
    await steps.send(failureLine(error));
  }
  await steps.flushed();
  reply.begin("application/json");
  reply.end();
}

interface ProgressStream {
  readonly tell: (progress: ImageProgress) => void;
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
  const { message } = errorBody(error);
  return `${JSON.stringify({ errorDetail: { message }, error: message })}\r\n`;
}

/** X-Registry-Auth: base64url of JSON. A header that is none is no credentials, as in Docker. */
function registryAuth(header: string | readonly string[] | undefined): RegistryAuth | undefined {
  if (typeof header !== "string" || header === "" || header.length > MAX_AUTH) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(header, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const field = (name: string) => {
    const found: unknown = Reflect.get(value, name);
    return typeof found === "string" && found !== "" ? found : undefined;
  };
  const [username, password] = [field("username"), field("password")];
  const [identityToken, serverAddress] = [field("identitytoken"), field("serveraddress")];
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(identityToken === undefined ? {} : { identityToken }),
    ...(serverAddress === undefined ? {} : { serverAddress }),
  };
}

async function load(call: ApiCall): Promise<void> {
  const { engine, caller, query, reply, request, signal } = call;
  const isQuiet = query.flagOr("quiet", true);
  const steps = progressStream(reply);
  try {
    const loaded = await engine.loadImages(request, caller, {
      onProgress: isQuiet ? () => {} : steps.tell,
      signal,
    });
    reply.begin("application/json");
    await steps.flushed();
    for (const name of loaded) {
      const what = name.startsWith("sha256:") ? "Loaded image ID" : "Loaded image";
      await reply.write(`${JSON.stringify({ stream: `${what}: ${familiarName(name)}\n` })}\r\n`);
    }
  } catch (error) {
    if (!reply.begun || signal.aborted) throw error;
    await steps.send(failureLine(error));
  }
  reply.end();
}

async function save(call: ApiCall): Promise<void> {
  const { engine, caller, query, signal } = call;
  const name = call.parameter("name");
  const names = name === "" ? query.texts("names") : [name];
  if (names.length === 0) throw apiError("BAD_REQUEST", "no image is named");
  const tar = await engine.saveImages(names, caller, signal);
  await call.reply.stream("application/x-tar", tar);
}

async function importImage(call: ApiCall, source: string): Promise<void> {
  const { engine, caller, query, reply, request, signal } = call;
  if (source !== "-") {
    throw apiError("UNSUPPORTED", "importing from a URL is not supported: send the archive itself");
  }
  const repository = query.text("repo");
  const platform = query.given("platform");
  const id = await engine.importImage(request, caller, {
    ...(repository === "" ? {} : { name: imageName(repository, query.text("tag")) }),
    ...(platform === undefined ? {} : { platform }),
    changes: query.texts("changes"),
    message: query.text("message"),
    signal,
  });
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
