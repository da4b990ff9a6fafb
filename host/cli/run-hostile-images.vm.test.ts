/** Images that are broken, or made to harm, all the way through dvm run. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { digestOf } from "../image/digest.ts";
import { type TestImage, type TestLayer, TestLayout } from "../image/test-support/image-builder.ts";
import { type TestMember, tarStream } from "../image/test-support/tar-builder.ts";
import { type DvmResult, TestUser } from "./test-dvm.ts";

const user = new TestUser();
after(() => user[Symbol.dispose]());

const SHELL: TestMember = { name: "bin/sh", data: readFileSync("/bin/busybox"), mode: 0o755 };

let images = 0;

/** Runs a container of an image of one layer, which has a shell beside `members`. */
function runImage(
  members: readonly TestMember[],
  image: Partial<TestImage> = {},
  words = ["true"],
) {
  const tar = tarStream(SHELL, ...members);
  return run(words, (layout) => layout.image({ layers: [{ tar, blob: gzipSync(tar) }], ...image }));
}

async function run(
  words: readonly string[],
  make: (layout: TestLayout) => { readonly digest: string },
): Promise<DvmResult> {
  const layout = new TestLayout(join(user.folder, `layout-${images++}`));
  layout.list(make(layout), { tag: "latest" });
  const result = await user.dvm(["run", "--rm", "-q", `oci:${layout.path}`, ...words]);
  assert.deepEqual(user.leftovers(), []);
  assert.deepEqual(user.files("images/tmp"), []);
  return result;
}

/** One error, with advice, and nothing that reads as a defect of dvm's own. */
function assertRefused({ code, out, err }: DvmResult, expected: number, message: RegExp): void {
  assert.match(err, message);
  assert.match(err, /^dvm: .*\n {2}hint: .*\n$/);
  assert.deepEqual([code, out], [expected, ""]);
}

/** A layer of some size that is stored as `spoil` makes it, under the digest that the manifest states. */
function spoilt(layout: TestLayout, spoil: (path: string, size: number) => void) {
  const tar = tarStream(SHELL);
  const blob = gzipSync(tar);
  const descriptor = layout.image({ layers: [{ tar, blob }] });
  spoil(layout.blobPath(digestOf(blob)), blob.length);
  return descriptor;
}

describe("dvm run refuses an image", () => {
  it("whose layer is cut short", async () => {
    const result = await run(["true"], (layout) =>
      spoilt(layout, (path, size) => truncateSync(path, size - 1000)),
    );
    assertRefused(result, 125, /sha256:[0-9a-f]{12}/);
  });

  it("whose layer ends within its tar stream, all digests being right", async () => {
    const whole = tarStream(SHELL);
    const tar = whole.subarray(0, whole.length - 100_000);
    const result = await run(["true"], (layout) => layout.image({ layers: [{ tar }] }));
    assertRefused(result, 125, /corrupt tar stream: it is cut off/);
  });

  it("whose layer is another than its manifest says", async () => {
    const result = await run(["true"], (layout) =>
      spoilt(layout, (path, size) => truncateSync(path, size + 1)),
    );
    assertRefused(result, 125, /sha256:/);
  });

  it("whose layer unpacks to another than its configuration says", async () => {
    const layers: TestLayer[] = [{ tar: tarStream(SHELL), blob: gzipSync(tarStream()) }];
    assertRefused(await run(["true"], (layout) => layout.image({ layers })), 125, /sha256:/);
  });

  it("whose layer is not there", async () => {
    const result = await run(["true"], (layout) => {
      const tar = tarStream(SHELL);
      const descriptor = layout.image({ layers: [{ tar }] });
      truncateSync(layout.blobPath(digestOf(tar)), 0);
      return descriptor;
    });
    assertRefused(result, 125, /sha256:/);
  });

  const entries: [string, TestMember][] = [
    ["leaves the root by ..", { name: "../escaped", data: "x" }],
    ["leaves the root by .. halfway", { name: "bin/../../escaped", data: "x" }],
    ["is a hard link to what is outside", { name: "bin/x", type: "1", link: "../../etc/passwd" }],
    ["takes its folder's entry away", { name: "bin/.wh..", data: "" }],
  ];
  for (const [what, member] of entries) {
    it(`one of whose entries ${what}`, async () => {
      assertRefused(await runImage([member]), 125, /layer|entry/);
    });
  }

  it("whose user its own accounts do not have", async () => {
    const result = await runImage([], { config: { config: { User: "ghost" } } });
    assertRefused(result, 125, /unable to find user ghost/);
  });

  it("that has nothing to run", async () => {
    const result = await runImage([], { config: { config: {} } }, []);
    assertRefused(result, 125, /no command specified/);
  });

  it("whose command is missing, a folder, or no program", async () => {
    const command = (path: string) => ({ config: { config: { Entrypoint: [path] } } });
    const members: TestMember[] = [
      { name: "folder/", type: "5", mode: 0o755 },
      { name: "text", data: "no program", mode: 0o755 },
      { name: "dangling", type: "2", link: "/nowhere" },
    ];
    const runs = (path: string) => runImage(members, command(path), []);
    assertRefused(await runs("/missing"), 127, /"\/missing": .*no such file/);
    assertRefused(await runs("/dangling"), 127, /"\/dangling": .*no such file/);
    assertRefused(await runs("/folder"), 126, /"\/folder": is a directory/);
    assertRefused(await runs("/text"), 126, /exec \/text: exec format error/);
  });
});

describe("an image whose entries lead elsewhere", () => {
  it("puts them where the container's own root has that path, and nothing on the host", async () => {
    const outside = join(user.folder, "outside");
    const members: TestMember[] = [
      { name: `${outside}/absolute`, data: "absolute\n" },
      { name: "way-out", type: "2", link: outside },
      { name: "way-out/by-link", data: "by link\n" },
      { name: "up", type: "2", link: "../../../../../../.." },
      { name: "up/by-parents", data: "by parents\n" },
    ];
    const files = [`${outside}/absolute`, `${outside}/by-link`, "/by-parents"];
    const script = 'for file; do read -r line <"$file"; echo "$line"; done';
    const { code, out, err } = await runImage(members, {}, ["sh", "-c", script, "sh", ...files]);
    assert.deepEqual([code, out, err], [0, "absolute\nby link\nby parents\n", ""]);
    assert.equal(existsSync(outside), false);
    assert.equal(existsSync("/by-parents"), false);
  });
});
