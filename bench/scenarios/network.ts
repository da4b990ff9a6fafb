/** Network: TCP between a container and its host. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { Lacking } from "../arms/arm.ts";
import { missingProgram } from "../arms/refusals.ts";
import type { Metric, Scenario, Session, Stage } from "./scenario.ts";
import { type ToolRun, toolSession } from "./tool-runs.ts";

const METRICS: readonly Metric[] = [
  {
    name: "to-host",
    title: "TCP, container to host, one stream",
    unit: "Gbit/s",
    better: "higher",
    how: "iperf3 in a new container, its server on the host's first address: what the server received; plain namespaces and runc share the host's network here",
  },
  {
    name: "from-host",
    title: "TCP, host to container, one stream",
    unit: "Gbit/s",
    better: "higher",
    how: "the same with iperf3 -R: what the container received",
  },
];

export const network: Scenario = {
  name: "network",
  title: "Network",
  question: "What does the way between a container and its host carry?",
  tools: ["iperf3"],
  rounds: 3,
  usual: true,
  arms: "all",
  metrics: METRICS,
  open: openNetwork,
};

async function openNetwork(stage: Stage): Promise<Session> {
  const missing = await missingProgram("iperf3");
  if (missing !== undefined) throw new Lacking(`${missing} on the host`);
  const host = hostAddress();
  if (host === undefined) throw new Lacking("the host has no address besides its loopback");
  // one for each: a server that has just served one client refuses the next for a moment
  await using started = new AsyncDisposableStack();
  const runs: ToolRun[] = [];
  for (const metric of METRICS) {
    const { port } = started.use(await startServer());
    const reverse = metric.name === "from-host" ? " -R" : "";
    const line = `iperf3 -c ${host} -p ${port} --connect-timeout 5000 -t $SECONDS_EACH -J${reverse}`;
    runs.push({ metric, line, read: readIperf });
  }
  const { once: measure } = await toolSession(stage, runs, { network: "usual" });
  const servers = started.move();
  return { once: measure, [Symbol.asyncDispose]: () => servers.disposeAsync() };
}

/** The first address that is not the loopback's: guests reach it through any kind of network. */
function hostAddress(): string | undefined {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === "IPv4" && !internal)?.address;
}

async function startServer(): Promise<AsyncDisposable & { readonly port: number }> {
  const port = await freePort();
  const args = ["-s", "--forceflush", "-p", `${port}`];
  const server = spawn("iperf3", args, { stdio: ["ignore", "pipe", "ignore"] });
  await once(server.stdout, "data");
  server.stdout.resume();
  return {
    port,
    async [Symbol.asyncDispose]() {
      const ended = once(server, "close");
      server.kill();
      await ended;
    },
  };
}

/** `end.sum_received.bits_per_second` of iperf3's JSON (iperf 3.12). */
export function readIperf(output: string): number {
  const found = /"sum_received":\s*\{[^}]*"bits_per_second":\s*([0-9.e+]+)/.exec(output)?.[1];
  return found === undefined ? Number.NaN : Number(found) / 1e9;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}
