import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { PassThrough, type Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { describe, test } from "node:test";
import { DaemonClient } from "../api/client/daemon-client.ts";
import { HttpConnection } from "../api/client/http-connection.ts";
import { testEngine } from "../engine/test-engine.ts";
import { dockerArchive } from "../image/test-support/image-builder.ts";
import { tarStream } from "../image/test-support/tar-builder.ts";
import { one, two, World } from "../image/test-support/world.ts";
import { runCli } from "./run-cli.ts";
import { testDaemon } from "./test-daemon.ts";

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly bytes: Buffer;
}

/** Calls dvm with a daemon over a data root of the test's own. */
async function dvm(
  world: World,
  words: readonly string[],
  input: Readable | Buffer = Buffer.alloc(0),
): Promise<Result> {
  using engine = testEngine();
  const paths = { ...engine.options.paths, dataRoot: world.path("data") };
  await using daemon = await testDaemon({ ...engine, options: { ...engine.options, paths } });
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  if (Buffer.isBuffer(input)) stdin.end(input);
  const output = Promise.all([buffer(stdout), buffer(stderr)]);
  const streams = { stdin, stdout, stderr, environment: {} };
  const code = await runCli(words, streams, {
    openDaemon: async () => new DaemonClient(new HttpConnection(daemon.path)),
  });
  stdout.end();
  stderr.end();
  const [bytes, err] = await output;
  return { code, out: bytes.toString(), err: err.toString(), bytes };
}

/** A data root with the image `x/box:1`. */
async function loaded(world: World): Promise<string> {
  const archive = dockerArchive(
    { layers: [one, two], config: { created: "2020-01-02T03:04:05Z" } },
    ["x/box:1"],
  );
  const { out, err, code } = await dvm(world, ["load", "-q"], archive);
  assert.deepEqual([out, err, code], ["Loaded image: x/box:1\n", "", 0]);
  return (await dvm(world, ["images", "-q", "--no-trunc"])).out.trim();
}

describe("image commands", () => {
  test("list, tag, inspect and remove as Docker's do", async () => {
    using world = new World();
    const id = await loaded(world);
    await dvm(world, ["tag", "x/box:1", "localhost:5000/other"]);
    const { out } = await dvm(world, [
      "images",
      "--format",
      "{{.Repository}} {{.Tag}} {{.ID}} {{.Size}} {{.CreatedAt}}",
    ]);
    const short = id.slice(7, 19);
    const line = (name: string) => `${name} ${short} 8.19kB 2020-01-02 03:04:05 +0000 UTC\n`;
    assert.equal(out, line("x/box 1") + line("localhost:5000/other latest"));
    assert.match(
      (await dvm(world, ["images", "x/box"])).out,
      /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE\nx\/box +1 +\w{12} +\d+ years ago +8\.19kB\n$/,
    );
    assert.equal((await dvm(world, ["images", "-q", "-f", "reference=x/*"])).out, `${short}\n`);
    assert.equal((await dvm(world, ["images", "-q", "-f", "dangling=true"])).out, "");
    const inspected = JSON.parse((await dvm(world, ["image", "inspect", "x/box:1"])).out);
    assert.equal(inspected[0].Id, id);
    assert.deepEqual(inspected[0].RepoTags, ["x/box:1", "localhost:5000/other:latest"]);
    assert.equal((await dvm(world, ["rmi", "x/box:1"])).out, "Untagged: x/box:1\n");
    assert.match(
      (await dvm(world, ["image", "rm", "localhost:5000/other"])).out,
      /^Untagged: localhost:5000\/other:latest\nDeleted: sha256:/,
    );
    assert.equal((await dvm(world, ["images", "-q"])).out, "");
  });

  test("save to a stream what load reads, and import makes an image", async () => {
    using world = new World();
    const id = await loaded(world);
    const saved = await dvm(world, ["save", "x/box:1"]);
    await dvm(world, ["rmi", "x/box:1"]);
    assert.equal((await dvm(world, ["load"], saved.bytes)).out, "Loaded image: x/box:1\n");
    assert.equal((await dvm(world, ["images", "-q", "--no-trunc"])).out, `${id}\n`);
    const tar = world.path("root.tar");
    writeFileSync(tar, tarStream({ name: "x" }));
    const made = await dvm(world, ["import", "-c", "CMD x", tar, "made"]);
    assert.match(made.out, /^sha256:[0-9a-f]{64}\n$/);
    assert.equal(
      (await dvm(world, ["image", "inspect", "-f", "{{json .Config.Cmd}}", "made"])).out,
      '["/bin/sh","-c","x"]\n',
    );
    assert.match((await dvm(world, ["history", "made"])).out, /<missing>|Imported from/);
    assert.match(
      (await dvm(world, ["system", "df"])).out,
      /^Images +2 +0 +8\.19kB +8\.19kB \(100%\)$/m,
    );
    assert.match(
      (await dvm(world, ["image", "prune", "-a", "-f"])).out,
      /untagged: made:latest\n[\s\S]*Total reclaimed space: 8\.19kB\n$/,
    );
  });

  for (const [words, code, err] of [
    [["rmi", "nothing"], 1, /^dvm: No such image: nothing\n/],
    [["rmi", "-f", "nothing"], 0, /No such image/],
    [["image", "inspect", "nothing"], 1, /No such image: nothing:latest/],
    [["tag", "nothing", "x"], 1, /No such image/],
    [["tag", "x"], 1, /requires 2 arguments/],
    [["pull", "UPPER"], 1, /must be lowercase/],
    [["pull", "127.0.0.1:1/x"], 1, /cannot connect to registry 127\.0\.0\.1:1: ECONNREFUSED/],
    [["pull", "-a", "x:y"], 1, /tag can't be used with --all-tags/],
    [["push", "x/nothing"], 1, /does not exist locally with the tag: x\/nothing:latest/],
    [["save", "nothing"], 1, /No such image/],
    [["load", "-i", "/nonexistent"], 1, /open \/nonexistent: no such file/],
    [["import", "/nonexistent"], 1, /nonexistent/],
    [["images", "-f", "color=red"], 1, /invalid filter 'color'/],
    [["images", "--format", "{{range .}}"], 1, /without \{\{end\}\}/],
    [["image", "nonsense"], 1, /unknown command: dvm image nonsense/],
    [["login", "-u", "a", "127.0.0.1:1"], 1, /non TTY/],
    [["login", "--password-stdin", "127.0.0.1:1"], 1, /Must provide --username/],
  ] as const) {
    test(`${words.join(" ")} ends with ${code} and says why`, async () => {
      using world = new World();
      const result = await dvm(world, words);
      assert.match(result.err, err);
      assert.equal(result.code, code);
    });
  }
});
