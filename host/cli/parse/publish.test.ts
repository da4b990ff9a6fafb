import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseExpose, parseMacAddress, parsePublish } from "./publish.ts";

describe("--publish", () => {
  it("takes address, ports and protocol", () => {
    assert.deepEqual(parsePublish("80"), [{ containerPort: 80, protocol: "tcp" }]);
    assert.deepEqual(parsePublish("127.0.0.1:8080:80/udp"), [
      { hostIp: "127.0.0.1", hostPorts: [8080, 8080], containerPort: 80, protocol: "udp" },
    ]);
    assert.deepEqual(parsePublish("127.0.0.1::80"), [
      { hostIp: "127.0.0.1", containerPort: 80, protocol: "tcp" },
    ]);
  });

  it("puts ranges of one length side by side, and takes a range for one port as a choice", () => {
    assert.deepEqual(parsePublish("8000-8001:80-81"), [
      { hostPorts: [8000, 8000], containerPort: 80, protocol: "tcp" },
      { hostPorts: [8001, 8001], containerPort: 81, protocol: "tcp" },
    ]);
    assert.deepEqual(parsePublish("8000-8010:80"), [
      { hostPorts: [8000, 8010], containerPort: 80, protocol: "tcp" },
    ]);
  });

  for (const text of [
    "",
    ":",
    "x",
    "0",
    "70000:80",
    "80:70000",
    "9-8:80",
    "1-3:80-81",
    "80/sctp",
    "80/icmp",
    "1.2.3:1:2",
    "[::1]:80",
    "[x]:80:80",
    "::1:80:80",
    "a:1:2",
    "1:2:3:4",
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parsePublish(text), Error);
    });
  }

  it("gives ports in range or an error for any text", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9:.\-/tcpud]{0,20}$/), (text) => {
        try {
          for (const { containerPort, hostPorts = [0, 0] } of parsePublish(text)) {
            assert.ok(containerPort >= 1 && containerPort <= 65_535);
            assert.ok(hostPorts[0] <= hostPorts[1] && hostPorts[1] <= 65_535);
          }
        } catch (error) {
          assert.ok(!(error instanceof assert.AssertionError));
        }
      }),
    );
  });
});

describe("--expose and --mac-address", () => {
  it("refuse what is none", () => {
    assert.equal(parseExpose("80-90/udp"), "80-90/udp");
    assert.throws(() => parseExpose("1:2"), /invalid port format/);
    assert.equal(parseMacAddress("02-AB-00-00-00-01"), "02:ab:00:00:00:01");
    for (const text of ["01:00:00:00:00:00", "00:00:00:00:00:00", "02:00"]) {
      assert.throws(() => parseMacAddress(text), Error);
    }
  });
});
