import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { LayerEntry } from "./entry.ts";
import { mergeLayers } from "./merge.ts";
import type { DirectoryNode, TreeNode } from "./tree.ts";

const base = { mode: 0o644, uid: 1, gid: 2, mtime: 3, mtimeNanoseconds: 4, xattrs: new Map() };
const file = (path: string, size = 0): LayerEntry => ({
  ...base,
  path,
  type: "file",
  size,
  data: [],
});
const dir = (path: string, mode = 0o755): LayerEntry => ({
  ...base,
  path,
  mode,
  type: "directory",
});
const link = (path: string, target: string): LayerEntry => ({
  ...base,
  path,
  type: "symlink",
  target,
});
const hard = (path: string, target: string): LayerEntry => ({
  ...base,
  path,
  type: "hardlink",
  target,
});
const merge = (...layers: LayerEntry[][]) => mergeLayers(layers.map((entries) => ({ entries })));

/** The tree as sorted paths; folders end in a slash, links show their target, files their size. */
function list(root: DirectoryNode, prefix = ""): string[] {
  return [...root.children]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, node]) => {
      const path = prefix + name;
      if (node.type === "directory") return [`${path}/`, ...list(node, `${path}/`)];
      if (node.type === "symlink") return [`${path} -> ${node.target}`];
      return [node.type === "file" && node.size > 0 ? `${path} ${node.size}` : path];
    });
}

function at(root: DirectoryNode, path: string): TreeNode | undefined {
  let node: TreeNode | undefined = root;
  for (const name of path.split("/"))
    node = node?.type === "directory" ? node.children.get(name) : undefined;
  return node;
}

const refuses = (layers: LayerEntry[][], message: RegExp, code = "ROOTFS_BAD_ENTRY") =>
  assert.throws(() => merge(...layers), { code, message });

test("a whiteout removes a file or a whole folder of a lower layer, and nothing where there is none", () => {
  const lower = [dir("a"), file("a/x"), file("a/y"), dir("b"), file("b/z")];
  assert.deepEqual(
    list(merge(lower, [file("a/.wh.x"), file(".wh.b"), file("a/.wh.nothing"), file("no/.wh.x")])),
    ["a/", "a/y"],
  );
});

test("a whiteout leaves its own layer's entries alone, wherever it stands", () => {
  const lower = [dir("a"), file("a/x", 1), dir("a/d"), file("a/d/old")];
  const upper = [dir("a"), file("a/x", 2), dir("a/d"), file("a/d/new")];
  const whiteouts = [file("a/.wh.x"), file("a/.wh.d")];
  const wanted = ["a/", "a/d/", "a/d/new", "a/x 2"];
  assert.deepEqual(list(merge(lower, [...whiteouts, ...upper])), wanted);
  assert.deepEqual(list(merge(lower, [...upper, ...whiteouts])), wanted);
});

test("an opaque folder keeps itself and loses what lower layers put in it", () => {
  const lower = [dir("a", 0o700), file("a/x"), dir("a/d"), file("a/d/y")];
  for (const upper of [
    [dir("a", 0o711), file("a/.wh..wh..opq"), file("a/new")],
    [file("a/new"), file("a/.wh..wh..opq"), dir("a", 0o711)],
  ]) {
    const root = merge(lower, upper);
    assert.deepEqual(list(root), ["a/", "a/new"]);
    assert.equal(at(root, "a")?.attributes.mode, 0o711);
  }
});

test("an opaque root clears all", () => {
  assert.deepEqual(list(merge([file("a")], [file("b")], [file(".wh..wh..opq"), file("c")])), ["c"]);
});

test("an opaque folder that replaces a link leaves the link's target as it is", () => {
  const lower = [dir("usr"), dir("usr/lib"), file("usr/lib/libc"), link("lib", "usr/lib")];
  const upper = [dir("lib"), file("lib/.wh..wh..opq"), file("lib/own")];
  const wanted = ["lib/", "lib/own", "usr/", "usr/lib/", "usr/lib/libc"];
  assert.deepEqual(list(merge(lower, upper)), wanted);
});

test("a whiteout through a lower layer's link hides what the link leads to", () => {
  const lower = [
    dir("usr"),
    dir("usr/lib"),
    file("usr/lib/a"),
    file("usr/lib/b"),
    link("lib", "usr/lib"),
  ];
  assert.deepEqual(list(merge(lower, [file("lib/.wh.a")])), [
    "lib -> usr/lib",
    "usr/",
    "usr/lib/",
    "usr/lib/b",
  ]);
});

test("a whiteout's meaning does not depend on another whiteout of its layer", () => {
  const lower = [dir("d"), file("d/x"), file("d/y"), link("l", "d")];
  for (const upper of [
    [file(".wh.l"), file("l/.wh.x")],
    [file("l/.wh.x"), file(".wh.l")],
  ]) {
    assert.deepEqual(list(merge(lower, upper)), ["d/", "d/y"]);
  }
});

test("a whiteout of no name, of . or of .. is refused", () => {
  for (const name of [".wh.", ".wh..", ".wh..."]) refuses([[file(`a/${name}`)]], /names no file/);
});

test("leftovers of AUFS are no content", () => {
  assert.deepEqual(
    list(
      merge([
        dir(".wh..wh.plnk"),
        file(".wh..wh.plnk/1.2"),
        file(".wh..wh.aufs"),
        file("a/.wh..wh.x"),
      ]),
    ),
    [],
  );
});

test("a folder over a folder brings its attributes and keeps the children", () => {
  const root = merge([dir("a", 0o700), file("a/x")], [dir("a", 0o1777)]);
  assert.deepEqual(list(root), ["a/", "a/x"]);
  assert.equal(at(root, "a")?.attributes.mode, 0o1777);
});

test("a file replaces a folder, a folder a file, and a folder a link to a folder", () => {
  assert.deepEqual(list(merge([dir("a"), file("a/x")], [file("a")])), ["a"]);
  assert.deepEqual(list(merge([file("a")], [dir("a"), file("a/x")])), ["a/", "a/x"]);
  assert.deepEqual(list(merge([dir("d"), link("a", "d")], [dir("a"), file("a/x")])), [
    "a/",
    "a/x",
    "d/",
  ]);
});

test("of two entries with one name the last stands", () => {
  assert.deepEqual(list(merge([file("a", 1), file("a", 2)])), ["a 2"]);
});

test("missing parents are made as root's, 0755; a later entry brings their own attributes", () => {
  const root = merge([file("a/b/c"), dir("a", 0o700)]);
  assert.deepEqual(list(root), ["a/", "a/b/", "a/b/c"]);
  assert.equal(at(root, "a")?.attributes.mode, 0o700);
  assert.deepEqual([at(root, "a/b")?.attributes.mode, at(root, "a/b")?.attributes.uid], [0o755, 0]);
});

test("the root's own entry brings its attributes, and must be a folder", () => {
  assert.equal(merge([dir("", 0o750), file("a")]).attributes.mode, 0o750);
  refuses([[file("")]], /makes the root a file/);
});

test("entries beneath a link go where the link leads, never out of the root", () => {
  const upper = [file("l/x"), file("up/y"), file("abs/z")];
  const lower = [dir("d"), link("l", "d"), link("up", "../../../d"), link("abs", "/d/e/../..")];
  assert.deepEqual(list(merge(lower, upper)), [
    "abs -> /d/e/../..",
    "d/",
    "d/x",
    "d/y",
    "l -> d",
    "up -> ../../../d",
    "z",
  ]);
});

test("entries beneath a dangling link make what it names", () => {
  assert.deepEqual(list(merge([link("l", "n/o"), file("l/x")])), [
    "l -> n/o",
    "n/",
    "n/o/",
    "n/o/x",
  ]);
});

test("a loop of links is refused", () => {
  refuses([[link("a", "b"), link("b", "a"), file("a/x")]], /too many symbolic links/);
  refuses([[link("a", "a/a"), file("a/x")]], /too many symbolic links/);
});

test("an entry beneath a file is refused", () => {
  refuses([[file("a"), file("a/b")]], /beneath "a", which is not a directory/);
});

test("hard links share an inode, also with a lower layer, and part when one name is replaced", () => {
  const root = merge(
    [file("a", 1), link("s", "a")],
    [hard("b", "a"), hard("t", "s")],
    [file("a", 2)],
  );
  assert.deepEqual(list(root), ["a 2", "b 1", "s -> a", "t -> a"]);
  assert.equal(at(root, "s"), at(root, "t"));
  const shared = merge([file("a"), hard("b", "a"), hard("c", "b")], [file(".wh.a")]);
  assert.equal(at(shared, "b"), at(shared, "c"));
});

test("a hard link finds its target through links to folders, but is not one through a link itself", () => {
  const root = merge([dir("d"), file("d/x", 7), link("l", "d"), hard("h", "l/x")]);
  assert.equal(at(root, "h"), at(root, "d/x"));
});

test("hard links to nothing, to a folder, to themselves or in a circle are refused", () => {
  refuses([[hard("a", "b")]], /leads to "b", which does not exist/);
  refuses([[dir("d"), hard("a", "d")]], /which is a directory/);
  refuses([[file("a")], [hard("a", "a")]], /which does not exist/);
  refuses([[hard("a", "b"), hard("b", "a")]], /which does not exist/);
  refuses([[dir("d"), file("d/x")], [hard("d", "d/x")]], /which does not exist/);
});

test("names with NUL, too long names, and impossible owners and devices are refused", () => {
  refuses([[file("a\0b")]], /bad name/);
  refuses([[file("x".repeat(256))]], /too long a name/);
  refuses([[file(`${"x/".repeat(2048)}x`)]], /too long a name/);
  refuses([[{ ...file("a"), uid: -1 }]], /impossible owner -1:2/);
  refuses([[{ ...file("a"), gid: 2 ** 32 }]], /impossible owner/);
  refuses(
    [[{ ...base, path: "dev", type: "block", major: 4096, minor: 0 }]],
    /impossible number 4096:0/,
  );
  refuses([[link("a", "x\0y")]], /bad target/);
  refuses([[link("a", "")]], /bad target/);
  assert.equal(list(merge([file("x".repeat(255))])).length, 1);
});

test("a name in a message is cut and has no control characters", () => {
  refuses([[file(`\x1b[2J${"x".repeat(300)}`)]], /^[ -~]{1,200}…"$/);
});

test("many entries cannot buy endless work through links or missing parents", () => {
  const deep = Array.from({ length: 70 }, (_, index) => file(`${index}/${"d/".repeat(2000)}x`));
  refuses([deep], /more than 131072 folders without an entry/, "ROOTFS_TOO_LARGE");
  const winding = [link("l", `${"d/../".repeat(800)}.`), dir("d")];
  const walkers = Array.from({ length: 20_000 }, (_, index) =>
    file(`l/${"l/".repeat(30)}${index}/x`),
  );
  refuses([[...winding, ...walkers]], /take too long to follow/, "ROOTFS_TOO_LARGE");
});

test("the order of whiteouts within their layer never matters", () => {
  const name = fc.constantFrom("a", "b", "c");
  const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
  const lowerEntry = fc.oneof(
    path.map((p) => dir(p)),
    fc.tuple(path, path).map(([p, t]) => link(p, `/${t}`)),
  );
  const whiteout = path.map((p) => file(p.replace(/[^/]*$/, ".wh.$&")));
  const opaque = path.map((p) => file(`${p}/.wh..wh..opq`));
  const outcome = (layers: LayerEntry[][]) => {
    try {
      return list(merge(...layers));
    } catch (error) {
      return error instanceof Error && "code" in error ? error.code : error;
    }
  };
  fc.assert(
    fc.property(
      fc.array(lowerEntry, { maxLength: 8 }),
      fc.array(lowerEntry, { maxLength: 5 }),
      fc.array(fc.oneof(whiteout, opaque), { maxLength: 5 }),
      (lower, upper, whiteouts) => {
        const lowerTree = outcome([lower]);
        fc.pre(typeof lowerTree !== "string");
        const first = outcome([lower, [...whiteouts, ...upper]]);
        assert.deepEqual(outcome([lower, [...upper, ...whiteouts.toReversed()]]), first);
      },
    ),
  );
});
