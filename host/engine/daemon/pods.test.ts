import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ContainerRecord } from "../container-record.ts";
import { endJoined, findMachine, hostnameDonor, type PodMember } from "./pods.ts";
import type { SharedMachine } from "./shared-machine.ts";

interface Wanted {
  readonly network?: string;
  readonly pidMode?: string;
  readonly ipcMode?: string;
  readonly hostname?: string;
  readonly status?: string;
  /** owner of the machine that it runs in */
  readonly machine?: string;
}

function member(id: string, { status = "running", machine, ...config }: Wanted) {
  const ended: string[] = [];
  const one = {
    id,
    record: { id, config: { network: "none", ...config }, state: { status } } as ContainerRecord,
    machine: machine === undefined ? undefined : ({ owner: machine } as SharedMachine),
    recovered: Promise.resolve(),
    settled: async () => {},
    reopen: () => {},
    endWithMachine: async () => void ended.push(id),
  } satisfies PodMember;
  return { ...one, ended };
}

function pod(wanted: Readonly<Record<string, Wanted>>) {
  return new Map(Object.entries(wanted).map(([id, each]) => [id, member(id, each)]));
}

function record(config: Wanted): ContainerRecord {
  return member("new", config).record;
}

describe("findMachine", () => {
  it("is that of the container that is joined, or of the one that that has joined", async () => {
    const members = pod({ a: { machine: "a" }, b: { machine: "a", network: "container:a" } });
    const found = await findMachine(record({ network: "container:b" }), members);
    assert.equal(found?.owner, "a");
    assert.equal(await findMachine(record({ network: "bridge" }), members), undefined);
  });

  it("refuses one that does not run, that is no more, and itself", async () => {
    const members = pod({ a: {}, again: { status: "restarting" } });
    const find = (network: string) => findMachine(record({ network }), members);
    await assert.rejects(find("container:a"), {
      code: "WRONG_STATE",
      message: "cannot join network of a non running container: a",
    });
    await assert.rejects(find("container:gone"), { code: "NO_SUCH_CONTAINER" });
    await assert.rejects(find("container:again"), /container again is restarting/);
    await assert.rejects(find("container:new"), /cannot join own network/);
  });

  it("refuses two machines at once, and an IPC that is private", async () => {
    const members = pod({ a: { machine: "a" }, b: { machine: "b", ipcMode: "shareable" } });
    const two = record({ network: "container:a", ipcMode: "container:b" });
    await assert.rejects(findMachine(two, members), { code: "NOT_SUPPORTED" });
    const private_ = record({ network: "container:a", ipcMode: "container:a" });
    await assert.rejects(findMachine(private_, members), /non-shareable IPC/);
  });
});

describe("hostnameDonor", () => {
  it("is the container at the end of the joined networks, and comes to an end on a circle", () => {
    const members = pod({
      a: { hostname: "first" },
      b: { network: "container:a" },
      c: { network: "container:c" },
    });
    const donor = (network: string) => hostnameDonor(record({ network }), members).id;
    assert.equal(donor("container:b"), "a");
    assert.equal(donor("container:c"), "c");
    assert.equal(donor("bridge"), "new");
  });
});

describe("endJoined", () => {
  it("ends all but the owner, and nobody in another machine", async () => {
    const members = pod({
      a: { machine: "a" },
      b: { machine: "a" },
      c: { machine: "c" },
      d: {},
    });
    await endJoined("a", members);
    assert.deepEqual(
      [...members.values()].flatMap(({ ended }) => ended),
      ["b"],
    );
  });
});
