import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, it } from "node:test";
import { TestUser } from "../test-dvm.ts";

const user = new TestUser();
after(() => user[Symbol.dispose]());

/** Looks of each of two guests, for each kind of link. */
const COUNT = 250;
const KINDS = ["relative", "absolute"] as const;

/** Makes a folder for the racers beside one that they are not to reach. @returns both */
function makeFolders(name: string): { readonly outside: string; readonly shared: string } {
  const [outside, shared] = ["outside", "shared"].map((each) => join(user.folder, name, each)) as [
    string,
    string,
  ];
  mkdirSync(outside, { recursive: true });
  for (const file of ["secret", "target"]) writeFileSync(join(outside, file), "outside\n");
  for (const kind of KINDS) {
    mkdirSync(join(shared, kind, "folder"), { recursive: true });
    writeFileSync(join(shared, kind, "folder", "secret"), "inside\n");
    symlinkSync(kind === "relative" ? "../../outside" : outside, join(shared, kind, "link"));
  }
  return { outside, shared };
}

it("guests that race links against the server of their folder stay inside", async () => {
  const tools = join(user.folder, "tools");
  mkdirSync(tools);
  const racer = join(tools, "racer");
  const source = join(import.meta.dirname, "test-racer.c");
  execFileSync("musl-gcc", ["-static", "-O2", "-o", racer, source]);
  // where no server is in between, the same program gets out
  const control = makeFolders("control");
  for (const kind of KINDS) {
    const seen = new Set<string>();
    for (let tries = 0; tries < 50 && seen.size < 2; tries++) {
      const words = [join(control.shared, kind), "2000"];
      const text = execFileSync(racer, words, { encoding: "utf8" });
      for (const line of text.trim().split("\n")) seen.add(line);
    }
    assert.deepEqual([...seen].sort(), ["inside", "outside"]);
  }

  const { outside, shared } = makeFolders("raced");
  const flags = ["--rm", "--network", "none", "-v", `${shared}:/s`, "-v", `${tools}:/t:ro`];
  const script = KINDS.map((kind) => `/t/racer /s/${kind} ${COUNT}`).join("; ");
  const racing = ["run", ...flags, "busybox", "sh", "-c", script];
  for (const { out, err } of await Promise.all([user.dvm(racing), user.dvm(racing)])) {
    assert.match(out, /^(?:inside\n)+$/);
    assert.equal(err, "");
  }
  assert.deepEqual(readdirSync(outside).sort(), ["secret", "target"]);
  for (const name of ["secret", "target"]) {
    assert.equal(readFileSync(join(outside, name), "utf8"), "outside\n");
  }
});
