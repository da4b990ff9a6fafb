import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { TestUser } from "./test-dvm.ts";

const user = new TestUser();
after(() => user[Symbol.dispose]());

const NO_NETWORK = ["--network", "none"];
const BUSYBOX = ["busybox", "sh", "-c"];

/** Changes of every kind, and back again. */
const CHANGE = [
  "echo new >/tmp/new",
  "rm /bin/vi",
  "mkdir /d",
  "echo y >>/etc/passwd",
  "chmod 700 /home",
  "ln -s a /l",
  "touch -d @0 /etc/group",
].join("; ");
const CHANGES = `C /bin
D /bin/vi
A /d
C /etc
C /etc/group
C /etc/passwd
C /home
A /l
C /tmp
A /tmp/new
`;

for (const driver of ["overlay", "block"]) {
  const option = ["--storage-opt", `driver=${driver}`];

  describe(`a root by the ${driver} driver`, () => {
    it("keeps what is written, and diff, cp, export and commit see it", async () => {
      const name = `kept-${driver}`;
      const words = ["run", "--name", name, ...NO_NETWORK, ...option, ...BUSYBOX];
      assert.equal((await user.dvm([...words, `${CHANGE}; cat /tmp/new`])).out, "new\n");
      assert.equal((await user.dvm(["start", "-a", name])).out, "new\nnew\n".slice(4));
      assert.equal((await user.dvm(["diff", name])).out, CHANGES);
      const line = `"$DVM" export ${name} | tar -xO tmp/new; "$DVM" cp ${name}:/tmp/new - | tar -xO`;
      assert.equal((await user.shell(line)).out, "new\nnew\n");
      assert.equal((await user.dvm(["commit", name, `made-${driver}`])).code, 0);
      const script =
        "cat /tmp/new; test -e /bin/vi; echo $?; stat -c %a /home; tail -n 1 /etc/passwd";
      const made = await user.dvm([
        "run",
        "--rm",
        ...NO_NETWORK,
        `made-${driver}`,
        "sh",
        "-c",
        script,
      ]);
      assert.equal(made.out, "new\n1\n700\ny\n");
    });

    it("has the size that is asked for, and is full at that", async () => {
      const script =
        "df -m / | awk 'NR==2 {print ($2 > 50 && $2 < 64)}'; dd if=/dev/zero of=/f bs=1M count=100";
      const words = ["run", "--rm", ...NO_NETWORK, ...option, "--storage-opt", "size=64m"];
      const { out, err, code } = await user.dvm([...words, ...BUSYBOX, script]);
      assert.deepEqual([out, code], ["1\n", 1]);
      assert.match(err, /No space left on device/);
    });

    it("is the root of a private user namespace with the image's owners", async () => {
      const words = ["run", "--rm", ...NO_NETWORK, ...option, "--userns", "private", ...BUSYBOX];
      const { out } = await user.dvm([
        ...words,
        "stat -c %u:%g /etc/passwd; touch /new; stat -c %u /new",
      ]);
      assert.equal(out, "0:0\n0\n");
    });

    it("is read-only where that is asked for", async () => {
      const words = ["run", "--rm", ...NO_NETWORK, ...option, "--read-only", ...BUSYBOX];
      assert.match((await user.dvm([...words, "touch /new"])).err, /Read-only file system/);
    });

    it("is named by inspect", async () => {
      const { out } = await user.dvm([
        "inspect",
        "-f",
        "{{.GraphDriver.Name}} {{.Driver}}",
        `kept-${driver}`,
      ]);
      assert.equal(out, `${driver} ${driver}\n`);
    });
  });
}

describe("a root by the block driver", () => {
  it("survives the removal of the image that it was made from", async () => {
    const name = "lasting";
    const create = ["create", "--name", name, ...NO_NETWORK, "--storage-opt", "driver=block"];
    await user.dvm([...create, ...BUSYBOX, "ls /bin | wc -l"]);
    execFileSync("sh", ["-c", 'rm "$0"/root-disks/*.ext4', user.dataRoot]);
    assert.match((await user.dvm(["start", "-a", name])).out, /^\d{2,}\n$/);
  });

  it("leaves the disk that it shares as it was", async () => {
    const words = ["run", "--rm", ...NO_NETWORK, "--storage-opt", "driver=block", ...BUSYBOX];
    await user.dvm([...words, "echo spoilt >/etc/passwd; rm -r /bin; sync"]);
    assert.match((await user.dvm([...words, "cat /etc/passwd"])).out, /^root:/);
  });

  it("is a clone of a template like any other", async () => {
    const templates = new TestUser({ DVM_TEMPLATE: "", DVM_POOL: "0" });
    try {
      assert.equal((await templates.dvm(["template", "build"])).code, 0);
      const words = ["run", "--rm", "--verbose", ...NO_NETWORK, "--storage-opt", "driver=block"];
      const { out, err } = await templates.dvm([...words, ...BUSYBOX, "cat /etc/hostname | wc -l"]);
      assert.equal(out, "1\n");
      assert.match(err, /template/);
    } finally {
      templates[Symbol.dispose]();
    }
  });
});

describe("a folder of the host as root", () => {
  const folder = join(user.folder, "bundle");

  it("has a container's files as they are in the folder", async () => {
    mkdirSync(folder);
    await user.dvm(["create", "--name", "source", ...NO_NETWORK, "busybox", "true"]);
    await user.shell(`"$DVM" export source | tar -x -C ${folder}`);
    writeFileSync(join(folder, "from-host"), "host\n");
    const words = ["run", "--rm", ...NO_NETWORK, "--rootfs", folder, "sh", "-c"];
    const script =
      "cat /from-host; echo guest >/from-guest; chown 5:6 /from-guest; chmod 640 /from-guest";
    assert.equal((await user.dvm([...words, script])).out, "host\n");
    const path = join(folder, "from-guest");
    assert.equal(readFileSync(path, "utf8"), "guest\n");
    const { mode, uid, gid } = statSync(path);
    const isRoot = process.getuid?.() === 0;
    assert.deepEqual([mode & 0o777, ...(isRoot ? [uid, gid] : [5, 6])], [0o640, 5, 6]);
  });

  it("has no image: diff and commit say so, export and cp work", async () => {
    const words = ["create", "--name", "bundled", ...NO_NETWORK, "--rootfs", folder, "true"];
    await user.dvm(words);
    for (const verb of [
      ["diff", "bundled"],
      ["commit", "bundled", "never"],
    ]) {
      assert.match((await user.dvm(verb)).err, /made of no image/);
    }
    const line = `"$DVM" export bundled | tar -xO from-host; "$DVM" cp bundled:/from-host - | tar -xO`;
    assert.equal((await user.shell(line)).out, "host\nhost\n");
    const { out } = await user.dvm(["inspect", "-f", "{{json .GraphDriver}}", "bundled"]);
    assert.deepEqual(JSON.parse(out), { Name: "virtiofs", Data: { Rootfs: folder } });
  });

  it("is refused what it cannot have", async () => {
    const refused: [string[], RegExp][] = [
      [["--rootfs", join(folder, "none"), "true"], /wants an absolute path of a folder/],
      [["--storage-opt", "size=1g", "--rootfs", folder, "true"], /no size of its own/],
      [["--userns", "private", "--rootfs", folder, "true"], /no private user namespace/],
      [["--storage-opt", "driver=virtiofs", "busybox", "true"], /takes a folder, not an image/],
    ];
    for (const [words, message] of refused) {
      const { code, err } = await user.dvm(["run", "--rm", ...words]);
      assert.equal(code, 125);
      assert.match(err, message);
    }
  });
});

it("dvm info says which storage driver a daemon was told to use, and why", async () => {
  const other = new TestUser({ DVM_STORAGE_DRIVER: "block" });
  try {
    const { out } = await other.dvm(["info"]);
    assert.match(out, /Storage Driver: block\n {2}Backing Filesystem: \w+\n {2}Chosen By: dvmd/);
    await other.dvm(["create", "--name", "told", ...NO_NETWORK, "busybox", "true"]);
    const inspected = await other.dvm(["inspect", "-f", "{{.Driver}}", "told"]);
    assert.equal(inspected.out, "block\n");
  } finally {
    other[Symbol.dispose]();
  }
});
