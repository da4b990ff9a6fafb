/** What a booted or cloned machine is told before its first container: time, entropy, name, network. */

import { containerError } from "../container/errors.ts";
import { O_CLOEXEC, O_WRONLY } from "../linux/fcntl.ts";
import { RAND_POOL_INFO, RNDADDENTROPY, RNDRESEEDCRNG } from "../linux/random.ts";
import { CLOCK_REALTIME } from "../linux/time.ts";
import type { RequestOf } from "../protocol/index.ts";
import type { Syscalls } from "../syscalls/syscalls.ts";
import { decodeBase64 } from "./base64.ts";
import { bringUpLoopback, configureInterface } from "./configure-interface.ts";

/** longest seed, in `bytes` */
const MAX_ENTROPY = 512;
const NANOSECONDS = 1_000_000_000n;

/** @throws ContainerError `CONTAINER_SPEC` for a value that makes no sense; SyscallError */
export function configureMachine(sys: Syscalls, request: RequestOf<"machine.configure">): void {
  if (request.clock !== undefined) setClock(sys, request.clock);
  if (request.entropy !== undefined) addEntropy(sys, request.entropy);
  if (request.hostname !== undefined) sys.sethostname(request.hostname);
  bringUpLoopback(sys);
  for (const wanted of request.interfaces) configureInterface(sys, wanted);
}

function setClock(sys: Syscalls, clock: string): void {
  if (!/^\d{1,19}$/.test(clock)) {
    throw containerError("CONTAINER_SPEC", `no time in nanoseconds: ${clock.slice(0, 40)}`);
  }
  const nanoseconds = BigInt(clock);
  sys.clock_settime(CLOCK_REALTIME, {
    seconds: Number(nanoseconds / NANOSECONDS),
    nanoseconds: Number(nanoseconds % NANOSECONDS),
  });
}

/** Counts the seed as full entropy: the host's is trusted with everything else too. Clones part ways by it. */
function addEntropy(sys: Syscalls, entropy: string): void {
  const seed = decodeBase64(entropy);
  if (seed === undefined || seed.length === 0 || seed.length > MAX_ENTROPY) {
    throw containerError("CONTAINER_SPEC", `no seed in base64 of up to ${MAX_ENTROPY} bytes`);
  }
  const info = new Uint8Array(RAND_POOL_INFO.size + seed.length);
  const view = new DataView(info.buffer);
  view.setInt32(RAND_POOL_INFO.fields.entropy_count.offset, seed.length * 8, true);
  view.setInt32(RAND_POOL_INFO.fields.buf_size.offset, seed.length, true);
  info.set(seed, RAND_POOL_INFO.size);
  const device = sys.open("/dev/urandom", O_WRONLY | O_CLOEXEC);
  try {
    sys.ioctlBuffer(device, RNDADDENTROPY, info);
    sys.ioctl(device, RNDRESEEDCRNG, 0);
  } finally {
    sys.close(device);
  }
}
