import assert from "node:assert/strict";
import { test } from "node:test";
import { TestSystem } from "../../kvm/test-system.ts";
import { VirtioConsole } from "./console.ts";
import { ConsoleLogPort } from "./console-log.ts";
import { ConsoleSocketPort } from "./console-socket.ts";
import { TestDriver } from "./test-driver.ts";

const CONTROL_IN = 2;
const CONTROL_OUT = 3;
const AGENT_IN = 4;
const AGENT_OUT = 5;

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const text = (data: Iterable<number>): string => String.fromCharCode(...data);

function control(id: number, event: number, value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setUint32(0, id, true);
  view.setUint16(4, event, true);
  view.setUint16(6, value, true);
  return new Uint8Array(view.buffer);
}

function setUp() {
  const system = new TestSystem();
  const log = system.file(new Uint8Array());
  const listener = system.listener();
  let opened = 0;
  const device = new VirtioConsole([
    new ConsoleLogPort(system, log),
    new ConsoleSocketPort(system, {
      name: "dvm.agent",
      listener,
      onGuestOpen: () => opened++,
    }),
  ]);
  const driver = new TestDriver(device, system);
  driver.start();
  return { system, log, listener, driver, opened: () => opened };
}

/** The control messages that came, as [port, event, value, name]. */
function messages(driver: TestDriver): [number, number, number, string][] {
  return driver.used(CONTROL_IN).map(({ answer, written }) => {
    const view = new DataView(answer.buffer, answer.byteOffset);
    const name = text(answer.slice(8, written));
    return [view.getUint32(0, true), view.getUint16(4, true), view.getUint16(6, true), name];
  });
}

test("introduces its ports to the driver by name", () => {
  const { driver } = setUp();
  for (let count = 0; count < 8; count++) driver.add(CONTROL_IN, [32]);
  driver.request(CONTROL_OUT, [control(0xffffffff, 0, 1)]);
  assert.deepEqual(messages(driver), [
    [0, 1, 1, ""],
    [1, 1, 1, ""],
  ]);
  driver.request(CONTROL_OUT, [control(0, 3, 1)]);
  driver.request(CONTROL_OUT, [control(1, 3, 1)]);
  assert.deepEqual(messages(driver), [
    [0, 4, 1, ""],
    [0, 6, 1, ""],
    [1, 7, 1, "dvm.agent"],
    [1, 6, 0, ""],
  ]);
});

test("tells the driver when the host connects and leaves, and the host when the guest opens", () => {
  const { driver, system, listener, opened } = setUp();
  for (let count = 0; count < 4; count++) driver.add(CONTROL_IN, [32]);
  const socket = system.connect(listener);
  driver.turn();
  assert.deepEqual(messages(driver), [[1, 6, 1, ""]]);
  driver.request(CONTROL_OUT, [control(1, 6, 1)]);
  assert.equal(opened(), 1);
  socket.ended = true;
  driver.request(AGENT_IN, [16]);
  driver.turn();
  assert.deepEqual(messages(driver), [[1, 6, 0, ""]]);
  assert.equal(socket.closed, true);
});

test("writes the kernel's console to the log", () => {
  const { driver, system, log } = setUp();
  driver.request(1, [bytes("hello "), bytes("world\n")]);
  assert.equal(text(system.files.get(log) ?? []), "hello world\n");
});

test("cuts the log when it has grown to its limit, and keeps its end", () => {
  const { driver, system, log } = setUp();
  system.files.set(log, new Uint8Array(1024 * 1024).fill(0x2e));
  const chunk = new Uint8Array(60_000).fill(0x61);
  for (let count = 0; count < 18; count++) {
    const used = driver.request(1, [chunk]);
    assert.ok(used);
    driver.memory.write(0x20000, chunk);
    driver.rewindBuffers();
  }
  const content = system.files.get(log) ?? new Uint8Array();
  assert.ok(content.length <= 128 * 1024 + 60_000);
  assert.ok(content.every((byte) => byte === 0x61));
});

test("carries bytes both ways between the socket and the agent's port", () => {
  const { driver, system, listener } = setUp();
  const socket = system.connect(listener);
  driver.turn();
  driver.request(AGENT_OUT, [bytes("from "), bytes("guest")]);
  assert.equal(text(socket.outgoing), "from guest");
  socket.incoming.push(bytes("from host"));
  driver.add(AGENT_IN, [4]);
  driver.add(AGENT_IN, [64]);
  driver.kick();
  const used = driver.used(AGENT_IN);
  assert.deepEqual(
    used.map(({ answer, written }) => text(answer.slice(0, written))),
    ["from", " host"],
  );
});

test("keeps what the host sends in the socket until the guest has buffers", () => {
  const { driver, system, listener } = setUp();
  const socket = system.connect(listener);
  driver.turn();
  socket.incoming.push(bytes("early"));
  driver.turn();
  assert.equal(socket.incoming.length, 1);
  const used = driver.request(AGENT_IN, [16]);
  assert.equal(used?.written, 5);
});

test("holds a chain that the socket takes in parts until all of it is gone", () => {
  const { driver, system, listener } = setUp();
  const socket = system.connect(listener);
  driver.turn();
  socket.room = 4;
  driver.add(AGENT_OUT, [bytes("0123456789")]);
  driver.kick();
  assert.deepEqual(driver.used(AGENT_OUT), []);
  socket.room = 100;
  driver.turn();
  assert.equal(text(socket.outgoing), "0123456789");
  assert.equal(driver.used(AGENT_OUT).length, 1);
});

test("a guest that never takes control messages cannot make them pile up", () => {
  const { driver } = setUp();
  for (let round = 0; round < 8; round++) {
    for (let count = 0; count < 16; count++) driver.add(CONTROL_OUT, [control(1, 3, 1)]);
    driver.kick();
    driver.used(CONTROL_OUT);
    driver.rewindBuffers();
  }
  assert.ok(driver.used(CONTROL_OUT).length < 16);
  assert.equal(driver.status, 15);
});

test("ignores control messages that are short or about ports that are not", () => {
  const { driver } = setUp();
  driver.add(CONTROL_IN, [32]);
  driver.request(CONTROL_OUT, [Uint8Array.of(1, 2, 3)]);
  driver.request(CONTROL_OUT, [control(9, 3, 1)]);
  driver.request(CONTROL_OUT, [control(9, 6, 1)]);
  assert.deepEqual(messages(driver), []);
  assert.equal(driver.status, 15);
});
