import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { makeFolder, PortPublisher } from "./port-publisher.ts";
import type { PortRoute } from "./port-routes.ts";

const PASST = {
  address: "192.0.2.1",
  prefix: 24,
  gateway: "169.254.77.2",
  nameServer: "169.254.77.3",
  mac: "02:00:00:00:02:02",
  mtu: 65_520,
};

async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<number>();
  server.listen(0, "0.0.0.0", () => {
    const address = server.address();
    server.close(() => resolve(typeof address === "object" ? (address?.port ?? 0) : 0));
  });
  return promise;
}

/** Ids of the passts that work in a folder. */
function passts(folder: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      return words.includes("passt.sock") && words.includes(folder);
    } catch {
      return false;
    }
  });
}

function isInstalled(): boolean {
  try {
    execFileSync("passt", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("published ports of the host's network", { skip: !isInstalled() }, () => {
  it("end with the machine, those too that are in the making then", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dvm-ports-"));
    makeFolder(folder);
    const told: PortRoute[][] = [];
    const control = {
      setRoutes: async (routes: readonly PortRoute[]) => void told.push([...routes]),
      [Symbol.dispose]: () => {},
    };
    try {
      const publisher = new PortPublisher({ control, routes: [], folder, passt: PASST });
      const first = { protocol: "tcp", port: await freePort(), waits: true } as const;
      assert.deepEqual(await publisher.follow([first]), { isChanged: true, refusals: [] });
      assert.equal(passts(folder).length, 1);
      assert.deepEqual(told.at(-1)?.[0]?.ports, [`tcp/${first.port}`]);
      const second = { protocol: "tcp", port: await freePort(), waits: true } as const;
      const under = publisher.follow([first, second]);
      publisher[Symbol.dispose]();
      const { refusals } = await under;
      assert.deepEqual(refusals, ["the machine has ended"]);
      for (let turns = 0; passts(folder).length > 0 && turns < 200; turns++) await setTimeout(20);
      assert.deepEqual(passts(folder), []);
      // nobody was told of it
      assert.equal(told.length, 1);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
