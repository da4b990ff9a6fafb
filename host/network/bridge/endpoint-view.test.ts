import assert from "node:assert/strict";
import { it } from "node:test";
import { EndpointView } from "./endpoint-view.ts";

it("endpoints are read once for many questions, and again when somebody comes or time has passed", () => {
  let looks = 0;
  let state = "1";
  let now = 0;
  const view = new EndpointView({
    look: () => {
      looks++;
      return [];
    },
    change: () => state,
    now: () => now,
  });
  for (let asked = 0; asked < 1000; asked++) view.current();
  assert.equal(looks, 1);
  state = "2";
  view.current();
  assert.equal(looks, 2);
  now += 99;
  view.current();
  assert.equal(looks, 2);
  now += 1;
  view.current();
  assert.equal(looks, 3);
});
