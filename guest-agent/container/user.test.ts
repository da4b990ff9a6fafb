import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MAX_ID } from "./account-files.ts";
import { resolveUser } from "./user.ts";

const passwd = `root:x:0:0:root:/root:/bin/sh
# a comment
broken line
bad:x:notanumber:0::/root:/bin/sh

web:x:33:33:www:/var/www:/bin/sh
web:x:34:34:second:/nowhere:/bin/sh
12:x:99:99::/twelve:/bin/sh
nohome:x:7:7
`;
const group = `root:x:0:
adm:x:4:web,root
www:x:33:
audio:x:29:web
huge:x:99999999999:web
`;
const resolve = (user: string, additionalGroups: string[] = []) =>
  resolveUser({ user, additionalGroups, passwd, group });

test("nothing is root with root's home and groups", () => {
  assert.deepEqual(resolve(""), { uid: 0, gid: 0, groups: [0, 4], home: "/root" });
});

test("a name brings its first entry's group, supplementary groups and home", () => {
  assert.deepEqual(resolve("web"), { uid: 33, gid: 33, groups: [33, 4, 29], home: "/var/www" });
});

test("digits are a number even where an account has that name", () => {
  assert.deepEqual(resolve("12"), { uid: 12, gid: 0, groups: [0], home: "/" });
  assert.deepEqual(resolve("33"), resolve("web"));
});

test("an explicit group replaces the account's groups", () => {
  assert.deepEqual(resolve("web:audio"), { uid: 33, gid: 29, groups: [29], home: "/var/www" });
  assert.deepEqual(resolve("1000:1001"), { uid: 1000, gid: 1001, groups: [1001], home: "/" });
  assert.equal(resolve(":www").gid, 33);
});

test("additional groups join by name or number", () => {
  assert.deepEqual(resolve("1000", ["audio", "500", "audio"]).groups, [0, 29, 500]);
});

test("unknown users and groups are refused in Docker's words", () => {
  const refusal = (message: string) => ({ code: "UNKNOWN_USER", exitCode: 125, message });
  assert.throws(
    () => resolve("foo"),
    refusal("unable to find user foo: no matching entries in passwd file"),
  );
  assert.throws(
    () => resolve("bad"),
    refusal("unable to find user bad: no matching entries in passwd file"),
  );
  assert.throws(
    () => resolve("web:foo"),
    refusal("unable to find group foo: no matching entries in group file"),
  );
  assert.throws(() => resolve("web", ["foo"]), /unable to find group foo/);
  assert.throws(() => resolve("web", ["huge"]), /unable to find group huge/);
  assert.throws(() => resolve("2147483648"), /range 0-2147483647: 2147483648/);
  assert.throws(() => resolve("-1"), /range/);
});

test("an image without account files runs by number alone", () => {
  const bare = (user: string) => resolveUser({ user, additionalGroups: [], passwd: "", group: "" });
  assert.deepEqual(bare("5:6"), { uid: 5, gid: 6, groups: [6], home: "/" });
  assert.deepEqual(bare(""), { uid: 0, gid: 0, groups: [0], home: "/" });
  assert.throws(() => bare("root"), /unable to find user root/);
});

test("an account without a home lives in /", () => {
  assert.equal(resolve("nohome").home, "/");
});

test("no account file yields an id out of range or an unexpected error", () => {
  const line = fc.array(fc.oneof(fc.string({ maxLength: 6 }), fc.integer().map(String)), {
    maxLength: 8,
  });
  const file = fc
    .array(line, { maxLength: 6 })
    .map((lines) => lines.map((each) => each.join(":")).join("\n"));
  const user = fc.oneof(fc.string({ maxLength: 8 }), fc.nat(50).map(String));
  fc.assert(
    fc.property(file, file, user, (passwdText, groupText, name) => {
      try {
        const found = resolveUser({
          user: name,
          additionalGroups: [],
          passwd: passwdText,
          group: groupText,
        });
        for (const id of [found.uid, found.gid, ...found.groups])
          assert.ok(id >= 0 && id <= MAX_ID);
      } catch (error) {
        assert.equal((error as { code?: string }).code, "UNKNOWN_USER");
      }
    }),
  );
});
