/** Uploads in chunks: to a real registry, and to one that loses the connection in the middle of a chunk. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { digestOf } from "../digest.ts";
import { parseNamed } from "../reference.ts";
import { noRegistry, startRegistry } from "../test-support/real-registry.ts";
import { testSession } from "../test-support/registry-world.ts";
import { World } from "../test-support/world.ts";
import { uploadBlob } from "./blob-upload.ts";

const CHUNK = 64 * 1024;
const bytes = randomBytes(5 * CHUNK + 17);

async function upload(world: World, host: string): Promise<readonly number[]> {
  const path = world.path("blob");
  writeFileSync(path, bytes);
  await using session = testSession();
  const client = await session.pushClient(parseNamed(`${host}/image`));
  const progress: number[] = [];
  await uploadBlob(
    { digest: digestOf(bytes), size: bytes.length, content: { path } },
    {
      client,
      http: session.http,
      onProgress: (done) => progress.push(done),
      signal: undefined,
      chunkBytes: CHUNK,
    },
  );
  return progress;
}

describe("a blob of several chunks", () => {
  test("is taken by a real registry, whole", { skip: noRegistry }, async () => {
    using world = new World();
    await using registry = await startRegistry(world.path("registry"));
    const progress = await upload(world, registry.host);
    assert.deepEqual(progress, [...[1, 2, 3, 4, 5].map((n) => n * CHUNK), bytes.length]);
    await using session = testSession();
    const [client] = await session.pullClients(parseNamed(`${registry.host}/image`));
    const got = await client?.smallBlob({ digest: digestOf(bytes), size: bytes.length });
    assert.deepEqual(got, bytes);
  });

  test("goes on where the registry says it stopped", async () => {
    using world = new World();
    await using registry = await losingRegistry();
    await upload(world, registry.host);
    assert.deepEqual(Buffer.concat(registry.taken), bytes);
    assert.equal(registry.lost, 1);
  });
});

interface LosingRegistry extends AsyncDisposable {
  readonly host: string;
  readonly taken: Buffer[];
  readonly lost: number;
}

/** A registry that takes 1,000 bytes of the third chunk and drops the connection, once. */
async function losingRegistry(): Promise<LosingRegistry> {
  const taken: Buffer[] = [];
  let lost = 0;
  const length = (): number => taken.reduce((sum, part) => sum + part.length, 0);
  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const headers = { location: "/v2/image/blobs/uploads/1", range: `0-${length() - 1}` };
    if (incoming.method === "POST") response.writeHead(202, headers).end();
    else if (incoming.method === "GET" && incoming.url !== headers.location) response.end("{}");
    else if (incoming.method === "GET") response.writeHead(204, headers).end();
    else if (lost === 0 && length() === 2 * CHUNK) {
      lost++;
      const [first] = (await once(incoming, "data")) as [Buffer];
      taken.push(Buffer.from(first.subarray(0, 1000)));
      incoming.socket.destroy();
    } else {
      for await (const part of incoming) taken.push(Buffer.from(part));
      response
        .writeHead(incoming.method === "PUT" ? 201 : 202, {
          ...headers,
          range: `0-${length() - 1}`,
        })
        .end();
    }
  };
  const server = createServer((incoming, response) => void answer(incoming, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    taken,
    get lost() {
      return lost;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
