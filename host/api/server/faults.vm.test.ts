import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { noDocker, TestDvmd } from "./test-dvmd.ts";

const dvmd = new TestDvmd();
const docker = dvmd.docker.bind(dvmd);
const succeed = dvmd.succeed.bind(dvmd);
const skip = await noDocker();
/** Says that it runs, and a while after that it ends. */
const LIFE = "echo begin; sleep 1; echo end; exit 9";

/** Runs a container with a dvmd that is killed the moment it tells of a step of the engine's, and starts another. */
async function runKilledAt(step: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let isTold = false;
  await dvmd.start((line) => {
    const { type, phase } = JSON.parse(line);
    if (isTold || `${type} ${phase}` !== step) return;
    isTold = true;
    dvmd.kill().then(resolve, reject);
  });
  await docker(["run", "-d", "--name", "box", "-p", "80", "busybox", "sh", "-c", LIFE]);
  await promise;
  await dvmd.start();
}

/** Nothing of a container is left: no file, no name, no process. */
function assertNothingLeft(): void {
  assert.deepEqual(readdirSync(join(dvmd.dataRoot, "containers")), []);
  assert.deepEqual(readdirSync(join(dvmd.dataRoot, "names")), []);
  const machines = readdirSync("/proc").filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(
        join(dvmd.dataRoot, "containers"),
      );
    } catch {
      return false;
    }
  });
  assert.deepEqual(machines, []);
}

async function logs(): Promise<string> {
  return succeed("logs", "box");
}

describe("a dvmd that is killed while it", { skip }, () => {
  before(async () => {
    await dvmd.start();
    await succeed("run", "--rm", "busybox", "true");
    await dvmd.kill();
  });
  after(() => dvmd[Symbol.asyncDispose]());

  for (const step of ["phase-begin image", "phase-begin root-disk"]) {
    it(`creates a container (${step}) leaves nothing, and its name is free`, async () => {
      await runKilledAt(step);
      assert.equal(await succeed("ps", "-aq"), "");
      assertNothingLeft();
      await succeed("create", "--name", "box", "busybox", "true");
      await succeed("rm", "box");
      await dvmd.kill();
    });
  }

  for (const step of ["phase-end network", "phase-end vm-boot"]) {
    it(`starts a machine (${step}) leaves the container as it was created`, async () => {
      await runKilledAt(step);
      assert.equal(await succeed("ps", "-a", "--format", "{{.Status}}"), "Created\n");
      await succeed("start", "box");
      assert.equal(await succeed("wait", "box"), "9\n");
      assert.equal(await logs(), "begin\nend\n");
      await succeed("rm", "box");
      assertNothingLeft();
      await dvmd.kill();
    });
  }

  // the guest is asked for container and process at once
  for (const step of ["phase-begin container-create", "phase-end process-start"]) {
    it(`starts its process (${step}) leaves one that runs on, whose end the next one notes`, async () => {
      await runKilledAt(step);
      assert.equal(await succeed("wait", "box"), "9\n");
      assert.equal(await logs(), "begin\nend\n");
      await succeed("rm", "box");
      assertNothingLeft();
      await dvmd.kill();
    });
  }
});
