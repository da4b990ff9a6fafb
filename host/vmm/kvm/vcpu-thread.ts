/** What the thread of one vCPU does, from its task to the end of the machine. */

import { RegisterBlock, VirtioRegisters } from "../devices/virtio/registers.ts";
import { Bus } from "./bus.ts";
import { EventDescriptor } from "./event-descriptor.ts";
import type { VcpuTask } from "./machine.ts";
import { Mailbox } from "./mailbox.ts";
import { ExitCounters } from "./statistics.ts";
import type { System } from "./system.ts";
import { runVcpu, type VcpuEnd } from "./vcpu.ts";
import { VcpuGate } from "./vcpu-gate.ts";
import { Watchdog } from "./watchdog.ts";

/** Runs the vCPU; when it ends, so does the machine: the reason goes to the mailbox. */
export function runVcpuTask(system: System, task: VcpuTask, run: ArrayBuffer): void {
  const byte = system.map(1);
  const serial = (value: number): void => {
    new Uint8Array(byte.bytes)[0] = value;
    system.write(task.console, byte.address, 1);
  };
  const registers = task.blocks.map((shared, index) => {
    const kick = new EventDescriptor(system, task.kicks[index]);
    return new VirtioRegisters(new RegisterBlock(shared), () => kick.signal());
  });
  const counters = new ExitCounters(task.exits);
  const onExit = (): void => counters.count(task.vcpu.id);
  const gate = new VcpuGate(task.gate);
  const control = new EventDescriptor(system, task.control);
  const bus = new Bus({
    virtio: registers,
    serial,
    watchdog: new Watchdog(task.watchdog),
    onWatchdog: () => control.signal(),
  });
  const onInterrupted = (view: DataView): void => gate.pass(view, () => control.signal());
  gate.enter(system);
  const end = runSafely(() => runVcpu(system, task.vcpu.fd, { run, bus, onExit, onInterrupted }));
  new Mailbox(task.mailbox).post(JSON.stringify(end));
  control.signal();
}

function runSafely(run: () => VcpuEnd): VcpuEnd {
  try {
    return run();
  } catch (error) {
    return { reason: "vmm-error", message: String(error) };
  }
}
