import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { HOST, Lab, OUTSIDE } from "./test-lab.ts";

const WEB = "mkdir -p /w; echo guest > /w/index.html; httpd -p 80 -h /w";
const ping = (address: string, from = "") =>
  `ping ${from} -c 1 -W 2 ${address} >/dev/null 2>&1; echo $?`;

const lab = new Lab();
after(() => lab[Symbol.asyncDispose]());

async function must(...words: string[]): Promise<void> {
  const { code, err } = await lab.dvm(words);
  assert.equal(code, 0, err);
}

describe("networks of a container that runs", () => {
  it("are joined and left without a moment's pause, and leave nothing behind", async () => {
    await must("network", "create", "--subnet", "10.9.0.0/24", "red");
    const [box, peer] = await Promise.all([
      lab.container([
        ...["--name", "box", "--network", "bridge", "-p", "8080:80"],
        ...["--cap-add", "NET_ADMIN", "busybox", "sh"],
      ]),
      lab.container(["--name", "peer", "--network", "red", "busybox", "sh"]),
    ]);
    await box.sh(WEB);
    assert.notEqual(await box.sh(ping("10.9.0.2")), "0\n");

    await must("network", "connect", "--ip", "10.9.0.7", "--alias", "www", "red", "box");
    assert.match(await box.sh("ip -4 addr show eth1"), /10\.9\.0\.7\/24/);
    assert.match(await box.sh("cat /etc/hosts"), /^10\.9\.0\.7 /m);
    assert.equal(await box.sh(ping("peer")), "0\n");
    assert.equal(await peer.sh(ping("www")), "0\n");
    assert.match(await box.sh("ip route show default"), /dev eth0/);
    assert.equal(lab.curl(lab.outside, `http://${HOST}:8080/`), "guest\n");
    const again = await lab.dvm(["network", "connect", "red", "box"]);
    assert.match(again.err, /is in network red already/);

    // a foreign address goes nowhere by a carried card either
    await box.sh("ip addr add 10.9.0.99/24 dev eth1");
    assert.notEqual(await box.sh(ping("10.9.0.1", "-I 10.9.0.99")), "0\n");
    await box.sh("ip addr del 10.9.0.99/24 dev eth1");

    // the other network is the way out now, and has the ports
    await must("network", "disconnect", "bridge", "box");
    assert.doesNotMatch(await box.sh("ip -4 addr show eth0"), /inet/);
    assert.match(await box.sh("ip route show default"), /10\.9\.0\.1 dev eth1/);
    assert.equal(await box.sh(ping(OUTSIDE)), "0\n");
    assert.equal(await box.sh(ping("peer")), "0\n");
    assert.equal(lab.curl(lab.outside, `http://${HOST}:8080/`), "guest\n");

    await must("network", "disconnect", "red", "box");
    assert.notEqual(await box.sh(ping("10.9.0.2")), "0\n");
    assert.equal(lab.curl(lab.outside, `http://${HOST}:8080/`), "");
    assert.doesNotMatch(await box.sh("cat /etc/hosts"), /10\.9\.0\.7/);

    // the card that is in no network is the next one's own
    await must("network", "connect", "red", "box");
    assert.match(await box.sh("ip -4 addr show eth0"), /10\.9\.0\.\d+\/24/);
    assert.equal(await box.sh(ping("peer")), "0\n");
    assert.equal(lab.curl(lab.outside, `http://${HOST}:8080/`), "guest\n");
    await Promise.all([box.end(), peer.end()]);
    assert.deepEqual(await lab.leftovers(), []);
  });

  it("are held to the container's policy, whichever card carries them", async () => {
    const [box, peer] = await Promise.all([
      lab.container([
        ...["--name", "held", "--network", "bridge", "--egress", "allow=10.9.0.0/24"],
        ...["busybox", "sh"],
      ]),
      lab.container(["--name", "other", "--network", "red", "busybox", "sh"]),
    ]);
    const [, address = ""] = /inet (10\.9\.0\.\d+)/.exec(await peer.sh("ip addr show eth0")) ?? [];
    assert.notEqual(await box.sh(ping(OUTSIDE)), "0\n");
    await must("network", "connect", "red", "held");
    assert.equal(await box.sh(ping(address)), "0\n");
    assert.notEqual(await box.sh(ping(OUTSIDE)), "0\n");
    // the network that has to be the way out is no way around it
    await must("network", "disconnect", "bridge", "held");
    assert.match(await box.sh("ip route show default"), /dev eth1/);
    assert.equal(await box.sh(ping(address)), "0\n");
    assert.notEqual(await box.sh(ping(OUTSIDE)), "0\n");
    assert.equal(await peer.sh(ping("held")), "0\n");
    await must("network", "disconnect", "red", "held");
    await must("network", "connect", "bridge", "held");
    assert.notEqual(await box.sh(ping(OUTSIDE)), "0\n");
    await Promise.all([box.end(), peer.end()]);
    assert.deepEqual(await lab.leftovers(), []);
  });

  it("are joined by no machine that has none, or a user's", async () => {
    const none = await lab.container(["--name", "none", "--network", "none", "busybox", "sh"]);
    const user = await lab.container(["--name", "user", "--network", "user", "busybox", "sh"]);
    const toNone = await lab.dvm(["network", "connect", "red", "none"]);
    assert.match(toNone.err, /a machine without a network gets none while it runs/);
    const toUser = await lab.dvm(["network", "connect", "red", "user"]);
    assert.match(toUser.err, /several networks are supported for bridges only/);
    await Promise.all([none.end(), user.end()]);
    assert.deepEqual(await lab.leftovers(), []);
  });
});
