import assert from "node:assert/strict";
import { test } from "node:test";
import { PLAIN_CONFIG } from "../../engine/test-engine.ts";
import { logDetails } from "./log-details.ts";

test("the details of a log are the labels and variables that its options name", () => {
  const config = { ...PLAIN_CONFIG, labels: { tier: "web", other: "x" }, env: ["B=a b", "C=1"] };
  assert.equal(logDetails(config), "");
  const options = { labels: "tier,none", env: "B" };
  const log = { driver: "json-file", options } as const;
  assert.equal(logDetails({ ...config, log }), "B=a%20b,tier=web");
});
