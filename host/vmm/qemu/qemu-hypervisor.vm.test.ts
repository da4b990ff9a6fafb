import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { VmmError } from "../errors.ts";
import type { Machine, MachineConfig, StartOptions } from "../hypervisor.ts";
import { QemuHypervisor } from "./qemu-hypervisor.ts";
import { TestGuests } from "./test-guest.ts";

const guests = new TestGuests();
after(() => guests[Symbol.dispose]());

const qemu = new QemuHypervisor({ accelerator: "tcg" });

test("a guest's agent is connected, both ways, until the guest resets its machine", async () => {
  const config = guests.machine("echo");
  const stages: string[] = [];
  await using machine = await qemu.start(config, { onStage: (stage) => stages.push(stage) });
  assert.deepEqual(stages, ["spawn", "configure", "boot", "agent"]);
  assert.equal(await receive(machine, 6), "hello\n");
  const text = "x".repeat(100_000);
  machine.agent.write(text);
  assert.equal(await receive(machine, text.length), text);
  machine.agent.write("quit");
  assert.deepEqual(await machine.exit, { reason: "reboot" });
  assertNothingLeft(config);
});

test("several CPUs are brought up", async () => {
  await using machine = await qemu.start(guests.machine("echo", { vcpus: 2 }));
  assert.equal(await receive(machine, 6), "hello\n");
});

test("a disk joined of extents reads as its parts, and a writable one keeps what is written", async () => {
  const parts = join(guests.folder, "parts");
  writeFileSync(parts, Buffer.concat(["a", "b", "c"].map((letter) => Buffer.alloc(4096, letter))));
  const image = join(guests.folder, "image, with a comma");
  writeFileSync(image, Buffer.alloc(8192, "i"));
  const config = guests.machine("disks", {
    disks: [
      {
        serial: "joined",
        readOnly: true,
        source: {
          kind: "extents",
          extents: [
            { kind: "file", path: parts, offset: 8192, length: 4096 },
            { kind: "zero", length: 8192 },
            { kind: "file", path: parts, offset: 0, length: 8192 },
            { kind: "zero", length: 4096 },
          ],
        },
      },
      { serial: "writable", readOnly: false, source: { kind: "file", path: image, format: "raw" } },
    ],
  });
  await using machine = await qemu.start(config);
  const lines = (await receiveUntil(machine, "end\n")).split("\n");
  assert.deepEqual(lines.sort(), [
    "",
    "end",
    "joined 48 1 c..ab. refused",
    "writable 16 0 ii written",
  ]);
  await machine.exit;
  assert.equal(readFileSync(image).toString("latin1", 4096, 4104), "WRITTENi");
  assert.equal(readFileSync(parts).toString("latin1", 4096, 4104), "bbbbbbbb");
  assertNothingLeft(config);
});

test("a read-only disk is shared by two machines, a writable one is not", async () => {
  const path = join(guests.folder, "shared");
  writeFileSync(path, "");
  truncateSync(path, 4096);
  const source = { kind: "file", path, format: "raw" } as const;
  const part = join(guests.folder, "shared-part");
  writeFileSync(part, Buffer.alloc(4096));
  const extents = [{ kind: "file", path: part, offset: 0, length: 4096 }] as const;
  const joined = {
    serial: "joined",
    readOnly: true,
    source: { kind: "extents", extents },
  } as const;
  const readers = { disks: [{ serial: "d", readOnly: true, source }, joined] };
  const writers = { disks: [{ serial: "d", readOnly: false, source }] };
  await using first = await qemu.start(guests.machine("echo", readers));
  await using second = await qemu.start(guests.machine("echo", readers));
  assert.notEqual(first.pid, second.pid);
  await using _writer = await qemu.start(guests.machine("echo", writers));
  const error = await failure(guests.machine("echo", writers));
  assert.equal(error.code, "VMM_ENDED_EARLY");
  assert.match(error.message, /lock/);
});

test("a paused machine answers when it is resumed", async () => {
  await using machine = await qemu.start(guests.machine("echo"));
  await receive(machine, 6);
  await machine.pause();
  machine.agent.write("ping");
  await setTimeout(200);
  assert.equal(machine.agent.readableLength, 0);
  await machine.resume();
  assert.equal(await receive(machine, 4), "ping");
});

test("a guest that panics is told by its message and its console", async () => {
  const error = await failure(guests.machine("panic"));
  assert.equal(error.code, "VMM_ENDED_EARLY");
  assert.equal(error.stage, "boot");
  assert.match(error.message, /panicked: Attempted to kill init! exitcode=0x00000300/);
  assert.match(error.consoleTail, /Call Trace/);
  assert.notEqual(error.hint, undefined);
});

test("a panic before the virtio console is there is seen too", async () => {
  const config = guests.machine("echo", { commandLine: ["quiet", "rdinit=/no"] });
  const error = await failure(config);
  assert.match(error.message, /panicked: VFS: Unable to mount root fs/);
});

test("a panic of a running guest is the reason of its exit", async () => {
  await using machine = await qemu.start(guests.machine("late-panic"));
  const exit = await machine.exit;
  assert.equal(exit.reason, "panic");
  assert.match(machine.consoleTail(30), /Attempted to kill init/);
});

test("a guest that hangs at boot is given up in stage boot", async () => {
  const error = await failure(guests.machine("hang"), { deadlines: { boot: 300 } });
  assert.equal(error.code, "VMM_STAGE_TIMEOUT");
  assert.equal(error.stage, "boot");
  assert.notEqual(error.hint, undefined);
});

test("an agent that opens its port and says nothing is given up in stage agent", async () => {
  const error = await failure(guests.machine("mute"), { deadlines: { agent: 300 } });
  assert.equal(error.code, "VMM_STAGE_TIMEOUT");
  assert.equal(error.stage, "agent");
});

test("an agent that closes its port at once fails stage agent", async () => {
  const error = await failure(guests.machine("close"));
  assert.equal(error.code, "VMM_AGENT_CLOSED");
  assert.equal(error.stage, "agent");
  assert.notEqual(error.hint, undefined);
});

test("the stream ends after all that was sent when the guest closes its port", async () => {
  await using machine = await qemu.start(guests.machine("say-close"));
  const chunks: Buffer[] = [];
  for await (const chunk of machine.agent) chunks.push(chunk);
  assert.equal(Buffer.concat(chunks).toString(), "hello\n");
});

test("a machine that is killed from outside says by what", async () => {
  await using machine = await qemu.start(guests.machine("echo"));
  process.kill(machine.pid, "SIGKILL");
  assert.deepEqual(await machine.exit, { reason: "killed", signal: "SIGKILL" });
});

test("an abort in any stage leaves nothing behind", async () => {
  for (const stage of ["before", "spawn", "configure", "boot"]) {
    const config = guests.machine("mute");
    const abort = new AbortController();
    if (stage === "before") abort.abort();
    const onStage = (done: string) => {
      if (done === stage) abort.abort();
    };
    const error = await failure(config, { signal: abort.signal, onStage });
    assert.equal(error.code, "VMM_ABORTED", stage);
  }
});

test("a missing kernel, initramfs or disk is named before anything is started", async () => {
  const missing = join(guests.folder, "missing");
  const disk = {
    serial: "d",
    readOnly: true,
    source: { kind: "file", path: missing, format: "raw" },
  } as const;
  const cases: [string, Partial<MachineConfig>][] = [
    ["VMM_KERNEL_NOT_FOUND", { kernel: missing }],
    ["VMM_INITRAMFS_NOT_FOUND", { initramfs: missing }],
    ["VMM_DISK_NOT_FOUND", { disks: [disk] }],
  ];
  for (const [code, changes] of cases) {
    const error = await failure(guests.machine("echo", changes));
    assert.equal(error.code, code);
    assert.equal(error.stage, "spawn");
    assert.match(error.message, new RegExp(missing));
  }
});

test("a kernel that is none is refused with QEMU's words or given up at boot", async () => {
  const kernel = join(guests.folder, "text");
  writeFileSync(kernel, "no kernel\n".repeat(1000));
  const error = await failure(guests.machine("echo", { kernel }), { deadlines: { boot: 2000 } });
  assert.match(error.code, /VMM_ENDED_EARLY|VMM_STAGE_TIMEOUT/);
});

test("no QEMU on the PATH is said with the package that has it", async () => {
  const config = guests.machine("echo");
  const path = process.env.PATH;
  process.env.PATH = guests.folder;
  try {
    const error = await failure(config);
    assert.equal(error.code, "VMM_QEMU_NOT_FOUND");
    assert.match(error.hint ?? "", /qemu-system-x86/);
  } finally {
    process.env.PATH = path;
  }
});

test("a QEMU that fails is shown with its last words", async () => {
  const binary = guests.script('echo "no such option" >&2; exit 1');
  const broken = new QemuHypervisor({ accelerator: "tcg", binary });
  const error = await failure(guests.machine("echo"), {}, broken);
  assert.equal(error.stage, "configure");
  assert.match(error.message, /no such option/);
});

test("a QEMU that speaks no QMP is refused", async () => {
  const binary = guests.script('echo "what?" >&3; exec sleep 60');
  const strange = new QemuHypervisor({ accelerator: "tcg", binary });
  const error = await failure(guests.machine("echo"), {}, strange);
  assert.equal(error.code, "VMM_QMP_FAILED");
});

test("QEMU dies with the process that started it, at whatever moment that is killed", async () => {
  for (const delay of [0, 5, 10, 20, 40, 80, 160, 500]) {
    const config = guests.machine("echo");
    const program = `
      import { QemuHypervisor } from ${JSON.stringify(join(import.meta.dirname, "qemu-hypervisor.ts"))};
      const starting = new QemuHypervisor({ accelerator: "tcg" }).start(${JSON.stringify(config)});
      process.stdout.write("started");
      await starting;
      setInterval(() => {}, 1000);`;
    const args = ["--input-type=module", "--eval", program];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    await setTimeout(delay);
    child.kill("SIGKILL");
    await once(child, "exit");
    await gone(config.id);
  }
});

test("QEMU holds no capability and is out of the terminal's reach", async () => {
  await using machine = await qemu.start(guests.machine("echo"));
  const status = readFileSync(`/proc/${machine.pid}/status`, "utf8");
  if (process.getuid?.() === 0) assert.match(status, /^CapBnd:\t0+$/m);
  assert.match(status, /^CapEff:\t0+$/m);
  assert.match(status, /^NoNewPrivs:\t1$/m);
  assert.match(status, /^Seccomp:\t2$/m);
  // proc(5): fields after the name in parentheses are state, parent, group and session.
  const stat = readFileSync(`/proc/${machine.pid}/stat`, "utf8");
  const [, , group, session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  assert.equal(Number(group), machine.pid);
  assert.equal(Number(session), machine.pid);
});

test("QEMU finds its machine's own files and no others", async (context) => {
  if (process.getuid?.() !== 0) return context.skip("only root sees another's root folder");
  const config = guests.machine("echo");
  await using machine = await qemu.start(config);
  const root = `/proc/${machine.pid}/root`;
  assert.ok(existsSync(root + config.kernel), "the kernel is there");
  assert.deepEqual(readdirSync(root + config.runDirectory), readdirSync(config.runDirectory));
  // the host's libraries aside, it has nothing
  for (const path of ["/etc/passwd", "/root", "/var", "/proc/1", "/sys", "/run", "/home"]) {
    const isOwn = [config.kernel, config.initramfs, config.runDirectory].some((own) =>
      own.startsWith(`${path}/`),
    );
    assert.equal(existsSync(root + path), isOwn, path);
  }
  assert.throws(() => writeFileSync(root + config.kernel, ""), { code: "EROFS" });
});

/** The error of a start that must fail; nothing of it may be left. */
async function failure(
  config: MachineConfig,
  options: StartOptions = {},
  hypervisor = qemu,
): Promise<VmmError> {
  const error: unknown = await hypervisor.start(config, options).then(
    async (machine) => machine[Symbol.asyncDispose](),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof VmmError, `${error}`);
  assertNothingLeft(config);
  return error;
}

function assertNothingLeft(config: MachineConfig): void {
  assert.deepEqual(readdirSync(config.runDirectory), []);
  assert.deepEqual(processesOf(config.id), []);
}

/** Command lines that name the machine, of this test file's children as of anybody's. */
function processesOf(id: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        return line.includes(`-name dvm-${id} `) ? [line] : [];
      } catch {
        return [];
      }
    });
}

/** Waits until no process of the machine is left; the test runner's timeout ends it else. */
async function gone(id: string): Promise<void> {
  while (processesOf(id).length > 0) await setTimeout(10);
}

async function receive(machine: Machine, length: number): Promise<string> {
  let text = "";
  while (text.length < length) text += await nextChunk(machine);
  return text;
}

async function receiveUntil(machine: Machine, end: string): Promise<string> {
  let text = "";
  while (!text.endsWith(end)) text += await nextChunk(machine);
  return text;
}

async function nextChunk({ agent }: Machine): Promise<string> {
  for (;;) {
    const chunk: Buffer | null = agent.read();
    if (chunk !== null) return chunk.toString("latin1");
    if (agent.readableEnded || agent.destroyed) throw new Error("the stream has ended");
    const settled = new AbortController();
    const { signal } = settled;
    await Promise.race([once(agent, "readable", { signal }), once(agent, "end", { signal })]);
    settled.abort();
  }
}
