import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ERRNO } from "../linux/errno.ts";
import {
  RTM_DELNEIGH,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
} from "../linux/rtnetlink.ts";
import { RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import { configureInterface } from "./configure-interface.ts";

const SOCKET = 77;
const WANTED = {
  mac: "52:54:00:12:34:56",
  name: "eth0",
  addresses: ["10.0.2.15/24", "fd00::2/64"],
  gateways: ["10.0.2.2"],
  mtu: 1500,
};

/** A machine with one network device that answers requests by `errno`: all of them, or those of a type. */
function machine(errno = 0, type?: number) {
  const requests: Uint8Array[] = [];
  const recording = new RecordingSyscalls()
    .file("/sys/class/net/eth0/address", "52:54:00:12:34:56\n")
    .file("/sys/class/net/eth0/ifindex", "2\n")
    .file("/sys/class/net/lo/address", "00:00:00:00:00:00\n")
    .file("/sys/class/net/lo/ifindex", "1\n")
    .on("socket", () => SOCKET);
  const sys = new Proxy(recording.sys, {
    get: (target, name) => {
      if (name === "write") return (_fd: number, bytes: Uint8Array) => requests.push(bytes.slice());
      if (name !== "read") return Reflect.get(target, name);
      return (fd: number, buffer: Uint8Array) => {
        if (fd !== SOCKET) return target.read(fd, buffer);
        const isMeant = type === undefined || typeOf(requests.at(-1)) === type;
        new DataView(buffer.buffer).setInt32(16, isMeant ? -errno : 0, true);
        return 36;
      };
    },
  });
  return { sys, recording, requests };
}

const typeOf = (request: Uint8Array | undefined) => Buffer.from(request ?? []).readUInt16LE(4);

describe("configureInterface", () => {
  it("brings the device up, then gives it its addresses, then the routes, then looks for the router", () => {
    const { sys, requests } = machine();
    configureInterface(sys, WANTED);
    assert.deepEqual(requests.map(typeOf), [
      RTM_NEWLINK,
      RTM_NEWADDR,
      RTM_NEWADDR,
      RTM_NEWROUTE,
      RTM_DELNEIGH,
      RTM_NEWNEIGH,
    ]);
    const address = Buffer.from(requests[1] ?? []).toString("hex");
    // length 40, type 20, then family 2, prefix 24, no duplicate detection, index 2, local and own address
    assert.match(address, /^28000000140005050{16}021802000200000008000200(0a00020f)08000100\1$/);
  });

  it("looks for routers of IPv4 alone, as for who is to be sent a packet", () => {
    const { sys, requests } = machine();
    configureInterface(sys, { ...WANTED, gateways: ["10.0.2.2", "fd00::1"] });
    const [question, ...others] = requests.filter((each) => typeOf(each) === RTM_NEWNEIGH);
    assert.deepEqual(others, []);
    // family 2, index 2, no state, to be used; then the neighbour's address
    const body = Buffer.from(question?.slice(16) ?? []).toString("hex");
    assert.equal(body, "020000000200000000000100080001000a000202");
  });

  it("goes on when the router cannot be looked for", () => {
    const { sys, requests } = machine(ERRNO.EINVAL, RTM_NEWNEIGH);
    configureInterface(sys, WANTED);
    assert.equal(typeOf(requests.at(-1)), RTM_NEWNEIGH);
  });

  it("renames a device that has another name", () => {
    const { sys, requests } = machine();
    configureInterface(sys, { ...WANTED, name: "net1", addresses: [], gateways: [] });
    assert.equal(requests.length, 2);
    assert.match(Buffer.from(requests[0] ?? []).toString("latin1"), /net1\0/);
  });

  it("tells what the kernel refused", () => {
    const { sys } = machine(ERRNO.EPERM);
    assert.throws(() => configureInterface(sys, WANTED), { code: "EPERM", subject: "eth0" });
  });

  it("takes a clone's device down and gives it its own address before it is brought up", () => {
    const { sys, requests } = machine();
    configureInterface(sys, { ...WANTED, mac: "02:00:00:aa:bb:cc", clonedMac: WANTED.mac });
    assert.deepEqual(requests.map(typeOf).slice(0, 2), [RTM_NEWLINK, RTM_NEWLINK]);
    const [first] = requests;
    // length and type of the one attribute, the address
    assert.equal(Buffer.from(first?.slice(32) ?? []).toString("hex"), "0a000100020000aabbcc0000");
    // not up, which is what changes
    assert.deepEqual(
      [24, 28].map((at) => Buffer.from(first ?? []).readUInt32LE(at)),
      [0, 1],
    );
  });

  it("leaves a clone's device up that carries others", () => {
    const { sys, recording, requests } = machine();
    recording.file("/sys/class/net/eth0/upper_eth1", "");
    configureInterface(sys, { ...WANTED, mac: "02:00:00:aa:bb:cc", clonedMac: WANTED.mac });
    const [first] = requests;
    assert.deepEqual(
      [24, 28].map((at) => Buffer.from(first ?? []).readUInt32LE(at)),
      [0, 0],
    );
  });

  it("refuses an unknown device and addresses that are none before it changes anything", () => {
    const { sys, requests } = machine();
    for (const change of [
      { mac: "52:54:00:00:00:00" },
      { mac: "52:54:00", clonedMac: WANTED.mac },
      { addresses: ["10.0.2.15"] },
      { addresses: ["10.0.2.15/33"] },
      { gateways: ["router"] },
    ]) {
      assert.throws(() => configureInterface(sys, { ...WANTED, ...change }), {
        code: "CONTAINER_SPEC",
      });
    }
    assert.deepEqual(requests, []);
  });
});
