import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createNetServer, type Server } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { TestFolder } from "../test-support/image-builder.ts";
import { speaksTls } from "./speaks-tls.ts";

/** What is said of a server, which ends with it. */
async function asked(server: Server, signal?: AbortSignal): Promise<boolean | undefined> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as AddressInfo;
    return await speaksTls(new URL(`https://127.0.0.1:${port}`), signal);
  } finally {
    server.close();
  }
}

describe("whether a host speaks TLS", () => {
  test("is no for one that answers in plain HTTP", async () => {
    assert.equal(await asked(createServer()), false);
  });

  const skip = spawnSync("openssl", ["version"]).error ? "openssl is not installed" : false;
  test("is yes whoever it says it is", { skip }, async () => {
    using folder = new TestFolder();
    const words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    const files = ["-keyout", "key", "-out", "certificate", "-nodes", "-subj", "/CN=nobody"];
    execFileSync("openssl", [...words, ...files], { cwd: folder.path, stdio: "ignore" });
    const [key, cert] = ["key", "certificate"].map((name) => readFileSync(join(folder.path, name)));
    assert.equal(await asked(createTlsServer({ key, cert })), true);
  });

  test("is unknown where it says nothing before the signal", async () => {
    const stop = new AbortController();
    const server = createNetServer((socket) => {
      socket.on("error", () => {});
      stop.abort();
    });
    assert.equal(await asked(server, stop.signal), undefined);
    assert.equal(await asked(createNetServer(), AbortSignal.abort()), undefined);
  });

  test("is no where nobody listens", async () => {
    assert.equal(await speaksTls(new URL("https://127.0.0.1:1")), false);
  });
});
