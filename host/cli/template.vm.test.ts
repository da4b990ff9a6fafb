import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { artifactPaths } from "../engine/artifacts.ts";
import { TestUser, until } from "./test-dvm.ts";
import { assertFreedMemoryComesBack } from "./test-freed-memory.ts";

/** A nightly run has time for as many as the promise is about. */
const CLONES = process.env.DVM_NIGHTLY ? 200 : 20;

const FROM_TEMPLATE = "machine: from template";
const RUN = ["run", "--rm", "--vmm", "qemu"];

/** What a clone may not share with another: a line each. */
const IDENTITY = [
  "cat /proc/sys/kernel/random/boot_id",
  "cat /proc/sys/kernel/random/uuid",
  "head -c 16 /dev/urandom | od -An -tx1",
  "hostname",
].join("; ");

function freshUser(environment: Readonly<Record<string, string>> = {}): TestUser {
  const user = new TestUser({ DVM_TEMPLATE: "on", ...environment });
  after(() => user[Symbol.dispose]());
  return user;
}

async function build(user: TestUser): Promise<void> {
  assert.deepEqual(await user.dvm(["template", "build", "--vmm", "qemu"]), {
    code: 0,
    out: "",
    err: "",
  });
}

/** Folders of the templates. */
function templates(user: TestUser): string[] {
  const keys = user.files("host/templates").filter((name) => /^[0-9a-f]{32}$/.test(name));
  return keys.map((key) => join(user.dataRoot, "host/templates", key));
}

async function memoryHashes(user: TestUser): Promise<string[]> {
  return Promise.all(
    templates(user).map(async (folder) => {
      const hash = createHash("sha256");
      for await (const chunk of createReadStream(join(folder, "memory"))) hash.update(chunk);
      return hash.digest("hex");
    }),
  );
}

/** What changes with any change of their memory, a hole too. */
function memoryMarks(user: TestUser): bigint[] {
  return templates(user).map(
    (folder) => statSync(join(folder, "memory"), { bigint: true }).ctimeNs,
  );
}

describe("clones of a template", () => {
  const user = freshUser();

  it("are machines of their own before their first instruction, and leave it as it was", async () => {
    await build(user);
    const before = await memoryHashes(user);
    const seen = new Map<string, number>();
    for (let clone = 0; clone < CLONES; clone++) {
      const started = Date.now();
      const line = `${IDENTITY}; date +%s`;
      const words = [...RUN, "--verbose", "--network", "none", "busybox", "sh", "-c", line];
      const { code, out, err } = await user.dvm(words);
      assert.equal(code, 0, err);
      assert.ok(err.includes(FROM_TEMPLATE), err);
      const lines = out.trim().split("\n");
      assert.equal(lines.length, 5);
      const seconds = Number(lines.pop());
      assert.ok(seconds >= Math.floor(started / 1000) && seconds <= Date.now() / 1000, out);
      for (const text of lines) seen.set(text, (seen.get(text) ?? 0) + 1);
    }
    assert.equal(seen.size, CLONES * 4);
    assert.deepEqual(await memoryHashes(user), before);
  });

  it("have the network card's own address, and reach their network", async () => {
    const router = "$(ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p')";
    const script = `cat /sys/class/net/eth0/address; ping -c 1 -W 5 ${router} >/dev/null && echo there`;
    const { code, out, err } = await user.dvm([...RUN, "--verbose", "busybox", "sh", "-c", script]);
    assert.equal(code, 0, err);
    assert.ok(err.includes(FROM_TEMPLATE), err);
    const [mac = "", there] = out.trim().split("\n");
    assert.match(mac, /^02:/);
    assert.ok(!mac.startsWith("02:00:00:00:00:"), mac);
    assert.equal(there, "there");
  });

  it("give back to the host what a container frees, and leave the template whole", async () => {
    const before = memoryMarks(user);
    const words = [
      ...RUN.filter((word) => word !== "--rm"),
      "-d",
      "--name",
      "freeing",
      "--verbose",
    ];
    const { err } = await user.dvm([...words, "--network", "none", "busybox", "sleep", "1000"]);
    assert.ok(err.includes(FROM_TEMPLATE), err);
    await assertFreedMemoryComesBack(user, "freeing");
    await user.dvm(["rm", "-f", "freeing"]);
    assert.deepEqual(memoryMarks(user), before);
  });

  it("keep what a container writes", async () => {
    const create = [...RUN.filter((word) => word !== "--rm"), "--name", "kept", "--verbose"];
    const words = [...create, "busybox", "sh", "-c", "echo kept >/file"];
    const { code, err } = await user.dvm(words);
    assert.equal(code, 0, err);
    assert.ok(err.includes(FROM_TEMPLATE), err);
    assert.equal((await user.dvm(["cp", "kept:/file", "-"])).code, 0);
    assert.equal((await user.dvm(["start", "-a", "kept"])).code, 0);
    assert.equal((await user.dvm(["rm", "kept"])).code, 0);
  });
});

describe("a template that is no good", () => {
  const damages: [string, (folder: string) => void, RegExp][] = [
    [
      "with a flipped byte in its state",
      (folder) => {
        const path = join(folder, "state");
        const bytes = readFileSync(path);
        bytes.writeUInt8(bytes.readUInt8(1000) ^ 1, 1000);
        writeFileSync(path, bytes);
      },
      /its state was changed/,
    ],
    [
      "with less memory",
      (folder) => {
        chmodSync(join(folder, "memory"), 0o600);
        truncateSync(join(folder, "memory"), 2 ** 20);
      },
      /its memory was changed/,
    ],
    [
      "without its state",
      (folder) => writeFileSync(join(folder, "state"), ""),
      /its state was changed/,
    ],
  ];
  for (const [what, damage, reason] of damages) {
    it(`${what} is told of and not used: the machine boots`, async () => {
      const user = freshUser();
      await build(user);
      for (const folder of templates(user)) damage(folder);
      const words = [...RUN, "--verbose", "--network", "none", "busybox", "echo", "ran"];
      const { code, out, err } = await user.dvm(words);
      assert.deepEqual([code, out], [0, "ran\n"], err);
      assert.match(err, /warning: the template of this machine is not usable, so it boots: /);
      assert.match(err, reason);
      assert.ok(!err.includes(FROM_TEMPLATE), err);
    });
  }

  it("because its kernel was replaced is not used: the machine boots", async () => {
    const kernel = join(freshUser().folder, "vmlinux");
    copyFileSync(artifactPaths({}).kernel, kernel);
    const user = freshUser({ DVM_KERNEL: kernel });
    await build(user);
    const words = [...RUN, "--verbose", "--network", "none", "busybox", "true"];
    assert.ok((await user.dvm(words)).err.includes(FROM_TEMPLATE));
    copyFileSync(artifactPaths({}).kernel, kernel);
    const { code, err } = await user.dvm(words);
    assert.equal(code, 0, err);
    assert.ok(!err.includes(FROM_TEMPLATE), err);
  });
});

describe("the daemon", () => {
  it("makes the template that a container had to do without", async () => {
    const user = freshUser();
    const words = [...RUN, "--verbose", "--network", "none", "busybox", "true"];
    const first = await user.dvm(words);
    assert.equal(first.code, 0, first.err);
    assert.ok(!first.err.includes(FROM_TEMPLATE), first.err);
    await until("a template", () => templates(user).length > 0);
    const second = await user.dvm(words);
    assert.ok(second.err.includes(FROM_TEMPLATE), second.err);
  });

  it("boots every machine when templates are off", async () => {
    const user = freshUser({ DVM_TEMPLATE: "off" });
    const built = await user.shell('DVM_TEMPLATE=on "$DVM" template build --vmm qemu');
    assert.equal(built.code, 0, built.err);
    const words = [...RUN, "--verbose", "--network", "none", "busybox", "true"];
    const { code, err } = await user.dvm(words);
    assert.equal(code, 0, err);
    assert.ok(!err.includes(FROM_TEMPLATE), err);
  });
});
