/** buildah as the other client: what it makes comes in by every way it has, and it takes what goes out. */
import assert from "node:assert/strict";
import { createWriteStream, mkdirSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { loadArchive } from "../archive/load-archive.ts";
import { saveImages } from "../archive/save-images.ts";
import { parseNamed } from "../reference.ts";
import { isInstalled, noRegistry, startRegistry, tool } from "../test-support/real-registry.ts";
import { pullInto, testSession } from "../test-support/registry-world.ts";
import { load, names, World } from "../test-support/world.ts";
import { pushImage } from "./push-image.ts";

const skip = noRegistry || (!isInstalled("buildah") && "buildah is not installed");

/** buildah with a storage of the test's own. */
function buildahIn(world: World): (...args: readonly string[]) => Promise<string> {
  const storage = [
    "--storage-driver",
    "vfs",
    "--root",
    world.path("b"),
    "--runroot",
    world.path("r"),
  ];
  return async (...args) => (await tool("buildah", ...storage, ...args)).trim();
}

describe("an image that buildah built", { skip }, () => {
  test("is loaded from its archives and layouts and pulled from a registry, always the same", async () => {
    using world = new World();
    await using registry = await startRegistry(world.path("registry"));
    const buildah = buildahIn(world);
    mkdirSync(world.path("files/bin"), { recursive: true });
    writeFileSync(world.path("files/bin/greeting"), "hello\n");
    const container = await buildah("from", "scratch");
    await buildah("add", container, world.path("files"), "/");
    await buildah("config", "--cmd", "cat /bin/greeting", "--env", "A=b", "--user", "7", container);
    const id = await buildah("commit", "--quiet", container, "built:1");
    const name = `${registry.host}/built:1`;
    const targets = [
      `docker-archive:${world.path("docker.tar")}:built:1`,
      `oci-archive:${world.path("oci.tar")}:1`,
      `oci:${world.path("oci")}:1`,
      `docker://${name}`,
    ];
    for (const target of targets)
      await buildah("push", "--quiet", "--tls-verify=false", "built:1", target);
    const store = await world.store();
    await using session = testSession();
    const images = [
      await load(`docker-archive:${world.path("docker.tar")}`, store),
      await load(`oci-archive:${world.path("oci.tar")}`, store),
      await load(`oci:${world.path("oci")}:1`, store),
      await pullInto(store, name, session),
    ];
    for (const image of images) {
      assert.deepEqual(names(image), ["bin", "bin/greeting"]);
      assert.deepEqual(image.config.run.env, ["A=b"]);
      assert.deepEqual(image.config.run.user, "7");
      await image[Symbol.asyncDispose]();
    }
    // A docker archive has a config of its own form, the others have the one that buildah names.
    const ids = images.slice(1).map(({ imageId }) => imageId);
    assert.deepEqual([...new Set(ids)], [`sha256:${id}`]);
  });

  test("is taken back from a registry and from an archive, and built upon", async () => {
    using world = new World();
    await using registry = await startRegistry(world.path("registry"));
    const buildah = buildahIn(world);
    writeFileSync(world.path("file"), "one\n");
    const container = await buildah("from", "scratch");
    await buildah("add", container, world.path("file"), "/one");
    await buildah("commit", "--quiet", container, `oci-archive:${world.path("first.tar")}`);
    const store = await world.store();
    await using session = testSession();
    const reference = parseNamed(`${registry.host}/ours:1`);
    {
      await using image = await load(`oci-archive:${world.path("first.tar")}`, store);
      await pushImage(image, { store, session, reference, onEvent: () => {} });
      await saveImages(
        [{ image, names: [parseNamed("localhost/saved:1")] }],
        store,
        createWriteStream(world.path("saved.tar")),
      );
    }
    await buildah("pull", "--quiet", `docker-archive:${world.path("saved.tar")}`);
    const next = await buildah("from", "--tls-verify=false", `docker://${registry.host}/ours:1`);
    await buildah("add", next, world.path("file"), "/two");
    await buildah("commit", "--quiet", next, `docker-archive:${world.path("next.tar")}:next:1`);
    const loaded: string[][] = [];
    await loadArchive(world.path("next.tar"), {
      store,
      onImage: (image) => loaded.push(names(image)),
    });
    assert.deepEqual(loaded, [["one", "two"]]);
  });
});
