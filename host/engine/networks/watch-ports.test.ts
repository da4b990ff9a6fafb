import assert from "node:assert/strict";
import { test } from "node:test";
import type { GuestListener } from "../../network/prepared-network.ts";
import { PortWatch } from "./watch-ports.ts";

/** What the host is to listen on, and what it is told not to, at the first look. */
async function firstLook(owner: number, ports: readonly number[]) {
  const listeners = ports.map((port): GuestListener => ({ protocol: "tcp", port, waits: true }));
  const { promise, resolve } = Promise.withResolvers<readonly GuestListener[]>();
  const refusals: string[] = [];
  using _watch = new PortWatch({
    owner,
    follower: {
      held: [],
      ports: [],
      follow: async (wanted) => {
        resolve(wanted);
        return { isChanged: false, refusals: [] };
      },
      release: () => {},
    },
    ask: async () => ({ listeners }),
    onChange: () => {},
    onRefusal: (text) => refusals.push(text),
  });
  const followed = (await promise).map(({ port }) => port);
  return { followed, refusals };
}

test("a machine of the host's network gets root's ports from root alone", async () => {
  assert.deepEqual(await firstLook(0, [1, 40_000]), { followed: [1, 40_000], refusals: [] });
  assert.deepEqual(await firstLook(1000, [1, 40_000]), {
    followed: [40_000],
    refusals: ["port 1 of the host is for root alone"],
  });
});

test("a guest that does not answer is asked again, and complained of once", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const answers = [new Error("too late"), new Error("too late"), []];
  const refusals: string[] = [];
  const followed = Promise.withResolvers<void>();
  using _watch = new PortWatch({
    owner: 0,
    follower: {
      held: [],
      ports: [],
      follow: async () => {
        followed.resolve();
        return { isChanged: false, refusals: [] };
      },
      release: () => {},
    },
    ask: async () => {
      const answer = answers.shift() ?? [];
      if (answer instanceof Error) throw answer;
      return { listeners: answer };
    },
    onChange: () => {},
    onRefusal: (text) => refusals.push(text),
  });
  for (let look = 1; look < 3; look++) {
    await new Promise(setImmediate);
    context.mock.timers.tick(1000);
  }
  await followed.promise;
  assert.deepEqual(refusals, ["too late"]);
});
