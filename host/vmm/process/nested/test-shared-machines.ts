/**
 * What comes to a machine of the `kvm` backend that runs, and disks that are not those of a plain start: a program of
 * tests for the nested host.
 */

import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { text as textOf } from "node:stream/consumers";
import { describe, it } from "node:test";
import { connectContainer, disconnectContainer } from "../../../engine/daemon/change-container.ts";
import { NetworkStore } from "../../../engine/networks/network-store.ts";
import { OWN_USER } from "../../../engine/test-run.ts";
import { configOf, daemon, leftovers, paths, run, start, text } from "./test-calls.ts";
import { vmmProcesses } from "./vmm-processes.ts";

describe("a container that joins another one's machine on the kvm backend", () => {
  it("has disks of its own there and the other's network, and others come after it", async () => {
    const serve = "while :; do echo hello | nc -l -p 7000; done";
    const owner = await start("--name web --cpus 2", `echo owner >/file; echo ready; ${serve}`);
    await owner.spoke;
    const script = `dd if=/dev/urandom of=/file bs=64k count=50 2>/dev/null; sync; sha1sum </file >/sum
      sha1sum </file | cmp - /sum && echo same
      until sleep 1 | nc 127.0.0.1 7000 | grep hello; do :; done`;
    for (let turn = 0; turn < 2; turn++) {
      const joined = () => run("--network container:web", script);
      const results = await Promise.all([joined(), joined()]);
      for (const result of results) {
        assert.deepEqual(text(result), { code: 0, out: "same\nhello\n", err: "" });
      }
      assert.equal(vmmProcesses().length, 1);
    }
    await daemon.get(owner.id).kill(9);
    assert.equal((await owner.result).exit.exitCode, 137);
    assert.deepEqual(leftovers(), []);
  });
});

describe("a container of the storage driver block on the kvm backend", () => {
  it("finds the image's files, and what it wrote when it is started again", async () => {
    const script = `test -e /file && { sha1sum </file | cmp - /sum && echo again; exit; }
      cat /bin/busybox | cmp - /bin/busybox && dd if=/dev/urandom of=/file bs=64k count=200 2>/dev/null
      rm -r /bin/sh; cp /bin/busybox /bin/sh; sha1sum </file >/sum; echo first`;
    const words = ["--vmm", "kvm", "--network", "none", "--storage-opt", "driver=block"];
    const config = configOf([...words, "busybox", "sh", "-c", script]);
    const never = new AbortController().signal;
    const container = await daemon.create(config, OWN_USER, never);
    try {
      for (const said of ["first", "again"]) {
        const out = new PassThrough();
        const written = textOf(out);
        const { done } = container.streams.attach({ stdout: out }, { logs: false, stream: true });
        const ended = container.wait({
          condition: "next-exit",
          signal: never,
          onWaiting: () => {},
        });
        await container.start();
        assert.equal((await ended).exitCode, 0);
        await done;
        out.end();
        assert.equal(await written, `${said}\n`);
      }
    } finally {
      await container.remove({ force: true, volumes: true }); // the next test looks for what is left
    }
  });
});

describe("a network that a running container on the kvm backend is connected to", () => {
  it("leads to the containers there, and is gone when it is disconnected", async () => {
    await new NetworkStore(paths.dataRoot).create({ name: "other" });
    const serve = "echo ready; echo hello | nc -l -p 7000";
    const server = await start("--name server --network other", serve);
    await server.spoke;
    const script = `echo ready; until sleep 1 | nc server 7000 | grep hello; do sleep 0.2; done 2>/dev/null
      while [ $(ls /sys/class/net | wc -l) -gt 2 ]; do sleep 0.2; done; echo alone`;
    const client = await start("--name client --network bridge", script);
    await client.spoke;
    await connectContainer(daemon.get(client.id), "other", { aliases: [] });
    assert.deepEqual(text(await server.result), { code: 0, out: "ready\n", err: "" });
    await disconnectContainer(daemon.get(client.id), ["other"]);
    assert.deepEqual(text(await client.result), { code: 0, out: "ready\nhello\nalone\n", err: "" });
    assert.deepEqual(leftovers(), []);
  });
});
