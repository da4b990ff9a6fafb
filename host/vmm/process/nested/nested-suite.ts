/**
 * `dvm run` on the `kvm` backend, from the command line to the guest's last word: a program of tests that runs where
 * KVM is real, in the nested host (nested-host.vm.test.ts).
 */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";

const DVM = resolve(import.meta.dirname, "../../../../bin/dvm");
const folder = mkdtempSync(join(tmpdir(), "dvm-nested-suite-"));
after(() => rmSync(folder, { recursive: true }));

interface Result {
  /** exit code, or the name of the signal */
  readonly code: number | string;
  readonly out: Buffer;
  readonly err: string;
}

interface Call {
  readonly child: ChildProcess;
  readonly result: Promise<Result>;
  /** resolves when the command has written something */
  readonly spoke: Promise<unknown>;
}

interface RunOptions {
  readonly input?: Uint8Array;
  readonly environment?: Readonly<Record<string, string>>;
  /** `--network`; none when left out */
  readonly network?: string;
}

function call(
  words: readonly string[],
  { input, environment = {}, network = "none" }: RunOptions = {},
): Call {
  const env = { ...process.env, DVM_DATA_ROOT: join(folder, "data"), ...environment };
  const child = spawn(DVM, ["run", "--rm", "--vmm", "kvm", "--network", network, ...words], {
    env,
  });
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  const result = once(child, "close").then(([code, signal]) => ({
    code: code ?? signal,
    out: Buffer.concat(out),
    err: Buffer.concat(err).toString(),
  }));
  const silent = result.then(({ code, err: words }) => {
    if (out.length === 0) throw new Error(`dvm ended with ${code} and no output: ${words}`);
  });
  const spoke = Promise.race([once(child.stdout, "data"), silent]);
  spoke.catch(() => {}); // most calls are not waited for in this way
  return { child, result, spoke };
}

function run(words: string, script: string, options?: RunOptions): Promise<Result> {
  return call([...words.split(" "), "busybox", "sh", "-c", script], options).result;
}

const text = ({ code, out, err }: Result) => ({ code, out: out.toString(), err });

describe("dvm run --vmm kvm", () => {
  before(async () => {
    const { code, err } = await run("--cpus 1", "true"); // measures the host and takes in the image
    assert.equal(code, 0, err);
  });

  for (const cpus of [1, 2]) {
    describe(`on ${cpus} vCPU`, () => {
      it("keeps output and errors apart and ends with the command's exit code", async () => {
        const result = await run(`--cpus ${cpus}`, "nproc; echo err >&2; exit 42");
        assert.deepEqual(text(result), { code: 42, out: `${cpus}\n`, err: "err\n" });
      });

      it("carries much input and much output as it is", async () => {
        const input = randomBytes(1 << 20);
        const result = await run(`-i --cpus ${cpus}`, "cat", { input });
        assert.equal(result.err, "");
        assert.equal(hash(result.out), hash(input));
      });

      it("reads from its disk what it wrote, when memory does not hold it", async () => {
        const script =
          "dd if=/dev/urandom of=/file bs=64k count=640 2>/dev/null; sync; sha256sum </file; sha256sum </file";
        const result = await run(`-m 32m --cpus ${cpus}`, script);
        const [first, second] = result.out.toString().split("\n");
        assert.equal(result.code, 0, result.err);
        assert.match(first ?? "", /^[0-9a-f]{64} /);
        assert.equal(first, second);
      });
    });
  }

  it("gives a terminal the size of the caller's", async () => {
    const inside = `${DVM} run --rm --vmm kvm --network none -it busybox stty size`;
    const env = { ...process.env, DVM_DATA_ROOT: join(folder, "data") };
    const words = ["-qec", `stty rows 17 cols 91; ${inside}`, "/dev/null"];
    const child = spawn("script", words, { env, stdio: ["pipe", "pipe", "inherit"] });
    const out: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    const [code] = await once(child, "close");
    assert.match(Buffer.concat(out).toString(), /17 91\r\n/);
    assert.equal(code, 0);
  });

  it("is reached through a published port, and sends much through it", async () => {
    const script = "echo ready; head -c 4m /dev/zero | nc -l -p 80 >/dev/null";
    const words = ["-p", "127.0.0.1:8080:80", "busybox", "sh", "-c", script];
    const { result, spoke } = call(words, { network: "user" });
    await spoke;
    const received = await readAll(8080);
    assert.equal(received, 4 << 20);
    assert.deepEqual(text(await result), { code: 0, out: "ready\n", err: "" });
  });

  it("ends with 137 for want of memory", async () => {
    const { code } = await run("-m 16m", "head -c 100m /dev/zero | tail");
    assert.equal(code, 137);
  });

  it("runs several machines at once", async () => {
    const ids = ["one", "two", "three"];
    const results = await Promise.all(ids.map((id) => run("--cpus 1", `echo ${id}; sleep 1`)));
    assert.deepEqual(
      results.map(({ out }) => out.toString()),
      ids.map((id) => `${id}\n`),
    );
    assert.deepEqual(leftovers(), []);
  });
});

describe("a machine whose VMM ends in the middle", () => {
  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    it(`by ${signal} is told to have, and leaves nothing behind`, async () => {
      const { result, spoke } = call(["busybox", "sh", "-c", "echo ready; sleep 1000"]);
      await spoke;
      const [vmm] = vmmProcesses();
      assert.ok(vmm);
      process.kill(vmm, signal);
      const { code, err } = await result;
      assert.match(err, new RegExp(signal));
      assert.notEqual(code, 0);
      assert.deepEqual(leftovers(), []);
    });
  }

  it("and a dvm that is killed take no other with them", async () => {
    const victim = call(["busybox", "sh", "-c", "echo ready; sleep 1000"]);
    await victim.spoke;
    const other = call(["busybox", "sh", "-c", "echo ready; read line; exit 7"]);
    await other.spoke;
    victim.child.kill("SIGKILL");
    assert.equal((await other.result).code, 7);
    while (vmmProcesses().length > 0) await setTimeout(20); // its VMM dies with it
    assert.equal((await run("--cpus 1", "true")).code, 0); // which clears up after it
    assert.deepEqual(leftovers(), []);
  });
});

describe("a guest that fails", () => {
  it("by a panic is told with its words", async () => {
    const initramfs = join(folder, "none");
    writeFileSync(initramfs, "");
    const result = await run("--cpus 1", "true", { environment: { DVM_INITRAMFS: initramfs } });
    assert.match(result.err, /panic/);
    assert.equal(result.code, 125);
    assert.deepEqual(leftovers(), []);
  });

  it("by saying nothing sensible is given up", async () => {
    const guest = process.env.DVM_SMALL_GUEST;
    assert.ok(guest);
    const environment = { DVM_KERNEL: guest, DVM_BOOT_TIMEOUT: "3" };
    const result = await run("--cpus 1", "true", { environment });
    assert.equal(result.code, 125);
    assert.deepEqual(leftovers(), []);
  });
});

/** How many bytes a server on this host sends, once it is there. */
async function readAll(port: number): Promise<number> {
  for (;;) {
    let length = 0;
    try {
      const socket = connect(port, "127.0.0.1");
      socket.write("go\n"); // the passt of Debian 12 completes no connection whose server speaks first
      for await (const chunk of socket) length += chunk.length;
    } catch {
      // it does not listen yet
    }
    if (length > 0) return length;
    await setTimeout(100);
  }
}

function hash(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** What containers have left: folders, names, VMM processes. */
function leftovers(): string[] {
  const runs = "/run/dvm";
  const names = existsSync(runs) ? readdirSync(runs) : [];
  const roots = names.filter((name) => name.startsWith("at-")).map((name) => join(runs, name));
  const folders = [...roots, join(folder, "data/containers"), join(folder, "data/names")];
  return [
    ...folders.flatMap((path) => (existsSync(path) ? readdirSync(path) : [])),
    ...vmmProcesses().map((pid) => `process ${pid}`),
  ];
}

function vmmProcesses(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => commandOf(pid).startsWith("dvm-vmm"));
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}
