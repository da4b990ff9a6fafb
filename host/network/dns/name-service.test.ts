import assert from "node:assert/strict";
import { it } from "node:test";
import { holdNameService } from "./name-service.ts";

const network = {
  id: "n",
  name: "n",
  bridge: "dvb-name-service",
  subnet: { base: 0x0a000000, prefix: 24 },
  gateway: 0x0a000001,
  internal: false,
};

function service(started: Promise<void>, ended: string[] = []) {
  return { started, [Symbol.asyncDispose]: async () => void ended.push("ended") };
}

it("a name server that could not start is tried anew by the next who needs it", async () => {
  const failing = () => service(Promise.reject(new Error("no right")));
  await Promise.all([
    assert.rejects(holdNameService(network, failing), /no right/),
    assert.rejects(holdNameService(network, failing), /no right/),
  ]);
  const ended: string[] = [];
  const working = () => service(Promise.resolve(), ended);
  const first = await holdNameService(network, working);
  const second = await holdNameService(network, failing);
  await first[Symbol.asyncDispose]();
  assert.deepEqual(ended, []);
  await second[Symbol.asyncDispose]();
  assert.deepEqual(ended, ["ended"]);
});
