import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type TestServer, testServer } from "../api/server/test-server.ts";
import { callCli } from "./test-cli.ts";

/** A server, and dvm over it. */
async function world() {
  const server = await testServer();
  const dvm = (words: string, input?: string) => callCli(server, words.split(" "), input);
  return { server, dvm, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

function only(server: TestServer) {
  const [kept] = server.engine.kept.values();
  assert.ok(kept);
  return kept;
}

describe("dvm create", () => {
  it("prints the id alone and hands the configuration on", async () => {
    await using here = await world();
    const { out, code } = await here.dvm(
      "create --name web -i -e HERE -e A=b --restart on-failure:3 -l k=v --health-cmd true busybox cat x",
    );
    assert.match(out, /^[0-9a-f]{64}\n$/);
    assert.equal(code, 0);
    const { config } = only(here.server).view;
    assert.deepEqual(config.env, ["HERE=given", "A=b"]);
    assert.deepEqual(config.command, ["cat", "x"]);
    assert.deepEqual(config.restartPolicy, { name: "on-failure", maximumRetryCount: 3 });
    assert.deepEqual(config.labels, { k: "v" });
    assert.deepEqual(config.healthcheck?.test, ["CMD-SHELL", "true"]);
    assert.equal(config.stdinOnce, true);
  });

  for (const [words, message] of [
    ["create --rm --restart always busybox", /cannot specify both --restart and --rm/],
    ["create --restart sometimes busybox", /unknown policy 'sometimes'/],
    ["create --no-healthcheck --health-cmd x busybox", /--no-healthcheck conflicts/],
    ["create --health-interval 3 busybox", /invalid duration "3"/],
    ["create --detach busybox", /^unknown flag: --detach/],
    ["create", /requires at least 1 argument/],
    ["create nothing", /^dvm: No such image: nothing/im],
  ] as const)
    it(`refuses: dvm ${words}`, async () => {
      await using here = await world();
      const { err, code } = await here.dvm(words);
      assert.match(err, message);
      assert.notEqual(code, 0);
      assert.equal(here.server.engine.kept.size, 0);
    });
});

describe("dvm start", () => {
  it("starts several, and tells what failed", async () => {
    await using here = await world();
    await here.dvm("create --name a busybox sleep");
    await here.dvm("create --name b busybox sleep");
    const result = await here.dvm("start a nobody b");
    assert.deepEqual([result.code, result.out], [1, "a\nb\n"]);
    assert.match(result.err, /^dvm: No such container: nobody\n/i);
  });

  it("with -a has the process's output, and its exit code", async () => {
    await using here = await world();
    await here.dvm("create --name a busybox warn careful");
    assert.deepEqual(await here.dvm("start -a a"), { code: 0, out: "", err: "careful\n" });
    await here.dvm("create --name b busybox exit 7");
    assert.equal((await here.dvm("start -a b")).code, 7);
    await here.dvm("create -i --name c busybox cat");
    assert.equal((await here.dvm("start -ai c", "some input")).out, "some input");
  });
});

describe("a container's verbs", () => {
  it("print what they were given and do it", async () => {
    await using here = await world();
    await here.dvm("create --name a busybox sleep");
    await here.dvm("start a");
    const state = () => only(here.server).view.state.status;
    assert.equal((await here.dvm("pause a")).out, "a\n");
    assert.equal(state(), "paused");
    assert.equal((await here.dvm("unpause a")).out, "a\n");
    assert.equal(state(), "running");
    assert.equal((await here.dvm("rename a b")).code, 0);
    assert.equal((await here.dvm("kill -s USR1 b")).out, "b\n");
    assert.equal((await here.dvm("wait b")).out, `${128 + 10}\n`);
    await here.dvm("start b");
    assert.equal((await here.dvm("stop -t 1 -s INT b")).out, "b\n");
    assert.equal((await here.dvm("wait b")).out, `${128 + 2}\n`);
    assert.equal((await here.dvm("rm b")).out, "b\n");
    assert.equal(here.server.engine.kept.size, 0);
  });

  it("go by their long names too", async () => {
    await using here = await world();
    await here.dvm("container create --name a busybox sleep");
    assert.equal((await here.dvm("container ls -aq --no-trunc")).out.length, 65);
    assert.equal((await here.dvm("container ps -aq")).out.length, 13);
    const unknown = await here.dvm("container dance a");
    assert.deepEqual(
      [unknown.code, unknown.err.split("\n")[0]],
      [1, "dvm: unknown command: dvm container dance"],
    );
    assert.match((await here.dvm("container stop --help")).out, /^Usage: {2}dvm container stop \[/);
  });

  for (const [words, message] of [
    ["stop", /'dvm stop' requires at least 1 argument/],
    ["kill -s NOPE a", /invalid signal: NOPE/],
    ["rename a", /'dvm rename' requires 2 arguments/],
    ["ps x", /'dvm ps' accepts no arguments/],
    ["ps -f name", /invalid filter: it must be of the form KEY=VALUE/],
    ["rm -l a", /--link is not supported/],
    ["attach --detach-keys ctrl-1 a", /invalid detach keys/],
    ["exec a", /'dvm exec' requires at least 2 arguments/],
    ["update a", /you must provide one or more flags/],
    ["logs", /'dvm logs' requires 1 argument/],
    ["cp a b", /must specify at least one container source/],
    ["cp a:/x b:/y", /copying between containers is not supported/],
    ["inspect --type volumes a", /must be one of container, image, network, volume/],
  ] as const)
    it(`refuse: dvm ${words}`, async () => {
      await using here = await world();
      const { err, code } = await here.dvm(words);
      assert.match(err, message);
      assert.notEqual(code, 0);
    });
});

describe("dvm ps", () => {
  it("shows Docker's table, by filters, sizes and templates", async () => {
    await using here = await world();
    await here.dvm("create --name a -l tier=front busybox echo with many words in it");
    await here.dvm("create --name b busybox sleep");
    await here.dvm("start b");
    const { out } = await here.dvm("ps -a");
    assert.match(
      out,
      /^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES\n[0-9a-f]{12} +busybox +"sleep" .*Up .* b\n[0-9a-f]{12} +busybox +"echo with many word…" +.* ago +Created +a\n$/,
    );
    assert.equal((await here.dvm("ps --format {{.Names}}")).out, "b\n");
    assert.equal((await here.dvm("ps -a -f name=a --format {{.Names}}")).out, "a\n");
    const label = ["ps", "-a", "--format", '{{.Label "tier"}}'];
    assert.equal((await callCli(here.server, label)).out, "\nfront\n");
    assert.equal((await here.dvm("ps -l --format {{.Names}}")).out, "b\n");
    assert.match((await here.dvm("ps -as --format {{.Size}}")).out, /^1kB \(virtual 5kB\)\n/);
    assert.equal(JSON.parse((await here.dvm("ps --format json")).out).State, "running");
  });
});

describe("dvm inspect", () => {
  it("shows containers, by templates too, and tells what is not there", async () => {
    await using here = await world();
    await here.dvm("create --name a busybox echo");
    const { out } = await here.dvm("inspect --type container a");
    assert.equal(JSON.parse(out)[0].Name, "/a");
    const { out: status } = await here.dvm("container inspect -f {{.State.Status}}:{{.Name}} a");
    assert.equal(status, "created:/a\n");
    const missing = await here.dvm("container inspect -f {{.Id}} nobody");
    assert.deepEqual([missing.code, missing.out], [1, ""]);
  });
});

describe("dvm logs, exec, attach", () => {
  it("keep the streams apart and hand exit codes on", async () => {
    await using here = await world();
    await here.dvm("create --name a busybox warn careful");
    await here.dvm("start -a a");
    assert.deepEqual(await here.dvm("logs a"), { code: 0, out: "", err: "careful\n" });
    assert.match((await here.dvm("logs -t -n 1 a")).err, /^\d{4}-.*Z careful\n$/);
    await here.dvm("create --name b busybox sleep");
    await here.dvm("start b");
    assert.deepEqual(await here.dvm("exec b echo hi"), { code: 0, out: "hi\n", err: "" });
    assert.equal((await here.dvm("exec b exit 9")).code, 9);
    assert.equal((await here.dvm("exec -i b cat", "typed")).out, "typed");
    assert.equal((await here.dvm("exec -d b echo hi")).out, "");
    assert.match((await here.dvm("exec -it b cat")).err, /the input device is not a TTY/);
    assert.match((await here.dvm("attach a")).err, /cannot attach to a stopped container/);
    const attached = here.dvm("attach --no-stdin b");
    while (here.server.engine.held.attachments === 0) await new Promise(setImmediate);
    await here.dvm("kill b");
    assert.equal((await attached).code, 137);
  });
});

describe("dvm cp", () => {
  it("carries files in, and streams both ways", async () => {
    await using here = await world();
    const folder = mkdtempSync(join(tmpdir(), "dvm-cp-"));
    try {
      await here.dvm("create --name a busybox echo");
      writeFileSync(join(folder, "file"), "content");
      assert.deepEqual(await here.dvm(`cp ${folder}/file a:/name`), { code: 0, out: "", err: "" });
      const [tar] = here.server.engine.written.values();
      assert.match(tar?.toString("latin1") ?? "", /^name\0/);
      assert.equal((await here.dvm("cp - a:/stream", "a tar")).code, 0);
      assert.equal(here.server.engine.written.get("/stream")?.toString(), "a tar");
      assert.equal((await here.dvm("cp a:/etc -")).out, "tar");
      const { err, code } = await here.dvm(`cp ${folder}/none a:/`);
      assert.match(err, /no such file or directory: /);
      assert.equal(code, 1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("other commands over the daemon", () => {
  it("show what they are asked for", async () => {
    await using here = await world();
    await here.dvm("create --name a busybox sleep");
    await here.dvm("start a");
    assert.equal((await here.dvm("top a")).out, "PID   CMD\n1     sh\n");
    assert.equal((await here.dvm("diff a")).out, "A /new\n");
    assert.equal((await here.dvm("export a")).out, "export");
    assert.equal((await here.dvm("port a")).out, "");
    const stats = (await here.dvm("stats --no-stream --format {{.Name}}:{{.MemUsage}}:{{.PIDs}}"))
      .out;
    assert.equal(stats, "a:1.907MiB / 95.37MiB:3\n");
    assert.match((await here.dvm("info")).out, /^Server:\n Containers: 1\n {2}Running: 1\n/);
    assert.equal((await here.dvm("info -f {{.ServerVersion}}")).out, "0.1.0\n");
    await here.dvm("kill a");
    const { out } = await here.dvm("container prune -f");
    assert.match(out, /^Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: 1kB\n$/);
  });

  it("export to a file that is there when it is whole", async () => {
    await using here = await world();
    const folder = mkdtempSync(join(tmpdir(), "dvm-export-"));
    try {
      await here.dvm("create --name a busybox sleep");
      await here.dvm(`export -o ${folder}/tar a`);
      assert.equal(readFileSync(join(folder, "tar"), "utf8"), "export");
      assert.match(
        (await here.dvm(`export -o ${folder}/no/tar a`)).err,
        /no such file or directory/,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("tell events, as text and by templates", async () => {
    await using here = await world();
    const text = callCli(here.server, ["events", "--until", "2s"]);
    const json = callCli(here.server, ["events", "--format", "{{.Action}} {{.TimeNano}}"]);
    while (here.server.engine.happened.listenerCount("event") < 1) await new Promise(setImmediate);
    await here.dvm("create --name a busybox sleep");
    await here.server[Symbol.asyncDispose]();
    await Promise.allSettled([text, json]);
    const { out } = await json;
    assert.equal(out, "create 1700000000123456789\n");
  });
});

describe("dvm __complete", () => {
  for (const [words, wanted] of [
    [["ru"], ["run"]],
    [
      ["container", "st"],
      ["start", "stats", "stop"],
    ],
    [["stop", "--ti"], ["--timeout"]],
    [["stop", ""], ["web"]],
    [["stop", "--signal", ""], []],
    [["cp", "w"], ["web:"]],
    [["cp", "x"], []],
    [["completion", "z"], ["zsh"]],
    [["nonsense", ""], []],
  ] as const)
    it(`of ${JSON.stringify(words)} says ${wanted.join(", ") || "nothing"}`, async () => {
      await using here = await world();
      await here.dvm("create --name web busybox sleep");
      const { out } = await callCli(here.server, ["__complete", ...words]);
      assert.deepEqual(
        out
          .split("\n")
          .slice(0, -1)
          .map((line) => line.split("\t")[0]),
        wanted,
      );
    });

  for (const shell of ["bash", "zsh", "fish"])
    it(`is what the script of ${shell} asks`, async () => {
      await using here = await world();
      assert.match((await here.dvm(`completion ${shell}`)).out, /__complete/);
    });
});
