/**
 * The process between a hypervisor and the passts of a machine that has the host's network: it outlives the daemon as
 * the machine does, and ends with the one hypervisor that it serves. The first passt carries all that the guest begins;
 * the others have ports of the host and come and go as the guest listens, as a daemon says over the control socket.
 * Its working folder is theirs: it may know no other once it is nobody.
 */

import { createConnection, createServer, Socket } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { framed, pumpFrames, takeFrames } from "../user/filter/frame-pump.ts";
import { arpRequest } from "./arp-request.ts";
import { byPort, type PortRoute, routeOf } from "./port-routes.ts";
import { CARD_FD, CONTROL_SOCKET, type SwitchConfig } from "./switch-config.ts";

// our own process wrote it
const config: SwitchConfig = JSON.parse(await text(process.stdin));
let routes: readonly PortRoute[] = [];
let ports = byPort(routes);
const others = new Map<string, Socket>();
const machine = new Socket({ fd: CARD_FD, readable: true, writable: true });

const first = createConnection(config.passt);
first.on("error", () => process.exit(1));
const control = createServer((daemon) => {
  daemon.on("error", () => daemon.destroy());
  daemon.write(`${JSON.stringify(routes)}\n`);
  createInterface({ input: daemon }).on("line", (line) => {
    setRoutes(JSON.parse(line));
    daemon.write("done\n");
  });
});
control.listen({ path: CONTROL_SOCKET }, () => {
  dropRights(config.runAs);
  serve(machine);
  process.stdout.write("ready\n");
});

function serve(hypervisor: Socket): void {
  hypervisor.setMaxListeners(0);
  for (const socket of [hypervisor, first]) {
    socket.on("error", () => socket.destroy());
    socket.on("close", () => process.exit(0));
  }
  let held: Buffer = Buffer.alloc(0);
  hypervisor.on("data", (chunk: Buffer) => {
    try {
      held = distribute(hypervisor, held.length === 0 ? chunk : Buffer.concat([held, chunk]));
    } catch {
      // whoever breaks the rules is spoken to no more
      hypervisor.destroy();
    }
  });
  pumpFrames({ from: first, to: hypervisor });
}

/** @returns what is left of the last frame */
function distribute(hypervisor: Socket, bytes: Buffer): Buffer {
  const full = new Set<Socket>();
  const send = (to: Socket, data: Buffer) => {
    if (!to.write(data)) full.add(to);
  };
  const { pieces, rest } = takeFrames(bytes, (frame) => {
    const other = others.get(routeOf(frame, ports) ?? "");
    if (other !== undefined) send(other, framed(frame));
    return other === undefined;
  });
  for (const piece of pieces) send(first, piece);
  if (full.size > 0) {
    hypervisor.pause();
    let waiting = full.size;
    const drained = () => {
      if (--waiting === 0) hypervisor.resume();
    };
    // one that is taken away meanwhile is waited for no more
    for (const socket of full) whichever(socket, ["drain", "close"], drained);
  }
  return rest;
}

function whichever(socket: Socket, events: readonly string[], then: () => void): void {
  const happened = () => {
    for (const event of events) socket.off(event, happened);
    then();
  };
  for (const event of events) socket.on(event, happened);
}

function setRoutes(wanted: readonly PortRoute[]): void {
  const paths = new Set(wanted.map(({ path }) => path));
  for (const [path, socket] of others) if (!paths.has(path)) socket.destroy();
  for (const path of paths) {
    if (others.has(path)) continue;
    const socket = createConnection(path);
    others.set(path, socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => others.delete(path));
    pumpFrames({ from: socket, to: machine });
    // without it what is sent to the guest is sent to all, and by its kernel passed over
    socket.write(framed(arpRequest(config.greeting)));
  }
  routes = wanted;
  ports = byPort(wanted);
}

/** What guests send is looked at by nobody in particular. */
function dropRights(uid: number | undefined): void {
  if (uid === undefined) return;
  process.setgroups?.([]);
  process.setgid?.(uid);
  process.setuid?.(uid);
}
