import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, describe, it } from "node:test";
import { HOST, Lab, OUTSIDE, until } from "../test-lab.ts";

const get = (host: string, port = 80) =>
  `(printf 'GET / HTTP/1.0\\r\\n\\r\\n'; sleep 1) | nc -w 2 ${host} ${port} 2>&1 | tail -n 1`;
const serve = (port: number) =>
  `mkdir -p /w/cgi-bin; printf '#!/bin/sh\\necho; echo $REMOTE_ADDR\\n' > /w/cgi-bin/who; chmod +x /w/cgi-bin/who; httpd -p ${port} -h /w`;

const lab = new Lab();
after(() => lab[Symbol.asyncDispose]());

const asks = (port: number) => lab.curl(lab.outside, `http://${HOST}:${port}/cgi-bin/who`);

describe("--network host", () => {
  it("shares the host's address, and has its ports for as long as it listens", async () => {
    const box = await lab.container(["--network", "host", "busybox", "sh"]);
    assert.match(await box.sh("ip -4 addr show eth0"), new RegExp(`${HOST}/24`));
    // asked as the host
    assert.match(await box.sh(get(OUTSIDE)), new RegExp(HOST));
    assert.match(await box.sh("nslookup some.name"), new RegExp(OUTSIDE));
    await box.sh(serve(8080));
    // the client is seen as who it is
    await until(() => asks(8080).includes(OUTSIDE));
    assert.match((await lab.dvm(["ps"])).out, /0\.0\.0\.0:8080->8080/);
    await box.sh(serve(8081));
    await until(() => asks(8081).includes(OUTSIDE));
    await box.sh("kill $(pidof httpd)");
    await until(() => !/:808[01]/.test(lab.inHostSync(["ss", "-ltn"])));
    await box.end();
    await until(() => lab.processes(/passt|net-filter/).length === 0);
  });

  it("leaves the host its own ports, and reaches its loopback services by their name", async () => {
    const script = `require("node:http").createServer((q, a) => a.end("host\\n")).listen(8090, "127.0.0.1")`;
    const args = ["netns", "exec", lab.host, process.execPath, "-e", script];
    const server = spawn("ip", args, { stdio: "ignore" });
    try {
      await until(() => lab.curl(lab.host, "http://127.0.0.1:8090/") === "host\n");
      const box = await lab.container(["--network", "host", "busybox", "sh"]);
      assert.equal(await box.sh(get("host.docker.internal", 8090)), "host\n");
      await box.sh(serve(8090));
      await box.sh(serve(8091));
      await until(() => asks(8091).includes(OUTSIDE));
      assert.equal(lab.curl(lab.host, "http://127.0.0.1:8090/"), "host\n");
      await box.end();
    } finally {
      server.kill("SIGKILL");
    }
  });

  it("keeps its ports when the daemon is another", async () => {
    const box = await lab.dvm([
      ...["run", "-d", "--name", "kept", "--network", "host"],
      ...["busybox", "sh", "-c", `${serve(8080)}; sleep 1000`],
    ]);
    assert.equal(box.code, 0, box.err);
    await until(() => asks(8080).includes(OUTSIDE));
    for (const pid of lab.processes(/dvmd/)) process.kill(pid, "SIGKILL");
    await lab.dvm(["ps"]);
    assert.match(asks(8080), new RegExp(OUTSIDE));
    await lab.dvm(["exec", "-d", "kept", "httpd", "-p", "8082", "-h", "/w"]);
    await until(() => asks(8082).includes(OUTSIDE));
    await lab.dvm(["rm", "-f", "kept"]);
    assert.equal(asks(8080), "");
    await until(() => lab.processes(/passt|net-filter/).length === 0);
  });

  it("refuses what the mode has not", async () => {
    const refused = async (...words: string[]) =>
      (await lab.dvm(["run", "--rm", "--network", "host", ...words, "busybox", "true"])).err;
    assert.match(
      await refused("--mac-address", "02:00:00:00:00:01"),
      /conflicting options: mac-address and the network mode/,
    );
    assert.match(await refused("--ip", "10.0.0.1"), /user-defined networks only/);
    assert.match(
      await refused("--network", "bridge"),
      /several networks are supported for bridges only/,
    );
  });
});
