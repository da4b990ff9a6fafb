import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Channel, type FromGuest, fromGuest } from "#protocol";

const root = join(import.meta.dirname, "../..");
/** in `milliseconds`: a limit for a machine that hangs, far beyond what any of this takes */
const DEADLINE = 60_000;

/** A virtual machine with the agent, under emulation; the agent's port is the socket `port`. */
class Guest implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "dvm-agent-"));
  readonly process: ChildProcess;
  readonly exit: Promise<unknown>;

  constructor(portName = "dvm.agent") {
    const words = "console=hvc0 quiet panic=-1 reboot=t";
    this.process = spawn(
      "qemu-system-x86_64",
      [
        [
          "-M",
          "microvm,acpi=off,pic=on,pit=on,rtc=off",
          "-accel",
          "tcg",
          "-cpu",
          "max",
          "-m",
          "128",
        ],
        ["-kernel", join(root, "build/kernel/vmlinux"), "-append", words],
        ["-initrd", join(root, "build/agent/initramfs.cpio")],
        ["-global", "virtio-mmio.force-legacy=false", "-nodefaults", "-no-user-config"],
        ["-display", "none", "-no-reboot", "-device", "virtio-serial-device"],
        ["-chardev", `socket,id=port,path=${this.port},server=on,wait=off`],
        ["-device", `virtserialport,chardev=port,name=${portName}`],
        ["-chardev", `file,id=console,path=${join(this.#folder, "console")}`],
        ["-device", "virtconsole,chardev=console"],
      ].flat(),
      { stdio: "ignore" },
    );
    this.exit = once(this.process, "exit");
  }

  get port(): string {
    return join(this.#folder, "port");
  }

  get console(): string {
    return readFileSync(join(this.#folder, "console"), "latin1");
  }

  async connect(): Promise<Host> {
    while (!existsSync(this.port)) await sleep(5);
    const socket = createConnection(this.port);
    await once(socket, "connect");
    return new Host(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGKILL");
    await this.exit;
    rmSync(this.#folder, { recursive: true });
  }
}

/** A host of the protocol's bare minimum. */
class Host {
  readonly #socket: Socket;
  readonly #messages: FromGuest[] = [];
  #wake = () => {};
  readonly #channel: Channel;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#channel = new Channel({
      onMessage: (value) => {
        this.#messages.push(fromGuest.parse(value));
        this.#wake();
      },
      onSynchronised: () => {},
      onOutput: () => queueMicrotask(() => this.#flush()),
    });
    socket.on("data", (bytes) => this.#channel.receive(bytes));
    socket.on("error", () => {});
    this.#channel.open(crypto.getRandomValues(new Uint8Array(16)));
  }

  async next(): Promise<FromGuest> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) return message;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  ask(id: number, request: object): Promise<FromGuest> {
    this.#channel.send({ id, request });
    return this.next();
  }

  close(): void {
    this.#socket.destroy();
  }

  #flush(): void {
    for (let piece = this.#channel.nextOutput(); piece; piece = this.#channel.nextOutput()) {
      this.#socket.write(piece);
    }
  }
}

describe("the agent in a virtual machine", { timeout: DEADLINE }, () => {
  let guest: Guest;
  let host: Host;
  before(async () => {
    guest = new Guest();
    host = await guest.connect();
  });
  after(() => guest[Symbol.asyncDispose]());

  it("says what it is", async () => {
    const hello = await host.next();
    assert.ok(hello.type === "hello");
    assert.match(hello.kernel, /^\d+\.\d+/);
    assert.ok(hello.memoryBytes > 64 * 2 ** 20 && hello.memoryBytes <= 128 * 2 ** 20);
    assert.deepEqual(hello.containers, {});
  });

  it("takes time, name and entropy", async () => {
    const request = {
      type: "machine.configure",
      clock: "1700000000000000000",
      entropy: Buffer.alloc(64, 1).toString("base64"),
      hostname: "guest",
      interfaces: [],
    };
    assert.deepEqual(await host.ask(1, request), { type: "reply", id: 1 });
  });

  it("greets a host that went away and came back", async () => {
    for (let time = 0; time < 3; time++) {
      host.close();
      host = await guest.connect();
      assert.equal((await host.next()).type, "hello");
      assert.deepEqual(await host.ask(2, { type: "machine.ping" }), { type: "reply", id: 2 });
    }
  });

  it("ends the machine when told to, after it said so", async () => {
    assert.deepEqual(await host.ask(3, { type: "machine.shutdown" }), { type: "reply", id: 3 });
    assert.deepEqual(await guest.exit, [0, null]);
  });
});

describe("an agent that finds no port of its own", { timeout: DEADLINE }, () => {
  it("says so on the console and panics instead of hanging", async () => {
    await using guest = new Guest("somebody.else");
    await guest.exit;
    assert.match(
      guest.console,
      /dvm-agent: fatal: no virtio-console port with the name dvm\.agent/,
    );
    assert.match(guest.console, /Kernel panic.*exitcode=0x00004600/);
  });
});
