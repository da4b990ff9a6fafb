/** Debian's docker-registry on loopback, with TLS and users as asked, and the tools that are its other clients. */
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

/** The one user of a registry with users, and their bcrypt hash as `htpasswd -B` writes it. */
export const USER = { username: "tester", password: "geheim" } as const;
const HTPASSWD = "tester:$2y$05$J6dcbFSkt51T9MzpY2kQ7On/./asraQIi3MU1/E4Y7Jwe8qeSYaZu\n";

export interface RealRegistry extends AsyncDisposable {
  /** `HOST:PORT` */
  readonly host: string;
  /** its authority's certificate, with TLS */
  readonly caPath: string;
}

export interface RegistryOptions {
  readonly tls?: boolean;
  readonly users?: boolean;
}

/** Why tests with a real registry cannot run here; `false` when they can. */
export const noRegistry: string | false =
  ["docker-registry", "skopeo", "umoci", "openssl"]
    .filter((program) => !isInstalled(program))
    .map((program) => `${program} is not installed`)
    .join(", ") || false;

/** Starts a registry that keeps its blobs in a folder; it ends with its scope. */
export async function startRegistry(
  folder: string,
  { tls = false, users = false }: RegistryOptions = {},
): Promise<RealRegistry> {
  mkdirSync(join(folder, "blobs"), { recursive: true });
  const http: Record<string, unknown> = { addr: "127.0.0.1:0" };
  if (tls) http.tls = { certificate: join(folder, "server.crt"), key: join(folder, "server.key") };
  if (tls) makeCertificates(folder);
  writeFileSync(join(folder, "htpasswd"), HTPASSWD);
  const config = {
    version: 0.1,
    log: { level: "info", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, "blobs") } },
    http,
    ...(users ? { auth: { htpasswd: { realm: "test", path: join(folder, "htpasswd") } } } : {}),
  };
  const path = join(folder, "config.yml");
  // JSON is YAML too.
  writeFileSync(path, JSON.stringify(config));
  const child = spawn("docker-registry", ["serve", path], { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  child.stderr.on("data", (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-10_000);
    const address = /listening on (127\.0\.0\.1:[0-9]+)/.exec(log)?.[1];
    if (address !== undefined) resolve(address);
  });
  child.once("exit", () => reject(new Error(`docker-registry ended: ${log}`)));
  return {
    host: await promise,
    caPath: join(folder, "ca.crt"),
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

/** Runs a tool. @returns its output @throws Error with its words */
export async function tool(program: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { maxBuffer: 16 * 1024 * 1024 });
  return stdout;
}

/** Whether a program is on the search path. */
export function isInstalled(program: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function makeCertificates(folder: string): void {
  const openssl = (...args: readonly string[]): void => {
    execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  openssl(
    "req",
    "-x509",
    ...key,
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-subj",
    "/CN=test authority",
  );
  openssl(
    "req",
    "-new",
    ...key,
    "-keyout",
    "server.key",
    "-out",
    "server.csr",
    "-subj",
    "/CN=localhost",
  );
  writeFileSync(
    join(folder, "names"),
    "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:registry.test\n",
  );
  const sign = [
    "-CA",
    "ca.crt",
    "-CAkey",
    "ca.key",
    "-CAcreateserial",
    "-days",
    "2",
    "-extfile",
    "names",
  ];
  openssl("x509", "-req", "-in", "server.csr", "-out", "server.crt", ...sign);
}
