import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { makeQcow2Overlay } from "../../rootfs/qcow2-overlay.ts";
import { VmmError } from "../errors.ts";
import { KvmHypervisor } from "./kvm-hypervisor.ts";
import {
  Conversation,
  IMAGE_SIZE,
  SmallGuests,
  sumOf,
  UPPER_SIZE,
  whyNoKvm,
} from "./small-guest/small-guest.ts";
import { VmmProcess } from "./vmm-process.ts";

const skip = whyNoKvm() ?? false;
const guests = skip === false ? new SmallGuests() : undefined;
after(() => guests?.[Symbol.dispose]());

/** Runs a guest that is left running by `use`, or not. */
async function withGuest(use: (guest: Conversation, machine: VmmProcess) => Promise<void>) {
  assert.ok(guests);
  await using guest = await guests.start();
  await use(guest, guest.machine);
}

describe("a guest on this machine's KVM device", { skip }, () => {
  it("finds the devices at their addresses", () =>
    withGuest(async (guest) => {
      assert.deepEqual(await guest.numbers("d", 6), [3, 4, 5, 2, 2, 0]);
    }));

  it("reads the joined image, and can neither write it nor read beyond it", () =>
    withGuest(async (guest) => {
      assert.ok(guests);
      const image = readFileSync(guests.image);
      assert.deepEqual(await guest.numbers("r"), [sumOf(image.subarray(0, 65536))]);
      assert.deepEqual(await guest.numbers("R", 2), [1, 1]);
    }));

  it("writes its disk, and finds what it wrote; so does the host", () =>
    withGuest(async (guest) => {
      const pattern = Uint8Array.from({ length: 65536 }, (_, at) => at * 7 + (at >> 8));
      const sum = sumOf(pattern);
      assert.deepEqual(await guest.numbers("w", 3), [sum, 0, sum]);
      assert.deepEqual(await guest.ask("s"), ["upper"]);
    }));

  it("is woken by interrupts alone", () =>
    withGuest(async (guest) => {
      assert.deepEqual(await guest.numbers("i"), [16]);
    }));

  it("gets random bytes", () =>
    withGuest(async (guest) => {
      const [length, zeros] = await guest.numbers("n", 2);
      assert.equal(length, 64);
      assert.ok(Number(zeros) < 16);
    }));

  it("gives a page to the balloon, and has it back empty, its neighbour untouched", () =>
    withGuest(async (guest) => {
      assert.deepEqual(await guest.numbers("b"), [7 << 8]);
    }));

  it("sends a MiB through the agent's port and receives what it is sent, as it is", () =>
    withGuest(async (guest) => {
      guest.machine.agent.write("o");
      const output = await guest.bytes(1 << 20);
      const block = Buffer.from(Uint8Array.from({ length: 65536 }, (_, at) => 97 + (at % 26)));
      assert.ok(output.equals(Buffer.concat(Array.from({ length: 16 }, () => block))));
      const sent = Uint8Array.from({ length: 64 }, (_, at) => at * 3);
      guest.machine.agent.write("e");
      guest.machine.agent.write(sent);
      assert.deepEqual(await guest.lines(2), ["64", String(sumOf(sent))]);
    }));

  const hostile = {
    1: "an address that wraps",
    2: "a chain that loops",
    3: "a descriptor beyond its table",
    4: "a device's registers for memory",
    5: "a length beyond all memory",
  };
  for (const [letter, what] of Object.entries(hostile)) {
    it(`stops a device that was given ${what}, until its next reset, and says so`, () =>
      withGuest(async (guest, machine) => {
        assert.deepEqual(await guest.numbers(letter), [0]);
        assert.deepEqual(await guest.numbers("d", 6), [3, 4, 5, 2, 2, 0]);
        const log = readFileSync(join(runDirectoryOf(machine), "vmm.log"), "utf8");
        assert.match(log, /^disk upper: /m);
      }));
  }

  it("counts its exits; output costs none", () =>
    withGuest(async (guest, machine) => {
      const before = exitsOf(await machine.statistics());
      guest.machine.agent.write("o");
      await guest.bytes(1 << 20);
      const after = exitsOf(await machine.statistics());
      assert.equal(after, before);
    }));
});

describe("a VMM that was started ahead", { skip }, () => {
  it("boots a machine for which there is no template, as often as one is", async () => {
    assert.ok(guests);
    for (let turn = 0; turn < 3; turn++) {
      await using spare = await new KvmHypervisor().prepare(guests.config({}));
      const machine: unknown = await spare?.become(guests.config({}));
      assert.ok(machine instanceof VmmProcess);
      await using guest = new Conversation(machine);
      await guest.lines(1); // "ready"
      assert.deepEqual(await guest.numbers("i"), [16]);
    }
  });

  it("ends with the one who kept it ready", async () => {
    assert.ok(guests);
    const spare = await new KvmHypervisor().prepare(guests.config({}));
    await spare?.[Symbol.asyncDispose]();
    assert.equal(existsSync(`/proc/${spare?.pid}`), false);
  });
});

describe("the limits of a running machine's disks", { skip }, () => {
  it("are replaced, at once for what waits already, also of one that is paused", () =>
    withGuest(async (guest, machine) => {
      assert.ok(guests);
      await machine.setDiskLimits({ read: { operationsPerSecond: 1e-3 } });
      machine.agent.write("rr"); // the second waits for a thousand seconds
      await machine.pause();
      await machine.setDiskLimits(undefined);
      await machine.resume();
      const sum = String(sumOf(readFileSync(guests.image).subarray(0, 65536)));
      assert.deepEqual(await guest.lines(2), [sum, sum]);
    }));
});

describe("a disk above another one", { skip }, () => {
  it("has what the guest wrote, and leaves the one below as it was", async () => {
    assert.ok(guests);
    const config = guests.config();
    const path = join(config.runDirectory, "above.qcow2");
    const backing = join(config.runDirectory, "upper");
    await makeQcow2Overlay(path, { bytes: UPPER_SIZE, backing: "upper" });
    const source = { kind: "file", path, format: "qcow2", backing } as const;
    const [image] = config.disks;
    assert.ok(image);
    const disks = [image, { serial: "upper", readOnly: false, source }];
    const pattern = Uint8Array.from({ length: 65536 }, (_, at) => at * 7 + (at >> 8));
    const sum = sumOf(pattern);
    await using machine = await new KvmHypervisor().start({ ...config, disks });
    await using guest = new Conversation(machine);
    await guest.lines(1); // "ready"
    assert.deepEqual(await guest.numbers("w", 3), [sum, 0, sum]);
    const written = readFileSync(path);
    assert.ok(written.includes(Buffer.from(pattern.subarray(0, 61_440)))); // up to the end of its first cluster
    assert.ok(readFileSync(backing).every((byte) => byte === 0));
  });
});

describe("disks that come to a running machine", { skip }, () => {
  it("are found in its empty places, and are gone again, as often as one likes", () =>
    withGuest(async (guest, machine) => {
      assert.ok(guests);
      const part = IMAGE_SIZE / 4;
      const extents = [1, 2].map(
        (index) =>
          ({ kind: "file", path: guests.image, offset: index * part, length: part }) as const,
      );
      const source = { kind: "extents", extents } as const;
      const files = descriptorsOf(machine.pid);
      for (let turn = 0; turn < 3; turn++) {
        assert.deepEqual(await guest.numbers("D"), [0]);
        await machine.plugDisks([{ serial: "late", readOnly: true, source }]);
        const content = readFileSync(guests.image).subarray(part, part + 65536);
        assert.deepEqual(await guest.numbers("D"), [sumOf(content)]);
        await machine.unplugDisks(["late"]);
      }
      assert.equal(descriptorsOf(machine.pid), files);
    }));

  it("are refused, all together, when there are more than it has places for", () =>
    withGuest(async (guest, machine) => {
      assert.ok(guests);
      const { image } = guests;
      const disks = Array.from({ length: 9 }, (_, index) => ({
        serial: `late-${index}`,
        readOnly: true,
        source: { kind: "file", path: image, format: "raw" } as const,
      }));
      await assert.rejects(machine.plugDisks(disks), { code: "VMM_UNSUPPORTED" });
      assert.deepEqual(await guest.numbers("D"), [0]);
      await machine.plugDisks(disks.slice(1));
      assert.notDeepEqual(await guest.numbers("D"), [0]);
    }));
});

describe("the end of a machine", { skip }, () => {
  const ends = {
    x: { reason: "reboot" },
    t: { reason: "triple-fault" },
    p: { reason: "panic", message: "by request" },
    W: { reason: "watchdog" },
    q: { reason: "poweroff" },
  };
  for (const [letter, exit] of Object.entries(ends)) {
    it(`is told as ${exit.reason}`, () =>
      withGuest(async (_, machine) => {
        machine.agent.write(letter);
        assert.deepEqual(await machine.exit, exit);
      }));
  }

  it("by a vCPU that KVM cannot go on with is told as an error", () =>
    withGuest(async (_, machine) => {
      machine.agent.write("j");
      const exit = await machine.exit;
      assert.ok(exit.reason === "vmm-error");
      assert.match(exit.message, /KVM internal error/);
    }));

  it("by a signal names the signal", () =>
    withGuest(async (_, machine) => {
      process.kill(machine.pid, "SIGTERM");
      assert.deepEqual(await machine.exit, { reason: "killed", signal: "SIGTERM" });
    }));

  it("comes with that of the process that started it", async () => {
    assert.ok(guests);
    const module = JSON.stringify(join(import.meta.dirname, "small-guest/small-guest.ts"));
    const script = `const { SmallGuests } = await import(${module});
      console.log((await new SmallGuests().start()).machine.pid);`;
    const words = ["--no-warnings", "--input-type=module-typescript", "-e", script];
    const env = { ...process.env, TMPDIR: guests.folder, DVM_SMALL_GUEST: guests.kernel };
    const starter = spawn(process.execPath, words, { env, stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await once(starter.stdout, "data");
    const vmm = Number(line);
    assert.ok(existsSync(`/proc/${vmm}`));
    starter.kill("SIGKILL");
    while (isAlive(vmm)) await setTimeout(10);
  });

  it("leaves no process", () =>
    withGuest(async (_, machine) => {
      await machine.kill();
      assert.equal(existsSync(`/proc/${machine.pid}`), false);
    }));

  it("does not touch another machine", () =>
    withGuest(async (first) => {
      assert.ok(guests);
      await using second = await guests.start();
      await second.machine.kill();
      assert.deepEqual(await first.numbers("d", 6), [3, 4, 5, 2, 2, 0]);
    }));
});

describe("a running machine", { skip }, () => {
  it("can be paused and goes on where it was", () =>
    withGuest(async (guest, machine) => {
      await machine.pause();
      const answer = guest.numbers("d", 6);
      await machine.resume();
      assert.deepEqual(await answer, [3, 4, 5, 2, 2, 0]);
    }));

  it("is left in peace by a watchdog that was stopped, and by those who look whether it halts", () =>
    withGuest(async (guest) => {
      assert.deepEqual(await guest.numbers("P"), [1]);
      await setTimeout(500);
      assert.deepEqual(await guest.numbers("d", 6), [3, 4, 5, 2, 2, 0]);
      assert.deepEqual(await guest.numbers("i"), [16]);
    }));

  it("ends the agent's stream when the guest closes the port, after all that it wrote", () =>
    withGuest(async (guest, machine) => {
      machine.agent.write("oc");
      await guest.bytes(1 << 20);
      await new Promise((resolve) => machine.agent.once("close", resolve));
    }));

  it("started detached, is taken over by whoever knows its run directory", async () => {
    assert.ok(guests);
    const config = guests.config();
    await using first = await new KvmHypervisor().start(config, { detached: true });
    const adopted = await new KvmHypervisor().adopt(config);
    assert.equal(adopted.pid, first.pid);
    adopted.agent.write("x");
    assert.deepEqual(await adopted.exit, { reason: "reboot" });
  });

  it("that has ended cannot be taken over", async () => {
    assert.ok(guests);
    const config = guests.config();
    await (await new KvmHypervisor().start(config, { detached: true })).kill();
    await assert.rejects(new KvmHypervisor().adopt(config), { code: "VMM_GONE" });
  });
});

describe("a start that fails", { skip }, () => {
  it("names the stage and the console's last words, and leaves no process", async () => {
    assert.ok(guests);
    const config = guests.config({ kernel: "/bin/true" });
    await assert.rejects(new KvmHypervisor().start(config), (error) => {
      assert.ok(error instanceof VmmError);
      assert.equal(error.code, "VMM_ENDED_EARLY");
      assert.match(error.message, /stage configure/);
      return true;
    });
  });

  it("gives up on a guest that hangs", async () => {
    assert.ok(guests);
    const config = guests.config({ commandLine: ["hang"] });
    const started = new KvmHypervisor().start(config, { deadlines: { boot: 300 } });
    await assert.rejects(started, { code: "VMM_STAGE_TIMEOUT", stage: "boot" });
  });

  it("refuses a disk that is not of the format that it is said to be", async () => {
    assert.ok(guests);
    const source = { kind: "file", path: guests.image, format: "qcow2" } as const;
    const config = guests.config({ disks: [{ serial: "x", readOnly: false, source }] });
    await assert.rejects(new KvmHypervisor().start(config), /qcow2/);
  });
});

/** Whether a process runs, for one that has ended may wait for whoever asks for its exit code. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** How many files a process has open. */
const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

function exitsOf(statistics: unknown): number {
  assert.ok(typeof statistics === "object" && statistics !== null && "exits" in statistics);
  return Number(statistics.exits);
}

function runDirectoryOf(machine: VmmProcess): string {
  return readFileSync(`/proc/${machine.pid}/cmdline`, "utf8").split("\0").at(-3) ?? "";
}
