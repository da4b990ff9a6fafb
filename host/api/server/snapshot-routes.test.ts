import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { request } from "node:http";
import { describe, it } from "node:test";
import { testDaemon } from "../../cli/test-daemon.ts";
import { testEngine } from "../../engine/test-engine.ts";
import { TestHypervisor } from "../../engine/test-machine.ts";

/** Machines that can be saved. */
class SavingHypervisor extends TestHypervisor {
  override async start(...args: Parameters<TestHypervisor["start"]>) {
    const machine = await super.start(...args);
    const saveTo = async (path: string) => {
      writeFileSync(path, Buffer.alloc(4096, 1));
      return "a format";
    };
    return Object.assign(machine, { saveTo });
  }
}

async function setUp() {
  const hypervisor = new SavingHypervisor({ untilSignalled: true });
  const test = testEngine({}, { openHypervisor: async () => ({ hypervisor, reason: "a test" }) });
  const daemon = await testDaemon(test);
  const say = async (method: string, path: string, body?: unknown) => {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
    const headers = { "Content-Type": "application/json" };
    const outgoing = request({ socketPath: daemon.path, method, path, headers }, async (answer) => {
      let text = "";
      for await (const chunk of answer) text += chunk;
      resolve({ status: answer.statusCode ?? 0, text });
    });
    outgoing.on("error", reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    return promise;
  };
  const start = async (name: string) => {
    const HostConfig = { NetworkMode: "none" };
    const body = { Image: "busybox", Cmd: ["true"], HostConfig };
    const created = await say("POST", `/containers/create?name=${name}`, body);
    assert.equal(created.status, 201, created.text);
    assert.equal((await say("POST", `/containers/${name}/start`)).status, 204);
  };
  return {
    say,
    start,
    [Symbol.asyncDispose]: async () => {
      await daemon[Symbol.asyncDispose]();
      test[Symbol.dispose]();
    },
  };
}

const json = ({ text }: { readonly text: string }) => JSON.parse(text);

describe("the API's snapshots", () => {
  it("are made, listed, counted in what is on the disk, and removed", async () => {
    await using server = await setUp();
    const { say } = server;
    await server.start("first");
    const made = await say("POST", "/dvm/snapshots?container=first&name=kept");
    assert.equal(made.status, 201, made.text);
    assert.equal(json(made).Name, "kept");
    const [{ Id, Created, ...listed }] = json(await say("GET", "/dvm/snapshots"));
    assert.deepEqual(listed, { Name: "kept", Container: "first", Image: "busybox", Size: 4096 });
    assert.match(`${Id} ${Created}`, /^[0-9a-f]{64} \d{4}-/);
    const usage = json(await say("GET", "/system/df"));
    assert.deepEqual(usage.Snapshots, [{ Name: "kept", Size: 4096 }]);
    assert.equal((await say("DELETE", `/dvm/snapshots/${Id.slice(0, 12)}`)).status, 204);
    assert.deepEqual(json(await say("GET", "/dvm/snapshots")), []);
  });

  const refused: [method: string, path: string, status: number, message: RegExp][] = [
    ["POST", "/dvm/snapshots?container=first&name=a%2fb", 400, /invalid name of a snapshot/],
    ["POST", "/dvm/snapshots?container=nobody", 404, /No such container: nobody/i],
    ["POST", "/dvm/snapshots?container=idle", 409, /is not running/],
    ["POST", "/dvm/snapshots/none/restore", 404, /no such snapshot: none/],
    ["DELETE", "/dvm/snapshots/none", 404, /no such snapshot: none/],
    ["POST", "/dvm/containers/nobody/fork", 404, /No such container: nobody/i],
    ["POST", "/dvm/containers/idle/fork", 409, /is not running/],
    ["GET", "/containers/first/checkpoints", 501, /experimental/],
  ];
  it("are refused with a status and a reason", async () => {
    await using server = await setUp();
    await server.start("first");
    await server.say("POST", "/containers/create?name=idle", {
      Image: "busybox",
      Cmd: ["true"],
      HostConfig: { NetworkMode: "none" },
    });
    await server.say("POST", "/dvm/snapshots?container=first&name=kept");
    const again = await server.say("POST", "/dvm/snapshots?container=first&name=kept");
    assert.deepEqual([again.status, /there is a snapshot kept/.test(again.text)], [409, true]);
    for (const [method, path, status, message] of refused) {
      const answer = await server.say(method, path);
      assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
      assert.match(json(answer).message, message);
    }
  });
});
