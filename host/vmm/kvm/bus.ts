/** What a vCPU's accesses outside memory reach: virtio registers, the debug serial port, watchdog, reset line. */

import type { VirtioRegisters } from "../devices/virtio/registers.ts";
import type { GuestAddress } from "../memory/guest-memory.ts";
import { VIRTIO_MMIO_START, VIRTIO_MMIO_STRIDE } from "../x86_64/layout.ts";
import { WATCHDOG_START_PORT, WATCHDOG_STOP_PORT, type Watchdog } from "./watchdog.ts";

/** i8042 (PC/AT keyboard controller): its command port, and the command that pulses the reset line */
const I8042_COMMAND_PORT = 0x64;
const I8042_PULSE_RESET = 0xfe;

/** First serial port: data, and line status with "transmitter empty". Linux's earlyprintk writes here. */
const SERIAL_DATA_PORT = 0x3f8;
const SERIAL_LINE_STATUS_PORT = 0x3fd;
const SERIAL_TRANSMITTER_EMPTY = 0x60;

export interface BusOptions {
  readonly virtio: readonly VirtioRegisters[];
  /** takes a byte of the debug serial port */
  readonly serial: (byte: number) => void;
  readonly watchdog: Watchdog;
  /** called when the device thread has to look at it */
  readonly onWatchdog: () => void;
}

export class Bus {
  readonly #options: BusOptions;

  constructor(options: BusOptions) {
    this.#options = options;
  }

  /** Nobody at an address reads as all ones, as on a real bus. */
  readMemory(address: GuestAddress, data: Uint8Array): void {
    const device = this.#deviceAt(address);
    if (device === undefined) data.fill(0xff);
    else device.read(address % VIRTIO_MMIO_STRIDE, data);
  }

  writeMemory(address: GuestAddress, data: Uint8Array): void {
    this.#deviceAt(address)?.write(address % VIRTIO_MMIO_STRIDE, data);
  }

  readPort(port: number, data: Uint8Array): void {
    if (port === SERIAL_LINE_STATUS_PORT) data.fill(SERIAL_TRANSMITTER_EMPTY);
    else if (port === I8042_COMMAND_PORT) data.fill(0);
    else data.fill(0xff);
  }

  /** True when the write resets the machine. */
  writePort(port: number, data: Uint8Array): boolean {
    const [byte = 0] = data;
    const { serial, watchdog, onWatchdog } = this.#options;
    if (port === SERIAL_DATA_PORT) serial(byte);
    else if (port === WATCHDOG_START_PORT && watchdog.start(byte)) onWatchdog();
    else if (port === WATCHDOG_STOP_PORT) {
      watchdog.stop();
      onWatchdog();
    }
    return port === I8042_COMMAND_PORT && byte === I8042_PULSE_RESET;
  }

  #deviceAt(address: GuestAddress): VirtioRegisters | undefined {
    const index = Math.floor((address - VIRTIO_MMIO_START) / VIRTIO_MMIO_STRIDE);
    return this.#options.virtio[index];
  }
}
