/**
 * The console device with several ports (virtio 1.2 §5.3): port 0 is the kernel's console `hvc0`, which is
 * written to a log; port 1, called `dvm.agent`, is the byte stream of the guest agent, bridged to a socket.
 */

import type { Chain } from "./chain.ts";
import { VIRTIO_ID_CONSOLE } from "./constants.ts";
import type { DeviceHost, VirtioDevice } from "./device.ts";
import type { Virtqueue } from "./queue.ts";

const VIRTIO_CONSOLE_F_MULTIPORT = 1;

// Control events, §5.3.6.2, linux/virtio_console.h.
const VIRTIO_CONSOLE_DEVICE_READY = 0;
const VIRTIO_CONSOLE_DEVICE_ADD = 1;
const VIRTIO_CONSOLE_PORT_READY = 3;
const VIRTIO_CONSOLE_CONSOLE_PORT = 4;
const VIRTIO_CONSOLE_PORT_OPEN = 6;
const VIRTIO_CONSOLE_PORT_NAME = 7;

const CONTROL_SIZE = 8;
const CONTROL_IN = 2;
const CONTROL_OUT = 3;

/** Control messages that wait for a buffer of the driver; while there are so many its own are not read. */
const CONTROL_BACKLOG_LIMIT = 32;

/** The host's end of a port. */
export interface ConsolePort {
  /** name in the guest, /sys/class/virtio-ports; empty for the kernel's console */
  readonly name: string;
  /** Called once; `opened` is to be called whenever the host's end is connected or disconnected. */
  attach(host: DeviceHost, opened: () => void): void;
  /** whether the host's end is connected */
  readonly isOpen: boolean;
  /** A program in the guest has opened the port. */
  guestOpened?(): void;
  /** It has closed the port; what it wrote before is still to be moved. */
  guestClosed?(): void;
  /** Moves what can be moved: `output` is what the guest wrote, `input` its buffers to be filled. */
  pump(queues: PortQueues): void;
  /** The queues are no more. */
  reset?(): void;
  /** whether a buffer of the guest is half served */
  readonly isBusy?: boolean;
}

export interface PortQueues {
  readonly input: Virtqueue;
  readonly output: Virtqueue;
}

export class VirtioConsole implements VirtioDevice {
  readonly name = "console";
  readonly deviceId = VIRTIO_ID_CONSOLE;
  readonly features = 1 << VIRTIO_CONSOLE_F_MULTIPORT;
  readonly queueSizes: readonly number[];
  readonly config = new Uint8Array(12);
  readonly #ports: readonly ConsolePort[];
  #queues: readonly (Virtqueue | undefined)[] = [];
  #control: Uint8Array[] = [];
  /** which ports the driver takes to be open at the host's end */
  #told: boolean[] = [];

  constructor(ports: readonly ConsolePort[]) {
    this.#ports = ports;
    this.queueSizes = [64, 64, 32, 32, ...ports.slice(1).flatMap(() => [64, 64])];
    // struct virtio_console_config: columns and rows (not offered), then max_nr_ports.
    new DataView(this.config.buffer).setUint32(4, ports.length, true);
  }

  attach(host: DeviceHost): void {
    for (const [id, port] of this.#ports.entries()) {
      port.attach(host, () => {
        if (this.#queues.length === 0) return;
        this.#tellOpen(id, port);
        this.process();
      });
    }
  }

  activate(queues: readonly (Virtqueue | undefined)[]): void {
    this.#queues = queues;
    this.process();
  }

  /** A byte for each port, whether the driver takes it to be open; then the messages for it, behind their lengths. */
  save(): Uint8Array | undefined {
    if (this.#ports.some(({ isBusy }) => isBusy)) return undefined;
    const told = this.#ports.map((_, id) => (this.#told[id] ? 1 : 0));
    const messages = this.#control.flatMap((message) => [message.length, ...message]);
    return Uint8Array.from([...told, ...messages]);
  }

  restore(saved: Uint8Array): void {
    this.#told = this.#ports.map((_, id) => saved[id] === 1);
    this.#control = [];
    for (let at = this.#ports.length; at < saved.length; ) {
      const start = at + 1;
      at = start + (saved[at] ?? 0);
      this.#control.push(saved.slice(start, at));
    }
  }

  reset(): void {
    this.#queues = [];
    this.#control = [];
    this.#told = [];
    for (const port of this.#ports) port.reset?.();
  }

  process(): void {
    this.#readControl();
    this.#writeControl();
    for (const [id, port] of this.#ports.entries()) {
      const first = id === 0 ? 0 : 2 + 2 * id; // §5.3.2: the control queues come after port 0
      const input = this.#queues[first];
      const output = this.#queues[first + 1];
      if (input !== undefined && output !== undefined) port.pump({ input, output });
    }
  }

  #readControl(): void {
    const queue = this.#queues[CONTROL_OUT];
    while (this.#control.length < CONTROL_BACKLOG_LIMIT) {
      const chain = queue?.pop();
      if (chain === undefined) break;
      this.#handle(chain);
      queue?.push(chain.head, 0);
    }
    queue?.notify();
  }

  #handle(chain: Chain): void {
    const message = new Uint8Array(CONTROL_SIZE);
    if (chain.readable.read(0, message) < CONTROL_SIZE) return;
    const view = new DataView(message.buffer);
    const id = view.getUint32(0, true);
    switch (view.getUint16(4, true)) {
      case VIRTIO_CONSOLE_DEVICE_READY:
        for (const port of this.#ports.keys()) this.#send(port, VIRTIO_CONSOLE_DEVICE_ADD, 1);
        break;
      case VIRTIO_CONSOLE_PORT_READY:
        this.#introduce(id);
        break;
      case VIRTIO_CONSOLE_PORT_OPEN:
        if (view.getUint16(6, true) === 1) this.#ports[id]?.guestOpened?.();
        else this.#ports[id]?.guestClosed?.();
        break;
    }
  }

  /** Tells the driver what a port is, now that it is ready to hear it. */
  #introduce(id: number): void {
    const port = this.#ports[id];
    if (port === undefined) return;
    if (port.name === "") this.#send(id, VIRTIO_CONSOLE_CONSOLE_PORT, 1);
    else this.#send(id, VIRTIO_CONSOLE_PORT_NAME, 1, port.name);
    this.#told[id] = !port.isOpen;
    this.#tellOpen(id, port);
  }

  /** Unless the driver knows: for one that was saved with an open port the new connection is the old one. */
  #tellOpen(id: number, { isOpen }: ConsolePort): void {
    if (this.#told[id] === isOpen) return;
    this.#told[id] = isOpen;
    this.#send(id, VIRTIO_CONSOLE_PORT_OPEN, isOpen ? 1 : 0);
  }

  #send(id: number, event: number, value: number, name = ""): void {
    const message = new Uint8Array(CONTROL_SIZE + name.length);
    const view = new DataView(message.buffer);
    view.setUint32(0, id, true);
    view.setUint16(4, event, true);
    view.setUint16(6, value, true);
    for (const [index, letter] of [...name].entries()) {
      message[CONTROL_SIZE + index] = letter.charCodeAt(0);
    }
    this.#control.push(message);
  }

  #writeControl(): void {
    const queue = this.#queues[CONTROL_IN];
    for (;;) {
      const [message] = this.#control;
      if (message === undefined) break;
      const chain = queue?.pop();
      if (chain === undefined) break;
      this.#control.shift();
      queue?.push(chain.head, chain.writable.write(0, message));
    }
    queue?.notify();
  }
}
