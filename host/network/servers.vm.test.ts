import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { after, describe, it } from "node:test";
import { promisify } from "node:util";
import { HOST, Lab, OUTSIDE, until } from "./test-lab.ts";

/** Connections that nginx is asked by; all of them at night. */
const CONNECTIONS = process.env.DVM_NIGHTLY ? 10_000 : 300;
const AT_ONCE = 40;
const NGINX = "nginx && echo up";

// no machine that waits for a container has files open in the daemon
process.env.DVM_POOL = "0";
const lab = new Lab();
after(() => lab[Symbol.asyncDispose]());

/** Each by a connection of its own. @returns how often which status came */
async function ask(url: string, count: number): Promise<Readonly<Record<string, number>>> {
  const curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}\n", "-H", "Connection: close"];
  const parallel = ["-m", "60", "-Z", "--parallel-max", String(AT_ONCE), `${url}?[1-${count}]`];
  const { stdout } = await promisify(execFile)(
    "ip",
    ["netns", "exec", lab.outside, ...curl, ...parallel],
    { maxBuffer: 2 ** 24 },
  );
  const codes: Record<string, number> = {};
  for (const code of stdout.trim().split("\n")) codes[code] = (codes[code] ?? 0) + 1;
  return codes;
}

/** Open files of the daemon. */
function descriptors(): number {
  const [pid = 0] = lab.processes(/dvmd/);
  return readdirSync(`/proc/${pid}/fd`).length;
}

describe("servers of Debian's", () => {
  for (const network of ["bridge", "user"]) {
    it(`answer ${CONNECTIONS} connections through a published port by --network ${network}, each from who it is`, async () => {
      // the daemon is there then, and has what every container needs, and what waits for the next one
      await lab.dvm(["run", "--rm", "--network", network, "servers", "sleep", "2"]);
      const before = descriptors();
      const box = await lab.container(["--network", network, "-p", "8080:80", "servers", "sh"]);
      assert.match(await box.sh(NGINX), /up/);
      await until(() => lab.curl(lab.outside, `http://${HOST}:8080/`) !== "");
      assert.deepEqual(await ask(`http://${HOST}:8080/`, CONNECTIONS), { 200: CONNECTIONS });
      const clients = await box.sh("cut -d' ' -f1 /var/log/nginx/access.log | sort | uniq -c");
      assert.match(clients.trim(), new RegExp(`^${CONNECTIONS + 1} ${OUTSIDE}$`));
      await box.end();
      await until(() => descriptors() <= before);
    });
  }

  it("find each other by name in a network of their own, and carry what they are given", async () => {
    assert.equal((await lab.dvm(["network", "create", "own"])).code, 0);
    const [store, asker] = await Promise.all([
      lab.container(["--network", "own", "--name", "store", "servers", "sh"]),
      lab.container(["--network", "own", "--name", "asker", "servers", "sh"]),
    ]);
    await store.sh("redis-server --daemonize yes --bind 0.0.0.0 --protected-mode no >/dev/null");
    await store.sh("iperf3 -s -D");
    const set =
      "until redis-cli -h store ping >/dev/null 2>&1; do sleep 0.2; done; redis-cli -h store set a 1";
    assert.equal(await asker.sh(set), "OK\n");
    const many = `for i in $(seq 1000); do echo "incr n"; done | redis-cli -h store >/dev/null; redis-cli -h store get n`;
    assert.equal(await asker.sh(many), "1000\n");
    const { end } = JSON.parse(await asker.sh("iperf3 -c store -n 16M -J"));
    // iperf3 ends its count when it has sent all: what is under way then is not in the receiver's sum
    assert.ok(end.sum_sent.bytes >= 16 * 2 ** 20, JSON.stringify(end.sum_sent));
    assert.ok(end.sum_received.bytes >= 2 ** 20, JSON.stringify(end.sum_received));
    const back = JSON.parse(await asker.sh("iperf3 -c store -n 16M -R -J"));
    assert.ok(back.end.sum_received.bytes >= 2 ** 20, JSON.stringify(back.end.sum_received));
    await Promise.all([store.end(), asker.end()]);
    assert.deepEqual(await lab.leftovers(), []);
  });
});
