import assert from "node:assert/strict";
import {
  createReadStream,
  createWriteStream,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { Writable } from "node:stream";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import type { ImageStore } from "../image-store.ts";
import { hostPlatform } from "../platform.ts";
import { parseNamed } from "../reference.ts";
import { dockerArchive } from "../test-support/image-builder.ts";
import { noRegistry, tool } from "../test-support/real-registry.ts";
import { tarStream } from "../test-support/tar-builder.ts";
import { layer, load, names, one, three, two, World } from "../test-support/world.ts";
import { applyChanges } from "./config-change.ts";
import { importTar } from "./import-tar.ts";
import { loadArchive } from "./load-archive.ts";
import { type SavedImage, saveImages } from "./save-images.ts";

/** Saves images of the store under names. */
async function saveTo(
  path: string,
  store: ImageStore,
  images: readonly SavedImage[],
): Promise<void> {
  await saveImages(images, store, createWriteStream(path));
}

async function loadAll(
  input: Parameters<typeof loadArchive>[0],
  store: ImageStore,
): Promise<string[]> {
  const found: string[] = [];
  await loadArchive(input, {
    store,
    onImage: ({ imageId }, name) =>
      found.push(name === undefined ? imageId : `${name.path}:${name.tag}`),
  });
  return found;
}

describe("an archive of images", () => {
  test("that nobody reads to its end fails as its output does, once", async () => {
    using world = new World();
    const layout = world.layout();
    layout.list(layout.image({ layers: [one] }), { tag: "a" });
    const store = await world.store();
    await using image = await load(`oci:${layout.path}:a`, store);
    const gone = Object.assign(new Error("write EPIPE"), { code: "EPIPE" });
    for (let readable = 0; readable < 4; readable++) {
      let written = 0;
      const output = new Writable({
        highWaterMark: 1,
        write: (_chunk, _encoding, done) => done(written++ < readable ? null : gone),
      });
      await assert.rejects(saveImages([{ image, names: [] }], store, output), { code: "EPIPE" });
    }
  });

  test("is read back whole: from a file, a stream and packed, with all names", async () => {
    using world = new World();
    const layout = world.layout();
    layout.list(layout.image({ layers: [one, two, three] }), { tag: "a" });
    layout.list(layout.image({ layers: [one, layer("four")] }), { tag: "b" });
    const store = await world.store();
    await using a = await load(`oci:${layout.path}:a`, store);
    await using b = await load(`oci:${layout.path}:b`, store);
    const path = world.path("saved.tar");
    await saveTo(path, store, [
      { image: a, names: [parseNamed("x/a:1"), parseNamed("x/a:2")] },
      { image: b, names: [] },
    ]);
    await saveTo(world.path("again.tar"), store, [
      { image: a, names: [parseNamed("x/a:1"), parseNamed("x/a:2")] },
      { image: b, names: [] },
    ]);
    assert.deepEqual(readFileSync(world.path("again.tar")), readFileSync(path));
    writeFileSync(world.path("saved.tar.gz"), gzipSync(readFileSync(path)));
    for (const [n, input] of [path, createReadStream(path), world.path("saved.tar.gz")].entries()) {
      const { ImageStore } = await import("../image-store.ts");
      const other = await ImageStore.open(world.path(`other-${n}`));
      assert.deepEqual(await loadAll(input, other), ["x/a:1", "x/a:2", b.imageId]);
      await using image = await other.hold("x/a:2");
      assert.deepEqual(image && names({ ...image, [Symbol.asyncDispose]: async () => {} }), [
        "one",
        "two",
        "three",
      ]);
      assert.equal((await other.list()).length, 3);
      assert.deepEqual(await other.prune(), { layers: [] });
    }
  });

  test("is read by skopeo as a layout and as a docker archive, and unpacked by umoci", {
    skip: noRegistry,
  }, async () => {
    using world = new World();
    const layout = world.layout();
    layout.list(layout.image({ layers: [one, two] }), { tag: "a" });
    const store = await world.store();
    await using image = await load(`oci:${layout.path}:a`, store);
    const path = world.path("saved.tar");
    await saveTo(path, store, [{ image, names: [parseNamed("x/a:v1")] }]);
    await tool(
      "skopeo",
      "copy",
      `docker-archive:${path}:x/a:v1`,
      `oci:${world.path("from-docker")}:x`,
    );
    await tool("skopeo", "copy", `oci-archive:${path}:v1`, `oci:${world.path("from-oci")}:x`);
    for (const copy of ["from-docker", "from-oci"]) {
      await tool(
        "umoci",
        "unpack",
        "--rootless",
        "--image",
        `${world.path(copy)}:x`,
        world.path(`${copy}-bundle`),
      );
      assert.deepEqual(readdirSync(world.path(`${copy}-bundle/rootfs`)).sort(), ["one", "two"]);
    }
  });

  test("of the old form and a layout's folder are read too", async () => {
    using world = new World();
    writeFileSync(world.path("old.tar"), dockerArchive({ layers: [one] }, ["x/old:1"]));
    const layout = world.layout();
    layout.list(layout.image({ layers: [two] }), { tag: "bare" });
    const store = await world.store();
    assert.deepEqual(await loadAll(world.path("old.tar"), store), ["x/old:1"]);
    const [id] = await loadAll(layout.path, store);
    assert.match(id ?? "", /^sha256:/);
    assert.deepEqual(
      (await store.list()).map(({ name }) => name),
      ["", "docker.io/x/old:1"],
    );
  });

  test("that is none is refused, and nothing of it stays", async () => {
    using world = new World();
    const store = await world.store();
    for (const bytes of [Buffer.from("no tar"), tarStream({ name: "x" }), Buffer.alloc(0)]) {
      writeFileSync(world.path("x"), bytes);
      await assert.rejects(loadAll(world.path("x"), store), { exitCode: 125 });
      await assert.rejects(loadAll(createReadStream(world.path("x")), store), { exitCode: 125 });
    }
    assert.deepEqual(readdirSync(world.path("store/tmp")), []);
  });
});

describe("an imported tar", () => {
  test("becomes an image of one layer with the changes asked for", async () => {
    using world = new World();
    const store = await world.store();
    const tar = tarStream({ name: "bin/", type: "5" }, { name: "bin/x", data: "x" });
    for (const bytes of [tar, gzipSync(tar)]) {
      await using image = await importTar(chunks(bytes), {
        store,
        platform: hostPlatform(),
        changes: ['CMD ["x","y"]', "ENV a=b"],
        message: "made",
        name: parseNamed("made:1"),
      });
      assert.deepEqual(names(image), ["bin", "bin/x"]);
      assert.deepEqual(image.config.run.cmd, ["x", "y"]);
      assert.equal(image.config.history[0]?.comment, "made");
    }
    assert.deepEqual(readdirSync(world.path("store/tmp")), []);
  });

  test("that is none is refused", async () => {
    using world = new World();
    const store = await world.store();
    const importing = importTar(chunks(Buffer.from("x".repeat(3000))), {
      store,
      platform: hostPlatform(),
      changes: [],
      message: "",
      name: undefined,
    });
    await assert.rejects(importing, { code: "LAYER_CORRUPT" });
    assert.deepEqual(readdirSync(world.path("store/tmp")), []);
  });
});

describe("changes", () => {
  test("are those of a Dockerfile", () => {
    const changed = applyChanges({ Env: ["a=1", "z=1"], Labels: { k: "v" } }, [
      "cmd echo hi",
      'ENTRYPOINT ["/e"]',
      "ENV a=2 b=\"x y\" c='$d'",
      "ENV old style value",
      "LABEL a=b k2=v2",
      "EXPOSE 80 53/udp",
      'VOLUME ["/a b"]',
      "VOLUME /c /d",
      "WORKDIR w",
      "USER u:g",
      "STOPSIGNAL SIGINT",
      "ONBUILD RUN x",
      "HEALTHCHECK --interval=1m30s --retries=3 CMD curl localhost",
    ]);
    assert.deepEqual(changed, {
      Env: ["a=2", "z=1", "b=x y", "c=$d", "old=style value"],
      Labels: { k: "v", a: "b", k2: "v2" },
      Cmd: ["/bin/sh", "-c", "echo hi"],
      Entrypoint: ["/e"],
      OnBuild: ["RUN x"],
      Healthcheck: { Test: ["CMD-SHELL", "curl localhost"], Interval: 90e9, Retries: 3 },
      ExposedPorts: { "80/tcp": {}, "53/udp": {} },
      Volumes: { "/a b": {}, "/c": {}, "/d": {} },
      WorkingDir: "/w",
      User: "u:g",
      StopSignal: "SIGINT",
    });
  });

  test("of the entrypoint take a command away that was there before", () => {
    const config = { Cmd: ["-x"], Entrypoint: ["/old"] };
    const entrypoint = 'ENTRYPOINT ["/new"]';
    assert.deepEqual(applyChanges(config, [entrypoint]), { Entrypoint: ["/new"], Cmd: [] });
    assert.deepEqual(applyChanges(config, ['CMD ["-y"]', entrypoint]).Cmd, ["-y"]);
  });

  test("of the health check are a list, a shell's text or none", () => {
    const check = (text: string) => applyChanges({}, [`HEALTHCHECK ${text}`]).Healthcheck;
    assert.deepEqual(check('--timeout=2.5s cmd ["/a","b"]'), {
      Test: ["CMD", "/a", "b"],
      Timeout: 2.5e9,
    });
    assert.deepEqual(check("none"), { Test: ["NONE"] });
  });

  const bad = ["HEALTHCHECK CMD", "HEALTHCHECK --x=1 CMD y", "HEALTHCHECK --timeout=5 CMD y"];
  for (const line of ["FROM x", "", "ENV", "ENV a", "EXPOSE x", "LABEL =x", ...bad]) {
    test(`are refused when they are like ${JSON.stringify(line)}`, () => {
      assert.throws(() => applyChanges({}, [line]), { code: "CHANGE_INVALID" });
    });
  }
});

async function* chunks(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 700) yield bytes.subarray(at, at + 700);
}
