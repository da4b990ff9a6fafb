import assert from "node:assert/strict";
import { test } from "node:test";
import { Execs } from "./execs.ts";
import type { ExecConfig } from "./model.ts";

const attach = { stdin: false, stdout: false, stderr: false };
const config: ExecConfig = {
  command: ["true"],
  env: [],
  terminal: false,
  privileged: false,
  attach,
};
const unused = () => assert.fail("not to be called");

test("only so many execs wait for their start", () => {
  const options = { container: "c", agent: unused, processSpec: unused, onChange: unused };
  const execs = new Execs({ ...options, deadline: 1 });
  const ids = Array.from({ length: 256 }, () => execs.create(config));
  assert.throws(() => execs.create(config), { code: "WRONG_STATE" });
  execs.forget(ids[0] ?? "");
  assert.equal(execs.view(execs.create(config))?.status, "created");
});
