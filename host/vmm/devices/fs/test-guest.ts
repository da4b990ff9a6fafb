/** A guest's FUSE client for tests: its requests go straight to a server, from real memory to real files. */

import { constants, openSync } from "node:fs";
import { vmmSystem } from "../../../sys/vmm-system.ts";
import type { System } from "../../kvm/system.ts";
import { createGuestMemory } from "../../memory/guest-memory.ts";
import { Chain } from "../virtio/chain.ts";
import { fuse_entry_out, fuse_init_in, fuse_opcode as op } from "./fuse.ts";
import { FuseServer } from "./fuse-server.ts";

const MEMORY_SIZE = 4 * 1024 * 1024;
const REQUEST = 0x10000;
const ANSWER = 0x200000;
const O_PATH = 0o10000000;

export interface TestRequest {
  readonly opcode: number;
  readonly node?: number;
  /** 64-bit words, 32-bit words given as `[low, high]`, texts with a NUL behind, and bytes */
  readonly body?: readonly (number | bigint | readonly [number, number] | string | Uint8Array)[];
  /** room for the answer's body, in `bytes` */
  readonly room?: number;
  readonly user?: number;
  readonly group?: number;
}

export interface TestAnswer {
  /** errno, positive; 0 for success */
  readonly errno: number;
  readonly body: Uint8Array;
  readonly view: DataView;
}

export interface TestShare {
  readonly name: string;
  readonly path: string;
  readonly kind?: "folder" | "file";
  readonly readOnly?: boolean;
}

export class TestGuest {
  readonly server: FuseServer;
  readonly memory = createGuestMemory(vmmSystem as System, [{ start: 0, length: MEMORY_SIZE }]);
  readonly #chain = new Chain(this.memory, 512);

  constructor(shares: readonly TestShare[]) {
    this.server = new FuseServer(
      vmmSystem as System,
      shares.map(({ name, path, kind = "folder", readOnly = false }) => ({
        name,
        kind,
        readOnly,
        fd: openSync(path, constants.O_RDONLY | O_PATH),
      })),
    );
  }

  /** Hands raw bytes to the server; what it wrote, or undefined for nothing. */
  send(request: Uint8Array, room: number): Uint8Array | undefined {
    this.memory.write(REQUEST, request);
    const table = new DataView(new ArrayBuffer(32));
    table.setBigUint64(0, BigInt(REQUEST), true);
    table.setUint32(8, request.length, true);
    table.setUint16(12, room > 0 ? 1 : 0, true);
    table.setUint16(14, 1, true);
    table.setBigUint64(16, BigInt(ANSWER), true);
    table.setUint32(24, room, true);
    table.setUint16(28, 2, true);
    this.memory.write(0, new Uint8Array(table.buffer));
    this.#chain.load(this.memory.locate(0, 512 * 16), 0);
    const written = this.server.serve(this.#chain);
    const { region, offset } = this.memory.locate(ANSWER, MEMORY_SIZE - ANSWER);
    return written === 0 ? undefined : region.bytes.slice(offset, offset + written);
  }

  ask({ opcode, node = 1, body = [], room = 4096, user = 0, group = 0 }: TestRequest): TestAnswer {
    const parts = body.map(encode);
    const header = new DataView(new ArrayBuffer(40));
    const length = parts.reduce((sum, part) => sum + part.length, 40);
    header.setUint32(0, length, true);
    header.setUint32(4, opcode, true);
    header.setBigUint64(8, 0x1122334455667788n, true);
    header.setBigUint64(16, BigInt(node), true);
    header.setUint32(24, user, true);
    header.setUint32(28, group, true);
    const request = Buffer.concat([new Uint8Array(header.buffer), ...parts]);
    const answer = this.send(request, 16 + room);
    if (answer === undefined)
      return { errno: 0, body: new Uint8Array(), view: new DataView(new ArrayBuffer(0)) };
    const view = new DataView(answer.buffer);
    if (view.getBigUint64(8, true) !== 0x1122334455667788n) throw new Error("not our answer");
    if (view.getUint32(0, true) !== answer.length) throw new Error("an answer of another length");
    const errno = view.getInt32(4, true);
    return {
      errno: errno === 0 ? 0 : -errno,
      body: answer.subarray(16),
      view: new DataView(answer.buffer, 16),
    };
  }

  start(): TestAnswer {
    const body = new Uint8Array(fuse_init_in.size);
    const view = new DataView(body.buffer);
    view.setUint32(fuse_init_in.major, 7, true);
    view.setUint32(fuse_init_in.minor, 37, true);
    view.setUint32(fuse_init_in.max_readahead, 128 * 1024, true);
    view.setUint32(fuse_init_in.flags, 0xffffffff, true);
    return this.ask({ opcode: op.FUSE_INIT, body: [body] });
  }

  /** Walks a path from the root; the node at its end. */
  walk(path: string): number {
    return path.split("/").reduce((node, name) => {
      const answer = this.ask({ opcode: op.FUSE_LOOKUP, node, body: [name] });
      if (answer.errno !== 0) throw new Error(`${name} of ${path}: errno ${answer.errno}`);
      return answer.view.getUint32(fuse_entry_out.nodeid, true);
    }, 1);
  }

  /** Opens a node by flags of open(2); its handle. */
  open(node: number, flags: number, opcode: number = op.FUSE_OPEN): number {
    const answer = this.ask({ opcode, node, body: [[flags, 0]] });
    if (answer.errno !== 0) throw new Error(`open: errno ${answer.errno}`);
    return answer.view.getUint32(0, true);
  }
}

function encode(part: NonNullable<TestRequest["body"]>[number]): Uint8Array {
  if (part instanceof Uint8Array) return part;
  if (typeof part === "string") return Buffer.from(`${part}\0`, "latin1");
  const view = new DataView(new ArrayBuffer(8));
  if (typeof part === "object") {
    view.setUint32(0, part[0], true);
    view.setUint32(4, part[1], true);
  } else view.setBigUint64(0, BigInt(part), true);
  return new Uint8Array(view.buffer);
}
