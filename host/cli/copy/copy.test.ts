import assert from "node:assert/strict";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Header, pack } from "tar-stream";
import { parseContainerPath, planCopy } from "./copy-plan.ts";
import { packLocal } from "./pack-local.ts";
import { unpackLocal } from "./unpack-local.ts";

describe("a copy", () => {
  const file = { path: "/x/file", isFolder: false };
  const tree = { path: "/x/tree", isFolder: true };
  const contents = { path: "/x/tree/.", isFolder: true };
  for (const [what, source, target, plan] of [
    [
      "of a file into a folder",
      file,
      { path: "/to", found: "folder" },
      { folder: "/to", name: "file" },
    ],
    [
      "of a file onto a file",
      file,
      { path: "/to/b", found: "other" },
      { folder: "/to", name: "b" },
    ],
    ["of a file to a new name", file, { path: "/to/b" }, { folder: "/to", name: "b" }],
    [
      "of a folder into a folder",
      tree,
      { path: "/to", found: "folder" },
      { folder: "/to", name: "tree" },
    ],
    ["of a folder to a new name", tree, { path: "/to/b/" }, { folder: "/to", name: "b" }],
    [
      "of what is in a folder",
      contents,
      { path: "/to", found: "folder" },
      { folder: "/to", name: "" },
    ],
    ["of what is in a folder to a new name", contents, { path: "/b" }, { folder: "/", name: "b" }],
  ] as const)
    it(`${what} goes to ${plan.folder} as ${plan.name || "nothing"}`, () =>
      assert.deepEqual(planCopy(source, target), plan));

  it("is refused for a folder onto a file, and for a file into a folder that is not there", () => {
    assert.throws(() => planCopy(tree, { path: "/to", found: "other" }), { code: "LOCAL_FILE" });
    assert.throws(() => planCopy(file, { path: "/to/" }), { message: "no such directory: /to/" });
    assert.throws(() => planCopy(file, { path: "/to/", found: "other" }), {
      message: "not a directory: /to/",
    });
  });

  it("tells a container's path from one of the user's own", () => {
    assert.deepEqual(parseContainerPath("web:/etc"), { container: "web", path: "/etc" });
    assert.deepEqual(parseContainerPath("web:a:b"), { container: "web", path: "a:b" });
    for (const own of ["/a:b", "./a:b", "file", "-", ":x"]) {
      assert.equal(parseContainerPath(own), undefined);
    }
  });
});

/** Calls with a folder that has another beside it, of which nothing may change. */
async function inFolder(work: (folder: string, outside: string) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "dvm-copy-"));
  try {
    const [folder, outside] = [join(root, "in"), join(root, "out")];
    for (const path of [folder, outside]) mkdirSync(path);
    writeFileSync(join(outside, "file"), "untouched");
    await work(folder, outside);
  } finally {
    rmSync(root, { recursive: true });
  }
}

type Entry = Partial<Header> & { readonly name: string; readonly content?: string };

/** Unpacks what a container might send. @returns names of what was skipped */
async function unpack(folder: string, entries: readonly Entry[], name = "top"): Promise<string[]> {
  const stream = pack();
  for (const { content = "", ...header } of entries) stream.entry(header, content);
  stream.finalize();
  const tar = new PassThrough();
  const feeding = pipeline(stream, tar).catch(() => {});
  const skipped: string[] = [];
  const options = { tar, folder, name, keepOwners: false };
  try {
    await unpackLocal({ ...options, onSkipped: (each) => skipped.push(each) });
  } finally {
    tar.destroy();
    await feeding;
  }
  return skipped;
}

describe("what a container sends", () => {
  it("gets the name that it is to have, with modes, times and links", () =>
    inFolder(async (folder) => {
      const mtime = new Date("2020-01-02T03:04:05Z");
      const skipped = await unpack(folder, [
        { name: "tree/", type: "directory", mode: 0o750, mtime },
        { name: "tree/a", mode: 0o640, mtime, content: "text" },
        { name: "tree/link", type: "symlink", linkname: "/etc" },
        { name: "tree/same", type: "link", linkname: "tree/a" },
        { name: "tree/pipe", type: "fifo" },
      ]);
      assert.deepEqual(readdirSync(join(folder, "top")).toSorted(), ["a", "link", "same"]);
      assert.deepEqual(skipped, ["tree/pipe"]);
      const about = lstatSync(join(folder, "top", "a"));
      assert.deepEqual([about.mode & 0o777, about.nlink, about.mtime], [0o640, 2, mtime]);
      assert.equal(lstatSync(join(folder, "top")).mtime.getTime(), mtime.getTime());
      assert.equal(readlinkSync(join(folder, "top", "link")), "/etc");
    }));

  for (const [what, entries] of [
    ["a name with ..", [{ name: "tree/../../out/file", content: "x" }]],
    [
      "a link that it made",
      [
        { name: "tree/", type: "directory" },
        { name: "tree/link", type: "symlink", linkname: "../../out" },
        { name: "tree/link/file", content: "x" },
      ],
    ],
    [
      "a link that takes a folder's place",
      [
        { name: "tree/sub/a", content: "x" },
        { name: "tree/sub", type: "symlink", linkname: "../../out" },
        { name: "tree/sub/file", content: "x" },
      ],
    ],
    ["a hard link to what is outside", [{ name: "tree/a", type: "link", linkname: "../out/file" }]],
    [
      "a hard link through a link",
      [
        { name: "tree/link", type: "symlink", linkname: "../../out" },
        { name: "tree/a", type: "link", linkname: "tree/link/file" },
      ],
    ],
  ] as const satisfies readonly (readonly [string, readonly Entry[]])[])
    it(`does not reach outside by ${what}`, () =>
      inFolder(async (folder, outside) => {
        await assert.rejects(unpack(folder, entries), { code: "LOCAL_FILE" });
        assert.equal(readFileSync(join(outside, "file"), "utf8"), "untouched");
        assert.deepEqual(readdirSync(outside), ["file"]);
      }));

  it("does not write through a link that lies where a file goes", () =>
    inFolder(async (folder, outside) => {
      symlinkSync(join(outside, "file"), join(folder, "top"));
      await unpack(folder, [{ name: "a", content: "new" }]);
      assert.equal(readFileSync(join(folder, "top"), "utf8"), "new");
      assert.equal(readFileSync(join(outside, "file"), "utf8"), "untouched");
    }));

  it("stays inside whatever its entries are called", async () => {
    const part = fc.constantFrom("a", "b", "..", ".", "", "/", "out", "file");
    const name = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/"));
    const type = fc.constantFrom("file", "directory", "symlink", "link");
    const entry = fc.record({ name, type, linkname: name });
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 6 }), (entries) =>
        inFolder(async (folder, outside) => {
          await unpack(folder, entries as Entry[]).catch(() => {});
          assert.equal(readFileSync(join(outside, "file"), "utf8"), "untouched");
          assert.deepEqual(readdirSync(outside), ["file"]);
          assert.deepEqual(readdirSync(join(folder, "..")).toSorted(), ["in", "out"]);
        }),
      ),
      { numRuns: 100 },
    );
  });
});

describe("what the user sends", () => {
  it("comes back as it was", () =>
    inFolder(async (folder) => {
      const tree = join(folder, "tree");
      mkdirSync(join(tree, "empty"), { recursive: true });
      writeFileSync(join(tree, "a"), "x".repeat(100_000), { mode: 0o600 });
      writeFileSync(join(tree, "nothing"), "");
      linkSync(join(tree, "a"), join(tree, "b"));
      symlinkSync("nowhere", join(tree, "link"));
      writeFileSync(join(tree, `${"long".repeat(50)}ü`), "name");
      const tar = new PassThrough();
      const feeding = pipeline(packLocal({ path: tree, name: "n", followLink: false }), tar);
      const options = { tar, folder, name: "back", keepOwners: false };
      await unpackLocal({ ...options, onSkipped: assert.fail });
      await feeding;
      const back = join(folder, "back");
      assert.deepEqual(readdirSync(back).toSorted(), readdirSync(tree).toSorted());
      assert.equal(readFileSync(join(back, "b"), "utf8").length, 100_000);
      assert.equal(lstatSync(join(back, "b")).nlink, 2);
      assert.equal(lstatSync(join(back, "a")).mode & 0o777, 0o600);
      assert.equal(readlinkSync(join(back, "link")), "nowhere");
    }));

  it("fails the stream when it goes away", () =>
    inFolder(async (folder) => {
      const tar = new PassThrough();
      const path = join(folder, "none");
      assert.equal(existsSync(path), false);
      tar.resume();
      await assert.rejects(pipeline(packLocal({ path, name: "n", followLink: false }), tar), {
        code: "ENOENT",
      });
    }));
});
