import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { TestUser } from "./test-dvm.ts";

const user = new TestUser();
after(() => user[Symbol.dispose]());

const RUN = ["run", "--rm", "busybox"];

describe("dvm run", () => {
  it("keeps output and errors apart and ends with the command's exit code", async () => {
    const result = await user.dvm([...RUN, "sh", "-c", "echo out; echo err >&2; exit 42"]);
    assert.deepEqual(result, { code: 42, out: "out\n", err: "err\n" });
    assert.deepEqual(user.leftovers(), []);
  });

  it("hands input on with -i, and its end; without it the input is empty", async () => {
    const input = "line\n".repeat(20_000);
    const given = await user.dvm(["run", "--rm", "-i", "busybox", "wc", "-c"], input);
    assert.equal(given.out.trim(), String(input.length));
    const none = await user.dvm([...RUN, "wc", "-c"], input);
    assert.equal(none.out.trim(), "0");
  });

  it("carries bytes as they are", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const { out } = await user.dvm(["run", "--rm", "-i", "busybox", "md5sum"], bytes);
    assert.equal(out, "e2c865db4162bed963bfaa9ef6ac18f0  -\n");
  });

  const failures: [string, string[], number, RegExp][] = [
    ["a missing command", [...RUN, "nosuch"], 127, /exec: "nosuch": executable file not found/],
    ["a folder as command", [...RUN, "/etc"], 126, /exec: "\/etc": is a directory/],
    ["a file that is no program", [...RUN, "/etc/passwd"], 126, /permission denied/],
    [
      "an unknown user",
      ["run", "--rm", "-u", "nobody2", "busybox", "id"],
      125,
      /unable to find user nobody2/,
    ],
    [
      "an unknown image",
      ["run", "--rm", "--pull", "never", "nosuchimage", "x"],
      125,
      /no such image: nosuchimage/i,
    ],
    [
      "an image that no registry gives",
      ["run", "--rm", "localhost:1/nosuchimage", "x"],
      125,
      /unable to find image localhost:1\/nosuchimage:latest locally(.|\n)*localhost:1/,
    ],
    ["a folder that is no image", ["run", "--rm", "oci:/etc", "x"], 125, /\/etc/],
  ];
  for (const [what, words, code, message] of failures) {
    it(`ends with ${code} for ${what}`, async () => {
      const result = await user.dvm(words);
      assert.match(result.err, message);
      assert.equal(result.code, code);
      assert.deepEqual(user.leftovers(), []);
    });
  }

  it("keeps a stopped container without --rm, with its exit code and its name", async () => {
    assert.equal((await user.dvm(["run", "--name", "kept", "busybox", "false"])).code, 1);
    const listed = await user.dvm(["ps", "-a"]);
    assert.match(listed.out, /Exited \(1\) .* kept\n/);
    const again = await user.dvm(["run", "--name", "kept", "busybox", "true"]);
    assert.equal(again.code, 125);
    assert.match(again.err, /container name "\/kept" is already in use/);
    assert.equal((await user.dvm(["rm", "kept"])).out, "kept\n");
    assert.deepEqual(user.leftovers(), []);
  });
});
