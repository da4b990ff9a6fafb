import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { TestUser } from "./test-dvm.ts";

const user = new TestUser();
after(() => user[Symbol.dispose]());

const ID = "id -u; id -g; id -G; echo $HOME; grep CapEff /proc/self/status";
const DEFAULT = "00000000a80425fb";
const NONE = "0000000000000000";

/** Numbers, home and effective capabilities of a container's process. */
async function identity(...flags: string[]): Promise<string[]> {
  const { out, err } = await user.dvm(["run", "--rm", ...flags, "busybox", "sh", "-c", ID]);
  assert.equal(err, "");
  return out
    .trim()
    .split("\n")
    .map((line) => line.replace("CapEff:\t", ""));
}

describe("the user of dvm run", () => {
  const cases: [string[], string[]][] = [
    [[], ["0", "0", "0", "/root", DEFAULT]],
    [
      ["-u", "nobody"],
      ["65534", "65534", "65534", "/home", NONE],
    ],
    [
      ["-u", "1000"],
      ["1000", "0", "0", "/", NONE],
    ],
    [
      ["-u", "1:users", "-e", "HOME=/x"],
      ["1", "100", "100", "/x", NONE],
    ],
    [
      ["-u", "root:1234", "--group-add", "7", "--group-add", "daemon"],
      ["0", "1234", "1234 1 7", "/root", DEFAULT],
    ],
    [
      ["-u", ":5"],
      ["0", "5", "5", "/root", DEFAULT],
    ],
  ];
  for (const [flags, expected] of cases) {
    it(`is who ${flags.join(" ") || "the image"} says`, async () => {
      const found = await identity(...flags);
      // the order of further groups is the kernel's
      found[2] = sorted(found[2]);
      assert.deepEqual(found, expected.with(2, sorted(expected[2])));
    });
  }

  const refused: [string, RegExp][] = [
    ["nosuch", /unable to find user nosuch: no matching entries in passwd file/],
    ["root:nosuch", /unable to find group nosuch: no matching entries in group file/],
    ["4294967296", /range 0-2147483647: 4294967296/],
    ["-1", /range 0-2147483647: -1/],
  ];
  for (const [name, message] of refused) {
    it(`is refused as ${name}`, async () => {
      const { code, err } = await user.dvm(["run", "--rm", "-u", name, "busybox", "id"]);
      assert.match(err, message);
      assert.match(err, /^ {2}hint: /m);
      assert.equal(code, 125);
      assert.deepEqual(user.leftovers(), []);
    });
  }
});

function sorted(groups = ""): string {
  return groups.split(" ").toSorted().join(" ");
}

describe("the place of dvm run", () => {
  it("is a folder that is made when it is missing, and a host with a name", async () => {
    const script =
      "pwd; stat -c '%a %u' .; hostname; echo $HOSTNAME; cat /etc/hostname /proc/sys/kernel/domainname";
    const { out, err } = await user.dvm([
      ..."run --rm --hostname box.example.org --domainname example.org".split(" "),
      ..."-w /with\u00a0space/../ü/./x busybox sh -c".split(" "),
      script,
    ]);
    assert.equal(err, "");
    assert.deepEqual(out.trim().split("\n"), [
      "/ü/x",
      "755 0",
      "box.example.org",
      "box.example.org",
      "box.example.org",
      "example.org",
    ]);
  });

  it("cannot be a file", async () => {
    const { code, err } = await user.dvm(["run", "--rm", "-w", "/etc/passwd", "busybox", "pwd"]);
    assert.match(err, /\/etc\/passwd/);
    assert.equal(code, 125);
    assert.deepEqual(user.leftovers(), []);
  });
});
