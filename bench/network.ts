/**
 * What a container's network carries: throughput of one TCP connection and the round trip, from the guest to its host and
 * between two guests, beside podman's bridge, and user mode beside slirp4netns. Arms take turns. With QEMU, which is the
 * backend wherever there is no KVM for Linux, the arm "QEMU with the same tap" is dvm's own. What a network costs at the
 * start is measured by `network-start.ts`.
 *
 * usage: node bench/network.ts [RUNS]      as root, with iperf3, podman, slirp4netns, passt and nftables
 */

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { CommandLine } from "./arms/arm.ts";
import { openOwnDaemon } from "./engine/own-daemon.ts";
import { quiet } from "./engine/podman-container.ts";
import { describeEnvironment } from "./environment.ts";
import { runCommand } from "./measure/command.ts";
import { interleave } from "./measure/interleave.ts";
import { IMAGES } from "./paths.ts";
import { report } from "./report.ts";

/** Of one measurement, in `seconds`. */
const LENGTH = 2;
/** Of a round trip: one byte there and back. */
const TRIPS = 200;
const ECHO_PORT = 7777;
/** Says how long a trip took, in `milliseconds`, after some that do not count. */
const ASK = `use IO::Socket::INET; use Time::HiRes qw(time);
$s = IO::Socket::INET->new(PeerAddr => "$ARGV[0]:${ECHO_PORT}") or die $!;
setsockopt $s, 6, 1, 1;
sub trips { for (1 .. $_[0]) { syswrite $s, "x"; sysread $s, $b, 1 } }
trips(20); $t = time; trips(${TRIPS}); print((time - $t) * 1000 / ${TRIPS});`;
const ECHO = `use IO::Socket::INET;
$l = IO::Socket::INET->new(LocalPort => ${ECHO_PORT}, Listen => 9, ReuseAddr => 1) or die $!;
while ($c = $l->accept) { setsockopt $c, 6, 1, 1; while (sysread $c, $b, 1) { syswrite $c, $b } }`;
const LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
const WAIT = ["sleep", "1000000"];

/** A container, as whoever asks it from outside sees it. */
interface Box {
  readonly name: string;
  readonly exec: (...words: string[]) => CommandLine;
  /** the same in the background */
  readonly start: (...words: string[]) => CommandLine;
}

const runs = Number(process.argv[2] ?? 5);
const folder = await mkdtemp(join(tmpdir(), "dvm-bench-network-"));
const environment = await describeEnvironment();
const host = hostAddress();
const server = spawn("iperf3", ["-s"], { stdio: "ignore" });
const echo = createServer((client) =>
  client
    .setNoDelay()
    .on("error", () => {})
    .pipe(client),
);
echo.listen(ECHO_PORT);
await using daemon = await openOwnDaemon(folder);
const podman = (...words: string[]): CommandLine => ({
  command: "podman",
  args: ["--root", join(folder, "podman"), "--runroot", join(folder, "podman-run"), ...words],
});
try {
  const boxes = {
    bridge: await dvmBox("bridge", "bridge"),
    user: await dvmBox("user", "user"),
    podman: await podmanBox("podman", "podman"),
    slirp: await podmanBox("slirp", "slirp4netns"),
  };
  const toHost = [
    { name: "podman, bridge", box: boxes.podman },
    { name: "dvm, bridge", box: boxes.bridge },
    { name: "podman, slirp4netns", box: boxes.slirp },
    { name: "dvm, user (passt)", box: boxes.user },
  ];
  await measure("guest-to-host", toHost, host);
  await betweenGuests(boxes);
} finally {
  server.kill();
  echo.close();
  await quiet(daemon.dvm("rm", "-f", "bridge", "user", "peer")).catch(() => {});
  await quiet(podman("rm", "--all", "--force", "--time=0")).catch(() => {});
  await rm(folder, { recursive: true, force: true });
}

async function betweenGuests(boxes: Readonly<Record<"bridge" | "podman", Box>>): Promise<void> {
  const peers = [await podmanBox("peer", "podman"), await dvmBox("peer", "bridge")] as const;
  const arms = [boxes.podman, boxes.bridge];
  const names = ["podman, bridge", "dvm, bridge"];
  const all = [];
  for (const [index, box] of arms.entries()) {
    const peer = peers[index];
    if (peer === undefined) continue;
    await quiet(peer.start("iperf3", "-s"));
    await quiet(peer.start("perl", "-e", ECHO));
    const { stdout } = await call(peer.exec("hostname", "-I"));
    all.push({ name: names[index] ?? box.name, box, target: stdout.trim().split(" ")[0] ?? "" });
  }
  await measure("guest-to-guest", all);
  await quiet(daemon.dvm("rm", "-f", "peer"));
}

async function measure(
  name: string,
  arms: readonly { readonly name: string; readonly box: Box; readonly target?: string }[],
  common = "",
): Promise<void> {
  const each = (once: (box: Box, target: string) => Promise<number>) =>
    interleave(
      arms.map((arm) => ({ name: arm.name, once: () => once(arm.box, arm.target ?? common) })),
      runs,
    );
  const sent = await each((box, target) => throughput(box, target, []));
  await report(`network-${name}-sent`, { environment, unit: "Mbit/s", ...sent });
  const received = await each((box, target) => throughput(box, target, ["-R"]));
  await report(`network-${name}-received`, { environment, unit: "Mbit/s", ...received });
  const trips = await each(roundTrip);
  await report(`network-${name}-round-trip`, { environment, unit: "ms", ...trips });
}

async function throughput(box: Box, target: string, way: readonly string[]): Promise<number> {
  const words = [
    "iperf3",
    "-c",
    target,
    "--connect-timeout",
    "5000",
    "-t",
    String(LENGTH),
    "-J",
    ...way,
  ];
  const { stdout } = await call(box.exec(...words));
  const { end } = JSON.parse(stdout) as {
    readonly end: { readonly sum_received: { readonly bits_per_second: number } };
  };
  return end.sum_received.bits_per_second / 1e6;
}

/** @returns the mean of some */
async function roundTrip(box: Box, target: string): Promise<number> {
  const { stdout } = await call(box.exec("perl", "-e", ASK, target));
  return Number(stdout);
}

async function dvmBox(name: string, network: string): Promise<Box> {
  const flags = ["-d", "--name", name, "--network", network];
  await quiet(daemon.dvm("run", ...flags, "servers", ...WAIT));
  return {
    name,
    exec: (...words) => daemon.dvm("exec", name, ...words),
    start: (...words) => daemon.dvm("exec", "-d", name, ...words),
  };
}

async function podmanBox(name: string, network: string): Promise<Box> {
  const image = `oci:${join(IMAGES, "servers")}:latest`;
  const flags = ["-d", "--name", name, "--network", network, ...LIMITS];
  await quiet(podman("run", ...flags, image, ...WAIT));
  await setTimeout(200);
  return {
    name,
    exec: (...words) => podman("exec", name, ...words),
    start: (...words) => podman("exec", "-d", name, ...words),
  };
}

function call({ command, args }: CommandLine): ReturnType<typeof runCommand> {
  return runCommand(command, args);
}

/** The first that is not its loopback's. */
function hostAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const found = all.find(({ family, internal }) => family === "IPv4" && !internal);
  if (found === undefined) throw new Error("this host has no address for guests to ask");
  return found.address;
}
