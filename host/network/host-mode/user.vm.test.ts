import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { HOST, isForUser, Lab, OUTSIDE, until } from "../test-lab.ts";

/** Nobody in particular. */
const USER = 41_000;
const get = (host: string) =>
  `(printf 'GET / HTTP/1.0\\r\\n\\r\\n'; sleep 1) | nc -w 2 ${host} 80 2>&1 | tail -n 1`;

describe("a user who is not root", { skip: !isForUser(USER) }, () => {
  const lab = new Lab({ uid: USER });
  after(() => lab[Symbol.asyncDispose]());

  it("has the host's network, with ports that are not root's", async () => {
    const box = await lab.container(["--network", "host", "busybox", "sh"]);
    assert.match(await box.sh("ip -4 addr show eth0"), new RegExp(`${HOST}/24`));
    assert.match(await box.sh(get(OUTSIDE)), new RegExp(HOST));
    await box.sh("mkdir /w; echo guest > /w/index.html; httpd -p 8080 -h /w; httpd -p 80 -h /w");
    await until(() => lab.curl(lab.outside, `http://${HOST}:8080/`) === "guest\n");
    assert.equal(lab.curl(lab.outside, `http://${HOST}/`), "");
    await box.end();
    await until(() => lab.processes(/passt|net-filter/).length === 0);
  });

  it("has a network by default, and is told what needs root", async () => {
    const box = await lab.container(["-p", "8080:80", "busybox", "sh"]);
    await box.sh("mkdir /w; echo guest > /w/index.html; httpd -p 80 -h /w");
    assert.equal(lab.curl(lab.outside, `http://${HOST}:8080/`), "guest\n");
    await box.end();
    const bridge = await lab.dvm(["run", "--rm", "--network", "bridge", "busybox", "true"]);
    assert.match(bridge.err, /a bridge network needs root\n.*--network user needs no privilege/);
    const low = await lab.dvm(["run", "--rm", "-p", "80:80", "busybox", "true"]);
    assert.match(low.err, /port .*80.* (is for root alone|may not be published by this user)/);
    assert.equal((await lab.dvm(["network", "create", "red"])).code, 0);
    const started = ["run", "-d", "--name", "kept", "busybox", "sleep", "600"];
    assert.equal((await lab.dvm(started)).code, 0);
    const joined = await lab.dvm(["network", "connect", "red", "kept"]);
    assert.match(joined.err, /several networks are supported for bridges only/);
    assert.equal((await lab.dvm(["rm", "-f", "kept"])).code, 0);
  });
});
