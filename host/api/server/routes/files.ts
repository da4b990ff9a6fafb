/** Files of a container: cp, diff, export. */

import { Buffer } from "node:buffer";
import type { PathChange } from "../../../engine/daemon/container-files.ts";
import { apiError } from "../../docker/errors.ts";
import { pathStatHeader } from "../../docker/path-stat.ts";
import type { ApiCall } from "../api-call.ts";
import type { Route } from "../router.ts";

export const fileRoutes: readonly Route[] = [
  { method: "GET", pattern: "/containers/{id}/changes", handle: changes },
  { method: "GET", pattern: "/containers/{id}/export", handle: exportTar },
  { method: "HEAD", pattern: "/containers/{id}/archive", handle: statArchive },
  { method: "GET", pattern: "/containers/{id}/archive", handle: readArchive },
  { method: "PUT", pattern: "/containers/{id}/archive", handle: writeArchive },
];

const STAT_HEADER = "X-Docker-Container-Path-Stat";
/** Docker's numbers for what became of a path (moby pkg/archive ChangeType). */
const KINDS: Readonly<Record<PathChange["kind"], number>> = { modified: 0, added: 1, deleted: 2 };

async function changes(call: ApiCall): Promise<void> {
  const { id } = await call.container();
  const found = await call.engine.changes(id, call.caller);
  const list = found.map(({ path, kind }) => ({ Path: path, Kind: KINDS[kind] }));
  call.reply.json(200, list.length > 0 ? list : null);
}

async function exportTar(call: ApiCall): Promise<void> {
  const { id } = await call.container();
  const tar = await call.engine.exportTar(id, call.caller, call.signal);
  await call.reply.stream("application/octet-stream", tar);
}

async function statArchive(call: ApiCall): Promise<void> {
  const path = archivePath(call);
  const { id } = await call.container();
  const stat = await call.engine.statPath(id, call.caller, path);
  call.reply.header(STAT_HEADER, pathStatHeader(stat));
  call.reply.empty(200);
}

async function readArchive(call: ApiCall): Promise<void> {
  const path = archivePath(call);
  const { id } = await call.container();
  const { signal } = call;
  const { stat, tar } = await call.engine.readArchive(id, call.caller, { path, signal });
  call.reply.header(STAT_HEADER, pathStatHeader(stat));
  await call.reply.stream("application/x-tar", tar);
}

async function writeArchive(call: ApiCall): Promise<void> {
  const { query, signal } = call;
  const path = archivePath(call);
  const { id } = await call.container();
  await call.engine.writeArchive(id, call.caller, {
    path,
    tar: call.request,
    noOverwriteDirNonDir: query.flag("noOverwriteDirNonDir"),
    copyUidGid: query.flag("copyUIDGID"),
    signal,
  });
  call.reply.empty(200);
}

function archivePath({ query }: ApiCall): string {
  const path = query.text("path");
  if (path === "" || path.includes("\0") || Buffer.byteLength(path) > 4096) {
    throw apiError("BAD_REQUEST", `bad parameter: path ${JSON.stringify(path.slice(0, 100))}`);
  }
  return path;
}
