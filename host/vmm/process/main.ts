/**
 * The VMM process: reads its configuration from standard input, builds the machine, closes its sandbox, runs
 * the machine, and leaves the reason of the end on the exit descriptor. It opens nothing: every file came as
 * a descriptor.
 *
 * This thread serves the devices; each vCPU has a Worker. The Workers start before anything else is even loaded, for
 * their start takes longer than all the rest.
 */

import { readFileSync } from "node:fs";
import type { VmmConfig } from "../kvm/vmm-config.ts";
import { VcpuWorker } from "./vcpu-worker.ts";

const STDIN = 0;

const config = JSON.parse(readFileSync(STDIN, "utf8")) as VmmConfig; // written by our own host side
const workers = Array.from({ length: config.vcpus }, () => new VcpuWorker());
void import("./run-machine.ts").then(({ runMachine }) => runMachine(config, workers));
