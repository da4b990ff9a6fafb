import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseMessages } from "../../sys/nflog.ts";
import { logGroup, toDenial } from "./denial-log.ts";
import { type Denial, Denials } from "./denials.ts";

const DENIAL: Denial = { container: "c", destination: "10.0.0.1", protocol: "tcp", port: 80 };

function listening() {
  const clock = { now: 0 };
  const told: Denial[] = [];
  const denials = new Denials(() => clock.now);
  denials.listen((denial) => told.push(denial));
  return { clock, told, denials };
}

describe("denials", () => {
  it("are told once, and again after a while", () => {
    const { clock, told, denials } = listening();
    for (let turn = 0; turn < 5; turn++) denials.report(DENIAL);
    assert.deepEqual(told, [DENIAL]);
    clock.now += 10_001;
    denials.report(DENIAL);
    assert.equal(told.length, 2);
  });

  it("of one container are few, however many there are, and do not hide another's", () => {
    const { clock, told, denials } = listening();
    for (let port = 1; port < 1000; port++) denials.report({ ...DENIAL, port });
    assert.equal(told.length, 20);
    denials.report({ ...DENIAL, container: "d" });
    assert.equal(told.length, 21);
    clock.now += 1000;
    for (let port = 2000; port < 3000; port++) denials.report({ ...DENIAL, port });
    assert.equal(told.length, 23);
  });

  it("are read from packets of both families", () => {
    const four = Buffer.from("45000021856740004011a1600a0100010a010002962a0063", "hex");
    assert.deepEqual(toDenial("c", { prefix: "t", protocol: 0x800, payload: four }), {
      container: "c",
      destination: "10.1.0.2",
      protocol: "udp",
      port: 99,
    });
    const six = Buffer.concat([
      Buffer.from("6000000000140640", "hex"),
      Buffer.alloc(16),
      Buffer.from("fd000000000000000000000000000001", "hex"),
      Buffer.from("ff0001bb", "hex"),
    ]);
    assert.deepEqual(toDenial("c", { prefix: "t", protocol: 0x86dd, payload: six }), {
      container: "c",
      destination: "fd00::1",
      protocol: "tcp",
      port: 443,
    });
    assert.equal(
      toDenial("c", { prefix: "t", protocol: 0x800, payload: four.subarray(0, 19) }),
      undefined,
    );
  });

  it("do not fall over any bytes", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom(0x800, 0x86dd),
        (payload, protocol) => {
          toDenial("c", { prefix: "t", protocol, payload });
          parseMessages(Buffer.from(payload));
        },
      ),
    );
  });

  it("come by a group that is one for each folder of machines", () => {
    assert.equal(logGroup("/run/a"), logGroup("/run/a"));
    assert.ok(logGroup("/run/b") >= 0x6400 && logGroup("/run/b") <= 0xffff);
  });
});
