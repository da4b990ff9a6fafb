import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Server } from "node:net";
import { describe, test } from "node:test";
import { speaksTls } from "./speaks-tls.ts";

/** What is said of a server, which ends with it. */
async function asked(server: Server): Promise<boolean | undefined> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await speaksTls(new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`));
  } finally {
    server.close();
  }
}

describe("whether a host speaks TLS", () => {
  test("is no for one that answers in plain HTTP", async () => {
    assert.equal(await asked(createServer()), false);
  });

  test("is no where nobody listens", async () => {
    assert.equal(await speaksTls(new URL("https://127.0.0.1:1")), false);
  });
});
