/**
 * Containers on the `kvm` backend, from the flags of `dvm run` to the guest's last word: a program of tests that runs
 * where KVM is real, in the nested host (nested-host.vm.test.ts).
 */

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { type Artifacts, artifactPaths } from "../../../engine/artifacts.ts";
import { machineConfig } from "../../../engine/boot-machine.ts";
import { machineShape } from "../../../engine/machine-shape.ts";
import { realParts } from "../../../engine/real-parts.ts";
import { runAttached } from "../../../engine/test-run.ts";
import type { MachineConfig } from "../../hypervisor.ts";
import { configOf, daemonWith, folder, leftovers, paths, run, start, text } from "./test-calls.ts";
import { vmmProcesses } from "./vmm-processes.ts";

describe("a container on the kvm backend", () => {
  for (const cpus of [1, 2]) {
    describe(`with ${cpus} vCPU`, () => {
      it("keeps output and errors apart and ends with the command's exit code", async () => {
        const script = "nproc; cat /proc/sys/kernel/tainted; echo err >&2; exit 42";
        const result = await run(`--cpus ${cpus}`, script);
        assert.deepEqual(text(result), { code: 42, out: `${cpus}\n0\n`, err: "err\n" });
      });

      it("carries much input and much output as it is", async () => {
        const input = randomBytes(1 << 20);
        const result = await run(`-i --cpus ${cpus}`, "cat", input);
        assert.equal(result.err, "");
        assert.equal(hash(result.out), hash(input));
      });

      it("reads from its disk what it wrote, when memory does not hold it", async () => {
        const script =
          "dd if=/dev/urandom of=/file bs=64k count=400 2>/dev/null; sync; sha256sum </file; sha256sum </file";
        const { out, err } = await run(`-m 20m --cpus ${cpus}`, script);
        const [first, second] = out.toString().split("\n");
        assert.match(first ?? "", /^[0-9a-f]{64} /, err);
        assert.equal(first, second);
      });
    });
  }

  it("has a terminal of the size that it is given", async () => {
    assert.equal((await run("-it", "stty size")).out.toString(), "17 91\r\n");
  });

  it("is reached through a published port, and sends much through it", async () => {
    const script = "echo ready; head -c 4m /dev/zero | nc -l -p 80 >/dev/null";
    const { result, spoke } = await start("--network user -p 127.0.0.1:8080:80", script);
    await spoke;
    assert.equal(await readAll(8080), 4 << 20);
    assert.deepEqual(text(await result), { code: 0, out: "ready\n", err: "" });
  });

  it("sends and receives much over a tap device", async () => {
    const body = randomBytes(4 << 20);
    const server = createServer((request, response) => {
      const received = createHash("sha256");
      request.on("data", (chunk: Buffer) => received.update(chunk));
      request.on("end", () =>
        response.end(request.method === "GET" ? body : received.digest("hex")),
      );
    });
    await once(server.listen(8081, "0.0.0.0"), "listening");
    try {
      const script = `host=http://$(ip route | awk '/default/ { print $3 }'):8081
        wget -qO /file $host; sha256sum </file; base64 </file >/text; wget -qO- --post-file /text $host`;
      const { out, err } = await run("--cpus 2 --network bridge", script);
      const lines = Buffer.from(`${body.toString("base64").replace(/.{76}/g, "$&\n")}\n`);
      assert.equal(out.toString(), `${hash(body)}  -\n${hash(lines)}`, err);
    } finally {
      server.close();
    }
  });

  it("ends with 137 for want of memory", async () => {
    const { exit } = await run("-m 16m", "head -c 100m /dev/zero | tail");
    assert.deepEqual([exit.exitCode, exit.oomKilled], [137, true]);
  });

  it("runs beside others", async () => {
    const ids = ["one", "two", "three"];
    const results = await Promise.all(ids.map((id) => run("--cpus 1", `echo ${id}; sleep 1`)));
    assert.deepEqual(
      results.map(({ out }) => out.toString()),
      ids.map((id) => `${id}\n`),
    );
    assert.deepEqual(leftovers(), []);
  });
});

describe("a folder of the host in a container", () => {
  const shared = join(folder, "shared");
  before(() => {
    mkdirSync(join(shared, "sub"), { recursive: true });
    writeFileSync(join(shared, "file"), "of the host\n");
    symlinkSync("/etc/passwd", join(shared, "link"));
  });

  it("is read and written by its users as one on a disk is", async () => {
    const script = `cd /data
      cat file; readlink link; ls
      head -c 5m /dev/urandom >big; sha1sum <big
      mkdir -m 777 made; mv big made/moved; ln made/moved hard; stat -c %h hard
      chown 1000:1000 file; chmod 640 file; truncate -s 3 file; touch -d @1000 sub
      dd if=/dev/zero of=sparse bs=1 count=1 seek=5000000000 2>/dev/null; stat -c %s sparse
      (exec 9>gone; rm gone; echo open >&9; cat /proc/self/fd/9)
      su -s /bin/sh nobody -c 'touch made/theirs; cat file' 2>&1
      cp /bin/busybox busybox; cmp /bin/busybox busybox; ./busybox true && echo runs
      rmdir sub made 2>&1`;
    const { exit, out, err } = await run(`-v ${shared}:/data`, script);
    const lines = out.toString().split("\n");
    const sum = lines.find((line) => line.endsWith("  -"));
    assert.equal(sum, `${hash(readFileSync(join(shared, "made/moved")), "sha1")}  -`, err);
    assert.deepEqual(
      lines.filter((line) => line !== sum),
      [
        ...["of the host", "/etc/passwd", "file", "link", "sub", "2", "5000000001", "open"],
        "cat: can't open 'file': Permission denied",
        ...["runs", "rmdir: 'made': Directory not empty", ""],
      ],
    );
    assert.equal(exit.exitCode, 1);
    const file = statSync(join(shared, "file"));
    assert.deepEqual([file.uid, file.mode & 0o777, file.size], [1000, 0o640, 3]);
    assert.equal(statSync(join(shared, "made/theirs")).uid, 65534);
    assert.equal(existsSync(join(shared, "sub")), false);
  });

  it("is not changed when it is read-only, and a single file is one", async () => {
    const file = join(shared, "file");
    writeFileSync(file, "whole\n");
    const script = `echo x >>/ro/file; touch /ro/new; rm /ro/link; cat /ro/file; echo more >>/one`;
    const { out, err } = await run(`-v ${shared}:/ro:ro -v ${file}:/one`, script);
    assert.equal(out.toString(), "whole\n");
    assert.equal(err.match(/Read-only file system/g)?.length, 3, err);
    assert.equal(readFileSync(file, "utf8"), "whole\nmore\n");
  });
});

describe("a machine whose VMM ends in the middle", () => {
  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    it(`by ${signal} is told to have, leaves nothing behind, and takes no other with it`, async () => {
      const victim = await start("--cpus 1", "echo ready; sleep 1000");
      const [vmm] = vmmProcesses();
      assert.ok(vmm);
      await victim.spoke;
      const other = await start("--cpus 1", "echo ready; sleep 1; exit 7");
      process.kill(vmm, signal);
      const { exit } = await victim.result;
      assert.match(exit.error ?? "", new RegExp(signal));
      assert.notEqual(exit.exitCode, 0);
      assert.equal((await other.result).exit.exitCode, 7);
      assert.deepEqual(leftovers(), []);
    });
  }
});

describe("a clone of a template", () => {
  const ownWords = "cat /proc/sys/kernel/random/boot_id /proc/sys/kernel/random/uuid; hostname";

  /** Saves a machine such as these words ask for. */
  async function saveTemplate(words: string, networks: MachineConfig["networks"] = []) {
    const { machine, resources } = configOf([...words.split(" "), "busybox"]);
    const { hypervisor } = await realParts.openHypervisor(machine, paths.dataRoot);
    const runDirectory = mkdtempSync(join(folder, "template-"));
    const config = machineConfig({
      container: "template",
      artifacts: artifactPaths(),
      shape: machineShape(resources, "kvm"),
      extents: [],
      writableDisk: "/dev/null",
      disposable: true,
      runDirectory,
    });
    assert.equal(await hypervisor.saveTemplate?.({ ...config, networks }), true);
  }

  for (const cpus of [1, 2]) {
    it(`is a machine of its own, with ${cpus} vCPU`, async () => {
      const words = `--vmm kvm --cpus ${cpus} -m 100m`;
      await saveTemplate(words);
      const script = `${ownWords}; dd if=/dev/urandom of=/file bs=64k count=100 2>/dev/null; sync
        echo 3 >/proc/sys/vm/drop_caches; nproc; sha1sum </file >/sum; sha1sum </file | cmp - /sum && echo same
        echo ready; cat; exit 9`;
      const calls = [await start(`-i ${words}`, script), await start(`-i ${words}`, script)];
      for (const pid of vmmProcesses()) assert.match(mapsOf(pid), /templates/);
      const results = await Promise.all(calls.map(({ result }) => result));
      const lines = results.map(({ out }) => out.toString().split("\n"));
      for (const index of [0, 1, 2]) assert.notEqual(lines[0]?.[index], lines[1]?.[index]);
      for (const [index, { exit, err }] of results.entries()) {
        assert.deepEqual(lines[index]?.slice(3), [String(cpus), "same", "ready", ""], err);
        assert.equal(exit.exitCode, 9);
      }
    });
  }

  it("has its own place in a network", async () => {
    const words = "--vmm kvm --cpus 1 -m 100m";
    await saveTemplate(words, [
      { mac: "02:00:00:00:00:01", backend: { kind: "tap", name: "any" } },
    ]);
    const body = randomBytes(1 << 20);
    const server = createServer((_, response) => response.end(body));
    await once(server.listen(8082, "0.0.0.0"), "listening");
    try {
      const script =
        "wget -qO- http://$(ip route | awk '/default/ { print $3 }'):8082 | sha256sum; sleep 1";
      const { result } = await start(`${words} --network bridge`, script);
      for (const pid of vmmProcesses()) assert.match(mapsOf(pid), /templates/);
      const { out, err } = await result;
      assert.equal(out.toString(), `${hash(body)}  -\n`, err);
    } finally {
      server.close();
    }
  });
});

describe("a guest that fails", () => {
  const brief = 3000;
  const deadlines = {
    boot: brief,
    hello: brief,
    configure: brief,
    container: brief,
    shutdown: brief,
  };

  async function failing(artifacts: Partial<Artifacts>, limits?: typeof deadlines): Promise<Error> {
    await using other = await daemonWith(artifacts, limits);
    const words = ["--rm", "--vmm", "kvm", "--network", "none", "busybox", "true"];
    return runAttached(other, configOf(words)).then(
      () => assert.fail("it did not fail"),
      (error: Error) => error,
    );
  }

  it("by a panic is told with its words", async () => {
    const initramfs = join(folder, "none");
    writeFileSync(initramfs, "");
    assert.match((await failing({ initramfs })).message, /panic/);
    assert.deepEqual(leftovers(), []);
  });

  it("by saying nothing sensible is given up", async () => {
    const kernel = process.env.DVM_SMALL_GUEST;
    assert.ok(kernel);
    await failing({ kernel }, deadlines);
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

function hash(bytes: Uint8Array, algorithm = "sha256"): string {
  return createHash(algorithm).update(bytes).digest("hex");
}

/** The files that a process has mapped. */
function mapsOf(pid: number): string {
  return readFileSync(`/proc/${pid}/maps`, "utf8");
}
