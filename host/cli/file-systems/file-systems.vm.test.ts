import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { TestUser } from "../test-dvm.ts";
import { callCases, callLines, differences, type FileSystemKind } from "./test-call-table.ts";
import { mountReflinking, unmountReflinking, whyNoReflink } from "./test-reflinking.ts";

const isRoot = process.getuid?.() === 0;
/** The two programs and the lines for each kind of file system: shared with every machine here. */
const tools = mkdtempSync(join(tmpdir(), "dvm-file-systems-"));
const KINDS: readonly FileSystemKind[] = ["local", "shared", "tmpfs"];
/** Random changes of one file. */
const CHANGES = 150;

interface Place {
  readonly name: string;
  readonly path: string;
  readonly kind: FileSystemKind;
}

before(() => {
  for (const name of ["calls", "model"]) {
    const source = join(import.meta.dirname, `test-${name}.c`);
    execFileSync("musl-gcc", ["-static", "-O2", "-o", join(tools, name), source]);
  }
  for (const kind of KINDS) writeFileSync(join(tools, kind), callLines(callCases(kind)));
});
after(() => rmSync(tools, { recursive: true }));

/** Checks what a machine says of the places, `run` being how dvm starts it. */
function check(places: readonly Place[], run: (script: string) => Promise<string>): void {
  let answers: ReadonlyMap<string, string> = new Map();
  before(async () => {
    const lines = places.map(({ path, kind }) => {
      const [calls, model] = [`/tools/calls ${path} </tools/${kind}`, `/tools/model ${path}/f`];
      return `echo "== ${path}"; ${calls}; echo "== ${path} model"; ${model} 7 ${CHANGES}`;
    });
    const output = await run(lines.join("\n"));
    const parts = output.split(/^== (.*)\n/m).slice(1);
    answers = new Map(
      Array.from({ length: parts.length / 2 }, (_, i) => [
        parts[2 * i] ?? "",
        parts[2 * i + 1] ?? "",
      ]),
    );
  });
  for (const { name, path, kind } of places) {
    it(`${name} answers every call as POSIX and Linux's manuals have it`, () => {
      assert.deepEqual(differences(callCases(kind), answers.get(path) ?? ""), []);
    });
    it(`${name} keeps every byte through writes, mappings, holes and truncation`, () => {
      assert.equal(answers.get(`${path} model`), "same\n");
    });
  }
}

/** Runs a script where the tools are. @returns its output */
async function inside(user: TestUser, words: readonly string[], script: string): Promise<string> {
  const flags = ["run", "--rm", "--network", "none", "-v", `${tools}:/tools:ro`];
  const { out, err } = await user.dvm([...flags, ...words, "sh", "-c", script]);
  assert.equal(err, "");
  return out;
}

it("the host's own file system answers as it is expected of the others", { skip: !isRoot }, () => {
  const cases = callCases("local");
  const folder = join(tools, "host");
  mkdirSync(folder);
  const output = execFileSync(join(tools, "calls"), [folder], { input: callLines(cases) });
  assert.deepEqual(differences(cases, output.toString()), []);
});

describe("in one container", () => {
  const user = new TestUser();
  after(() => user[Symbol.dispose]());
  const places: Place[] = [
    { name: "a folder of the host", path: "/m/folder", kind: "shared" },
    { name: "a named volume", path: "/m/volume", kind: "shared" },
    { name: "a volume that is a disk", path: "/m/disk", kind: "local" },
    { name: "a tmpfs", path: "/m/tmpfs", kind: "tmpfs" },
    { name: "the root by the overlay driver", path: "/m/root", kind: "local" },
  ];
  check(places, async (script) => {
    const folder = join(user.folder, "folder");
    mkdirSync(folder);
    await user.dvm(["volume", "create", "-o", "type=disk", "-o", "size=64m", "disk"]);
    const mounts = [`${folder}:/m/folder`, "volume:/m/volume", "disk:/m/disk"];
    const words = [...mounts.flatMap((each) => ["-v", each]), "--tmpfs", "/m/tmpfs", "busybox"];
    return await inside(user, words, `mkdir /m/root\n${script}`);
  });
});

describe("on a disk that is copied block by block", () => {
  const user = new TestUser();
  after(() => user[Symbol.dispose]());
  const place = { name: "the root by the block driver", path: "/m", kind: "local" } as const;
  check([place], (script) =>
    inside(user, ["--storage-opt", "driver=block", "busybox"], `mkdir /m\n${script}`),
  );
});

describe("on a disk that shares its extents", { skip: whyNoReflink }, () => {
  const user = new TestUser();
  before(() => mountReflinking(user));
  after(() => {
    unmountReflinking(user);
    user[Symbol.dispose]();
  });
  const place = { name: "the root by the reflink driver", path: "/m", kind: "local" } as const;
  check([place], (script) =>
    inside(user, ["--storage-opt", "driver=reflink", "busybox"], `mkdir /m\n${script}`),
  );
});

describe("with a folder of the host as root", () => {
  const user = new TestUser();
  after(() => user[Symbol.dispose]());
  const place = { name: "the root", path: "/m", kind: "shared" } as const;
  check([place], async (script) => {
    const folder = join(user.folder, "root");
    mkdirSync(join(folder, "m"), { recursive: true });
    await user.dvm(["create", "--name", "source", "--network", "none", "busybox", "true"]);
    await user.shell(`"$DVM" export source | tar -x -C ${folder}`);
    return await inside(user, ["--rootfs", folder], script);
  });
});
