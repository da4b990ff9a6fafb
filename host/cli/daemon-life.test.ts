import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { daemonPlaces } from "../api/server/daemon-places.ts";
import { TestUser, until } from "./test-dvm.ts";

describe("the daemon of the command line", () => {
  it("is started by the first command, is the next one's too, and is replaced when it was killed", async () => {
    using user = new TestUser();
    assert.equal(user.daemon, undefined);
    const [one, two] = await Promise.all([user.dvm(["ps", "-q"]), user.dvm(["ps", "-q"])]);
    assert.deepEqual([one, two], Array(2).fill({ code: 0, out: "", err: "" }));
    const { daemon } = user;
    assert.ok(daemon);
    await user.dvm(["ps"]);
    assert.equal(user.daemon, daemon);
    process.kill(daemon, "SIGKILL");
    assert.equal((await user.dvm(["ps"])).code, 0);
    assert.notEqual(user.daemon, daemon);
  });

  it("ends by itself when nobody has needed it for a while", async () => {
    using user = new TestUser({ DVM_IDLE_TIMEOUT: "0.2" });
    assert.equal((await user.dvm(["ps"])).code, 0);
    await until("the end", () => user.daemon === undefined);
    const { socket } = daemonPlaces({ dataRoot: user.dataRoot }, {});
    assert.equal(existsSync(socket), false);
    assert.equal((await user.dvm(["ps"])).code, 0);
  });

  it("is another's with --host, and then has to be there", async () => {
    using user = new TestUser();
    await user.dvm(["ps"]);
    const { socket } = daemonPlaces({ dataRoot: user.dataRoot }, {});
    using elsewhere = new TestUser({ DVM_HOST: `unix://${socket}` });
    const info = await elsewhere.dvm(["info", "-f", "{{.DockerRootDir}}"]);
    assert.equal(info.out, `${user.dataRoot}\n`);
    assert.equal(elsewhere.daemon, undefined);
    const { err, code } = await user.dvm(["-H", "unix:///nowhere.sock", "ps"]);
    assert.match(err, /^dvm: cannot reach dvmd at \/nowhere\.sock: /);
    assert.equal(code, 1);
  });

  it("that cannot be started says why in one message", async () => {
    using user = new TestUser({ DVM_DATA_ROOT: "/proc/none" });
    const { err, code } = await user.dvm(["ps"]);
    assert.match(err, /^dvm: cannot make \/proc\/none: .*\n {2}hint: /);
    assert.equal(code, 1);
  });
});
