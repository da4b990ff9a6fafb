import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import {
  ELSEWHERE,
  HOST,
  Lab,
  type LabContainer,
  METADATA,
  OUTSIDE,
  PRIVATE,
  until,
} from "./test-lab.ts";

const WEB = "mkdir -p /w; echo guest > /w/index.html; httpd -p 80 -h /w";
/** What the web server says, or nothing. */
const get = (host: string, port = 80) =>
  `(printf 'GET / HTTP/1.0\\r\\n\\r\\n'; sleep 1) | nc -w 2 ${host} ${port} 2>/dev/null | tail -n 1`;
const ping = (address: string) => `ping -c 1 -W 2 ${address} >/dev/null 2>&1; echo $?`;

const lab = new Lab();
after(() => lab[Symbol.asyncDispose]());

async function reaches(box: LabContainer, host: string, port?: number): Promise<boolean> {
  return (await box.sh(get(host, port))).trim() !== "";
}

/** The events of a kind so far, as JSON. */
async function denied(): Promise<string> {
  const { out } = await lab.dvm([
    ...["events", "--since", "1h", "--until", "0s", "--filter", "event=egress_denied"],
    ...["--format", "{{json .Actor.Attributes}}"],
  ]);
  return out;
}

describe("--egress", () => {
  it("allow lets names, addresses and ranges through, and nothing else", async () => {
    const box = await lab.container([
      ...[
        "--network",
        "bridge",
        "--egress",
        `allow=www.test:80,brief.test,${METADATA}:81,10.98.0.0/16`,
      ],
      ...["--cap-add", "NET_ADMIN", "busybox", "sh"],
    ]);
    // not yet pinned
    assert.equal(await reaches(box, OUTSIDE), false);
    assert.equal(await reaches(box, "www.test"), true);
    assert.equal(await reaches(box, OUTSIDE), true);
    assert.equal(await reaches(box, OUTSIDE, 53), false);
    assert.notEqual(await box.sh(ping(OUTSIDE)), "0\n");
    for (const address of [PRIVATE, METADATA, HOST]) {
      assert.equal(await reaches(box, address), false, address);
    }
    // a name that is not in the list is not asked for, and one that is by no other server
    assert.doesNotMatch(await box.sh("nslookup other.test"), new RegExp(OUTSIDE));
    assert.doesNotMatch(await box.sh(`nslookup www.test ${OUTSIDE}`), /Name:/);
    // as another
    const gateway = (await box.sh("ip route | sed -n 's/default via \\([^ ]*\\).*/\\1/p'")).trim();
    await box.sh(`ip addr add ${gateway.replace(/\d+$/, "77")}/16 dev eth0`);
    assert.equal(await reaches(box, PRIVATE), false);
    // pinned as long as the answer is good
    assert.match(await box.sh("nslookup brief.test"), new RegExp(ELSEWHERE));
    assert.equal(await reaches(box, ELSEWHERE), true);
    let left = true;
    for (let turns = 0; left && turns < 60; turns++) {
      left = (await box.sh(`sleep 1; ${ping(ELSEWHERE)}`)) === "0\n";
    }
    assert.equal(left, false);
    const events = await denied();
    assert.match(events, new RegExp(`"destination":"${METADATA}","[^}]*"port":"80"`));
    assert.match(events, /"destination":"other\.test"[^}]*"protocol":"dns"/);
    await box.end();
    assert.deepEqual(await lab.leftovers(), []);
  });

  it("keeps a name from standing for what is not public", async () => {
    const box = await lab.container([
      ...["--network", "bridge", "--egress", "allow=private.test,metadata.test,*.sub.test"],
      ...["busybox", "sh"],
    ]);
    assert.equal(await reaches(box, "private.test"), false);
    assert.equal(await reaches(box, "metadata.test"), false);
    assert.equal(await reaches(box, "www.sub.test"), true);
    assert.match(await denied(), /the name private\.test has an address that is not public/);
    await box.end();
  });

  it("public is the Internet without private ranges, metadata and the host", async () => {
    const box = await lab.container(["--network", "bridge", "--egress", "public", "busybox", "sh"]);
    assert.equal(await reaches(box, "some.test"), true);
    assert.equal(await box.sh(ping(ELSEWHERE)), "0\n");
    for (const address of [PRIVATE, METADATA, HOST, "private.test", "metadata.test"]) {
      assert.equal(await reaches(box, address), false, address);
    }
    assert.doesNotMatch(await box.sh(`nslookup some.test ${OUTSIDE}`), /Name:/);
    await box.end();
  });

  it("deny leaves its ports, and its answers to neighbours, which it may reach by their names' entry alone", async () => {
    await lab.dvm(["network", "create", "quiet"]);
    const [web, client, free] = await Promise.all([
      lab.container([
        ...["--network", "quiet", "--name", "web", "--egress", "deny", "-p", "8080:80"],
        ...["busybox", "sh"],
      ]),
      lab.container(["--network", "quiet", "--egress", "allow=web:80", "busybox", "sh"]),
      lab.container(["--network", "quiet", "--name", "free", "busybox", "sh"]),
    ]);
    for (const box of [web, client, free]) await box.sh(WEB);
    assert.equal(lab.curl(lab.outside, `http://${HOST}:8080/`), "guest\n");
    assert.equal(await reaches(client, "web"), true);
    assert.equal(await reaches(free, "web"), true);
    assert.equal(await free.sh(ping("web")), "0\n");
    // what has been answered is no way back
    assert.equal(await reaches(web, "free"), false);
    assert.equal(await reaches(client, "free"), false);
    assert.notEqual(await web.sh(ping("free")), "0\n");
    assert.equal(await reaches(web, OUTSIDE), false);
    assert.match(await web.sh("nslookup some.test"), /NXDOMAIN/);
    await Promise.all([web, client, free].map((box) => box.end()));
    assert.equal((await lab.dvm(["network", "rm", "quiet"])).code, 0);
  });

  it("is shown by inspect, and outlives its daemon", async () => {
    const words = [
      "--name",
      "kept",
      "--network",
      "bridge",
      "--egress",
      "public",
      "--network-rate",
      "1gbit",
    ];
    assert.equal((await lab.dvm(["run", "-d", ...words, "busybox", "sleep", "600"])).code, 0);
    const { out } = await lab.dvm(["inspect", "-f", "{{json .HostConfig.Annotations}}", "kept"]);
    assert.deepEqual(JSON.parse(out), { "dvm.egress": "public", "dvm.network-rate": "1gbit" });
    for (const pid of lab.processes(/dvmd/)) process.kill(pid, "SIGKILL");
    const exec = (line: string) => lab.dvm(["exec", "kept", "sh", "-c", line]);
    assert.equal((await exec(get(PRIVATE))).out.trim(), "");
    assert.notEqual((await exec(get("some.test"))).out.trim(), "");
    const seen = await denied();
    assert.match(seen, new RegExp(PRIVATE));
    await lab.dvm(["rm", "-f", "kept"]);
    assert.deepEqual(await lab.leftovers(), []);
  });

  it("holds without privilege, too: user networks have a filter before passt", async () => {
    const box = await lab.container([
      ...[
        "--network",
        "user",
        "--egress",
        `allow=www.test:80,brief.test,private.test,${METADATA}:81`,
      ],
      ...["-p", "8080:80", "--cap-add", "NET_ADMIN", "--cap-add", "NET_RAW", "busybox", "sh"],
    ]);
    await box.sh(WEB);
    assert.equal(lab.curl(lab.outside, `http://${HOST}:8080/`), "guest\n");
    assert.equal(await reaches(box, OUTSIDE), false);
    assert.equal(await reaches(box, "www.test"), true);
    assert.equal(await reaches(box, OUTSIDE), true);
    assert.notEqual(await box.sh(ping(OUTSIDE)), "0\n");
    for (const host of [PRIVATE, METADATA, HOST, "private.test"]) {
      assert.equal(await reaches(box, host), false, host);
    }
    assert.match(await box.sh("nslookup other.test"), /NXDOMAIN/);
    assert.doesNotMatch(await box.sh(`nslookup www.test ${OUTSIDE}`), /Name:/);
    assert.match(await box.sh("nslookup brief.test"), new RegExp(ELSEWHERE));
    assert.equal(await box.sh(ping(ELSEWHERE)), "0\n");
    let left = true;
    for (let turns = 0; left && turns < 60; turns++) {
      left = (await box.sh(`sleep 1; ${ping(ELSEWHERE)}`)) === "0\n";
    }
    assert.equal(left, false);
    await box.sh("ip addr add 10.0.2.77/24 dev eth0");
    assert.equal(await reaches(box, `-s 10.0.2.77 ${OUTSIDE}`), false);
    const seen = await denied();
    assert.match(seen, new RegExp(`"destination":"${METADATA}"[^}]*"port":"80"`));
    assert.match(seen, /"destination":"other\.test"/);
    assert.notEqual(lab.processes(/net-filter/).length, 0);
    await box.end();
    await until(() => lab.processes(/net-filter|passt/).length === 0);
  });

  it("is refused where nobody could hold a container to it", async () => {
    for (const [words, message] of [
      [["--network", "none", "--egress", "deny"], /conflicting options: egress and network none/],
      [["--network", "bridge", "--egress", "allow=10.0.0.0/33"], /invalid egress entry/],
      [["--network", "bridge", "--egress", "some"], /invalid egress policy: some/],
      [["--network", "bridge", "--network-rate", "10"], /invalid network rate: "10"/],
      [["--network", "none", "--network-rate", "1mbit"], /network-rate and network none/],
      [["--egress", "public", "--dns", "1.1.1.1"], /conflicting options: egress and dns/],
    ] as const) {
      const { code, err } = await lab.dvm(["run", "--rm", ...words, "busybox", "true"]);
      assert.match(err, message);
      assert.equal(code, 125);
    }
  });
});
