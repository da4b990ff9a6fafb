/** The Worker of one vCPU: waits for its work, closes its sandbox, runs, and never comes to its event loop. */

import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { vmmSystem } from "../../sys/vmm-system.ts";
import type { VcpuTask } from "../kvm/machine.ts";
import { runVcpuTask } from "../kvm/vcpu-thread.ts";
import { Told, tell } from "./progress.ts";
import { restrictVcpuThread } from "./sandbox.ts";
import { Gate } from "./vcpu-worker.ts";

const gate = workerData as Int32Array<SharedArrayBuffer>; // from vcpu-worker.ts, as is the message
tell(Told.waiting);
Atomics.wait(gate, 0, Gate.starting);
if (parentPort === null) throw new Error("not a Worker");
const { message } = receiveMessageOnPort(parentPort) ?? {};
const task = message as VcpuTask;
const run = vmmSystem.view(task.vcpu.run, task.vcpu.runLength).buffer;
restrictVcpuThread();
Atomics.store(gate, 0, Gate.restricted);
Atomics.notify(gate, 0);
Atomics.wait(gate, 0, Gate.restricted);
runVcpuTask(vmmSystem, task, run);
// The device thread ends the process.
Atomics.wait(gate, 0, Gate.running);
