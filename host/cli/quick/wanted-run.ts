/** Which runs are quick: those without input, terminal, files to read or an image to bring. */

import { writeCreate } from "../../api/docker/write-create.ts";
import type { DaemonContainerConfig } from "../../api/engine-api.ts";
import { daemonPlaces, hostPath } from "../../api/server/daemon-places.ts";
import { PROGRAM_HEADER } from "../../api/server/program-header.ts";
import { parseRun } from "../parse-run.ts";
import { Connection } from "./connection.ts";
import { waitFor } from "./event-loop.ts";
import { NotHere } from "./not-here.ts";
import { environment } from "./world.ts";

/** Where the daemon is, as the words before the command say it. */
export interface DaemonChoice {
  readonly dataRoot?: string | undefined;
  readonly host?: string | undefined;
}

export interface WantedRun {
  /** path and body of the request that makes it */
  readonly creation: { readonly path: string; readonly body: unknown };
  readonly autoRemove: boolean;
  /** the daemon's socket */
  readonly socket: string;
  readonly detach: boolean;
  readonly proxySignals: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** whether an image that is missing is brought */
  readonly pulls: boolean;
  /** whether the user has named the daemon, which is to stay as it is */
  readonly isChosen: boolean;
}

/** @throws NotHere for any other run, and for words that make no sense: who tells of that is elsewhere */
export function wantedRun(words: readonly string[], choice: DaemonChoice): WantedRun {
  try {
    return asked(words, choice);
  } catch (error) {
    throw error instanceof NotHere ? error : new NotHere(String(error));
  }
}

function asked(words: readonly string[], choice: DaemonChoice): WantedRun {
  const { values, config } = parseRun(words, environment());
  const { tty, interactive, verbose, cidfile, attach, pull, rootfs } = values;
  const isPlain = !(tty || interactive || cidfile || rootfs || attach.length > 0);
  if (!isPlain || pull === "always") throw new NotHere("such a run");
  if (values["detach-keys"] !== undefined) throw new NotHere("detach keys");
  const { pull: _, ...rest } = config;
  return {
    creation: creationOf({ ...rest, stdinOnce: false }),
    autoRemove: config.autoRemove,
    ...daemonOf(choice),
    verbose,
    pulls: pull !== "never",
    detach: values.detach,
    proxySignals: values["sig-proxy"],
    quiet: values.quiet,
  };
}

function creationOf(config: DaemonContainerConfig): WantedRun["creation"] {
  const { name, platform } = config;
  const query = Object.entries({ name, platform }).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${encodeURIComponent(value)}`],
  );
  const path = `/containers/create${query.length === 0 ? "" : `?${query.join("&")}`}`;
  const body = writeCreate(config);
  // the engine has halves of surrogate pairs for bytes that are no UTF-8: Node has its own way with those
  if (/\\ud[89a-f]/.test(JSON.stringify(body))) throw new NotHere("words that are no text");
  return { path, body };
}

function daemonOf({ dataRoot, host = environment().DVM_HOST }: DaemonChoice) {
  const { socket } = daemonPlaces({ dataRoot }, environment());
  return { socket: host ? hostPath(host) : socket, isChosen: Boolean(host) };
}

/** @throws NotHere where no daemon serves, or an old one that is to make way */
export function openDaemon({ socket, isChosen }: WantedRun): Connection {
  const connection = Connection.open(socket);
  if (connection === undefined) throw new NotHere("a daemon to be started");
  if (isChosen) return connection;
  const headers = { [PROGRAM_HEADER]: "renew" };
  const answer = connection.send({ method: "HEAD", path: "/_ping", headers });
  while (!answer.isComplete) {
    let lives = true;
    waitFor([connection.watched(() => (lives = connection.receive(answer)))]);
    if (!lives) throw new NotHere("a daemon that ends");
  }
  const state = answer.header(PROGRAM_HEADER);
  if (answer.status === 200 && state !== "renewing") return connection;
  throw new NotHere("a daemon that makes way");
}
