/**
 * Whether --network-rate holds what it says, and what a policy costs, in each mode and direction: payload of one TCP
 * connection between a container and a second host (network namespaces, joined by a cable). Of what is sent the receiver
 * counts the bytes, of what is received the container's card does; the first seconds are left out, in which a bucket may
 * be full. Arms take turns.
 *
 * usage: node bench/network-rates.ts [RUNS]      as root, with passt and nftables
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Lab, type LabContainer, OUTSIDE } from "../host/network/test-lab.ts";
import { describeEnvironment } from "./environment.ts";
import { interleave } from "./measure/interleave.ts";
import { report } from "./report.ts";

const RATES = ["10mbit", "100mbit"] as const;
const MODES = ["bridge", "user"] as const;
/** What is left out, and what is counted then, in `seconds`. */
const SETTLE = 4;
const COUNT = 8;
const SOURCE_PORT = 5001;
const SINK_PORT = 5002;

/** On one port it sends as fast as it can, on the other it tells what has come between two moments, in bits per second. */
const PEER = `
const net = require("node:net");
const block = Buffer.alloc(65536);
net.createServer((s) => {
  const go = () => { while (s.write(block)); };
  s.on("drain", go); s.on("error", () => {}); go();
}).listen(${SOURCE_PORT});
net.createServer((s) => {
  let bytes = 0;
  s.on("data", (d) => { bytes += d.length; }); s.on("error", () => {});
  setTimeout(() => {
    const [before, at] = [bytes, performance.now()];
    setTimeout(() => console.log((bytes - before) * 8000 / (performance.now() - at)), ${COUNT * 1000});
  }, ${SETTLE * 1000});
}).listen(${SINK_PORT});
`;

const runs = Number(process.argv[2] ?? 3);
const environment = await describeEnvironment();
await using lab = new Lab();
const peer = spawn("ip", ["netns", "exec", lab.outside, process.execPath, "-e", PEER], {
  stdio: ["ignore", "pipe", "inherit"],
});
const lines = createInterface({ input: peer.stdout });
try {
  for (const direction of ["in", "out"] as const) {
    const boxes = await Promise.all(
      MODES.flatMap((mode) =>
        flagsOf().map(async ({ name, flags }) => {
          const box = await lab.container(["--network", mode, ...flags, "busybox", "sh"]);
          return { name: `${mode} ${name}`, box };
        }),
      ),
    );
    const measure = direction === "in" ? received : sent;
    const arms = boxes.map(({ name, box }) => ({ name, once: () => measure(box) }));
    const comparison = await interleave(arms, runs);
    await report(`network-rate-${direction}`, { ...comparison, environment, unit: "Mbit/s" });
    for (const { box } of boxes) await box.end();
  }
} finally {
  peer.kill();
}

function flagsOf(): { readonly name: string; readonly flags: readonly string[] }[] {
  return [
    { name: "unlimited", flags: [] },
    { name: "unlimited, with a policy", flags: ["--egress", `allow=${OUTSIDE}`] },
    ...RATES.map((rate) => ({ name: rate, flags: ["--network-rate", rate] })),
  ];
}

async function received(box: LabContainer): Promise<number> {
  const count = "cat /sys/class/net/eth0/statistics/rx_bytes; cut -d' ' -f1 /proc/uptime";
  const text = await box.sh(
    `(sleep ${SETTLE + COUNT + 9} | timeout ${SETTLE + COUNT + 2} nc ${OUTSIDE} ${SOURCE_PORT} >/dev/null) & sleep ${SETTLE}; ${count}; sleep ${COUNT}; ${count}; sleep 3`,
  );
  const [a = 0, start = 0, b = 0, end = 0] = text.trim().split(/\s+/).map(Number);
  return ((b - a) * 8) / (end - start) / 1e6;
}

async function sent(box: LabContainer): Promise<number> {
  const line = once(lines, "line");
  await box.sh(`timeout ${SETTLE + COUNT + 2} nc ${OUTSIDE} ${SINK_PORT} </dev/zero`);
  const [text = ""] = await line;
  return Number(text) / 1e6;
}
