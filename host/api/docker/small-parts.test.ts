import assert from "node:assert/strict";
import { test } from "node:test";
import { TEST_IMAGE } from "../server/test-engine.ts";
import { eventFits, eventLine } from "./event-json.ts";
import { Filters } from "./filters.ts";
import { humanDuration } from "./human-duration.ts";
import { filterImages, historyJson, imageSummaryJson } from "./image-json.ts";
import { goFileMode } from "./path-stat.ts";
import { signalNumber } from "./signal-number.ts";

test("reads signals by name with and without SIG, by number, and real-time ones", () => {
  assert.equal(signalNumber("SIGKILL"), 9);
  assert.equal(signalNumber("term"), 15);
  assert.equal(signalNumber("10"), 10);
  assert.equal(signalNumber("SIGRTMIN+1"), 35);
  assert.equal(signalNumber("RTMAX-1"), 63);
  for (const text of ["", "0", "65", "FOO", "SIG", "RTMIN-1", "RTMIN+99", "toString"]) {
    assert.throws(() => signalNumber(text), /invalid signal/, text);
  }
});

test("says lengths of time as Docker's units library does", () => {
  const cases: readonly (readonly [number, string])[] = [
    [-5, "Less than a second"],
    [1, "1 second"],
    [59, "59 seconds"],
    [60, "About a minute"],
    [3599, "59 minutes"],
    [3600, "About an hour"],
    [47 * 3600, "47 hours"],
    [48 * 3600, "2 days"],
    [14 * 86400, "2 weeks"],
    [60 * 86400, "2 months"],
    [731 * 86400, "2 years"],
  ];
  for (const [seconds, words] of cases) assert.equal(humanDuration(seconds * 1000), words);
});

test("turns file types into Go's bits", () => {
  assert.equal(goFileMode(0o100644), 0o644);
  assert.equal(goFileMode(0o041777), 2 ** 31 + 2 ** 20 + 0o777);
  assert.equal(goFileMode(0o120777), 2 ** 27 + 0o777);
  assert.equal(goFileMode(0o020600), 2 ** 26 + 2 ** 21 + 0o600);
});

const event = {
  type: "container",
  action: "health_status: healthy",
  id: "abc",
  attributes: { name: "web", image: "busybox:latest", a: "1" },
  time: 1_700_000_000_123_456_789n,
} as const;

test("writes an event with all nine decimals of its time", () => {
  const line = eventLine(event);
  assert.match(line, /"timeNano":1700000000123456789\}\n$/);
  assert.equal(JSON.parse(line).Actor.Attributes.name, "web");
});

test("takes the events that every filter accepts", () => {
  const fits = (filters: Record<string, string[]>) =>
    eventFits(event, new Filters(new Map(Object.entries(filters))));
  assert.ok(fits({}));
  assert.ok(fits({ event: ["health_status"], type: ["container"], container: ["web"] }));
  assert.ok(fits({ image: ["busybox"], label: ["a=1"] }));
  assert.ok(!fits({ container: ["db"] }));
  assert.ok(!fits({ type: ["image"] }));
  assert.ok(!fits({ volume: ["v"] }));
  assert.ok(!fits({ label: ["a=2"] }));
});

test("names images as their users do", () => {
  assert.deepEqual(imageSummaryJson(TEST_IMAGE, 1).RepoTags, ["busybox:latest"]);
  assert.equal(historyJson(TEST_IMAGE)[0]?.Id, TEST_IMAGE.id);
  const found = (filters: Record<string, string[]>) =>
    filterImages([TEST_IMAGE], new Filters(new Map(Object.entries(filters)))).length;
  assert.equal(found({}), 1);
  assert.equal(found({ reference: ["busy*"] }), 1);
  assert.equal(found({ reference: ["busybox:1"] }), 0);
  assert.equal(found({ dangling: ["true"] }), 0);
  assert.equal(found({ dangling: ["false"] }), 1);
});
