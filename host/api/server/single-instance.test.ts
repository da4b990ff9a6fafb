import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { listenUnix } from "../../sys/unix-socket.ts";
import { daemonPlaces, hostPath } from "./daemon-places.ts";
import { clearSocket, lockInstance } from "./single-instance.ts";

function folder() {
  const path = mkdtempSync(join(tmpdir(), "dvm-single-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

test("gives a lock to one at a time, and says who has it", () => {
  using place = folder();
  const path = join(place.path, "lock");
  {
    using _ = lockInstance(path, "here");
    assert.equal(readFileSync(path, "utf8"), `${process.pid}\n`);
    assert.throws(
      () => lockInstance(path, "here"),
      new RegExp(`dvmd with pid ${process.pid} serves here already`),
    );
  }
  using again = lockInstance(path, "here");
  assert.ok(again);
});

test("removes the socket of a daemon that was killed, and nothing else", () => {
  using place = folder();
  const path = join(place.path, "socket");
  clearSocket(path);
  listenUnix(path)[Symbol.dispose]();
  assert.ok(existsSync(path));
  clearSocket(path);
  assert.ok(!existsSync(path));
  writeFileSync(path, "precious");
  assert.throws(() => clearSocket(path), /is there and is no socket/);
  assert.equal(readFileSync(path, "utf8"), "precious");
});

test("takes a host that is a socket's path alone", () => {
  assert.equal(hostPath("unix:///run/x.sock"), "/run/x.sock");
  for (const host of ["", "/run/x", "unix://x", "tcp://1.2.3.4:1", "unix:///a\0b"]) {
    assert.throws(() => hostPath(host), /unable to parse host/, host);
  }
});

test("gives each data root a socket of its own", () => {
  const places = (dataRoot: string) =>
    daemonPlaces({ dataRoot }, { XDG_RUNTIME_DIR: "/run/user/1" });
  assert.notEqual(places("/a").socket, places("/b").socket);
  assert.equal(places("/a").socket, places("/a/").socket);
});
