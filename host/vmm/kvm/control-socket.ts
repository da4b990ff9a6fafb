/** The control socket: whoever connects to it sends one request, a line of JSON, and has a line for an answer. */

import { POLLIN } from "../devices/virtio/device.ts";
import type { DiskLimits } from "../hypervisor.ts";
import type { EventLoop } from "./event-loop.ts";
import { check, type System } from "./system.ts";
import type { VmmDisk } from "./vmm-config.ts";

/** Of a request and of an answer, in `bytes`: what fits a fresh socket's buffer. */
const LINE_LIMIT = 64 * 1024;

export interface ControlRequest {
  /** what the disks may use from now on, all together; null for no limits */
  readonly limits?: DiskLimits | null;
  /** disks that come; their descriptors come with the request, and are named by their places among these */
  readonly plug?: readonly VmmDisk[];
  /** serials of disks that go */
  readonly unplug?: readonly string[];
}

/** Answers each request by what `serve` returns, as JSON. Who has gone needs no answer. */
export function serveControl(
  system: System,
  { loop, listener }: { readonly loop: EventLoop; readonly listener: number },
  serve: (request: ControlRequest) => unknown,
): void {
  const line = system.map(LINE_LIMIT);
  loop.watch(listener, () => {
    const fd = system.accept(listener);
    if (fd < 0) return;
    const watch = loop.watch(fd, () => {
      const { length, descriptors } = system.receive(fd, line.address, LINE_LIMIT);
      const bytes = new Uint8Array(line.bytes);
      if (length > 0) {
        const text = String.fromCharCode(...bytes.subarray(0, length));
        const request = JSON.parse(text, (key, value) =>
          key === "fd" ? descriptors[value] : value,
        ) as ControlRequest; // by VmmProcess
        const answer = `${JSON.stringify(serve(request) ?? {})}\n`;
        bytes.set(Array.from(answer.slice(0, LINE_LIMIT), (letter) => letter.charCodeAt(0)));
        system.write(fd, line.address, Math.min(answer.length, LINE_LIMIT));
      }
      watch.stop();
      check("close", system.close(fd));
    });
    watch.events = POLLIN;
  }).events = POLLIN;
}
