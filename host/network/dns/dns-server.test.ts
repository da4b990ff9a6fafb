import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseQuestion } from "./dns-message.ts";
import { openDnsServer } from "./dns-server.ts";

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1", () => {
    const { port } = socket.address();
    socket.close(() => resolve(port));
  });
  return promise;
}

async function open(serves = true) {
  const port = await freePort();
  const server = await openDnsServer({
    address: "127.0.0.1",
    port,
    serves: () => serves,
    lookUp: (name) => (name === "web" ? ["10.0.0.2", "10.0.0.3"] : undefined),
    nameOf: (address) => (address === "10.0.0.2" ? "web.net" : undefined),
    forwardTo: () => [],
  });
  const resolver = new Resolver({ timeout: 300, tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  return { resolver, server };
}

describe("the name server of a network", () => {
  it("knows its names in both directions, and sends nothing on when it may not", async () => {
    const { resolver, server } = await open();
    await using _server = server;
    assert.deepEqual((await resolver.resolve4("WEB")).sort(), ["10.0.0.2", "10.0.0.3"]);
    assert.deepEqual(await resolver.reverse("10.0.0.2"), ["web.net"]);
    await assert.rejects(resolver.resolve6("web"), { code: "ENODATA" });
    await assert.rejects(resolver.resolve4("nosuch"), { code: "ENOTFOUND" });
    await assert.rejects(resolver.resolve4("some.where"), { code: "EREFUSED" });
  });

  it("does not answer strangers", async () => {
    const { resolver, server } = await open(false);
    await using _server = server;
    await assert.rejects(resolver.resolve4("web"), { code: "ETIMEOUT" });
  });

  it("takes any bytes without harm", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const question = parseQuestion(bytes);
        if (question !== undefined) assert.ok(question.name.length <= 255);
      }),
    );
  });
});
