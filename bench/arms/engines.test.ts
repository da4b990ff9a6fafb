import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { describe, it } from "node:test";
import { docker } from "./docker.ts";
import { podman } from "./podman.ts";

/** Programs of a test's own, in front of the machine's; each writes down what it is called with. */
class Programs implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "dvm-bench-arms-"));
  readonly #path = process.env.PATH;

  constructor(scripts: Readonly<Record<string, string>>) {
    for (const [name, script] of Object.entries(scripts)) {
      const path = join(this.folder, name);
      writeFileSync(path, `#!/bin/sh\necho "${name} $*" >>"${this.folder}/calls"\n${script}\n`);
      chmodSync(path, 0o755);
    }
    process.env.PATH = `${this.folder}${delimiter}${this.#path}`;
  }

  get calls(): readonly string[] {
    return readFileSync(join(this.folder, "calls"), "utf8").trim().split("\n");
  }

  [Symbol.dispose](): void {
    process.env.PATH = this.#path;
    rmSync(this.folder, { recursive: true });
  }
}

describe("the arm of docker", () => {
  const refusalWith = async (script: string): Promise<string | undefined> => {
    using _programs = new Programs({ docker: script, skopeo: "" });
    return await docker.refusal();
  };

  it("runs only where Docker's own daemon answers, and says why it does not", async () => {
    assert.equal(await refusalWith("echo Engine containerd runc docker-init"), undefined);
    assert.match(`${await refusalWith("echo Engine")}`, /is not Docker's daemon/);
    assert.match(`${await refusalWith("exit 1")}`, /no Docker daemon answers/);
  });

  it("loads the image by docker's own client, and removes it in the end", async () => {
    using programs = new Programs({ docker: "", skopeo: 'touch "$(echo "$4" | cut -d: -f2)"' });
    const folder = join(programs.folder, "3");
    mkdirSync(folder);
    await (await docker.open({ image: "/layout:latest", folder }))[Symbol.asyncDispose]();
    assert.match(programs.calls[1] ?? "", /^docker load .*image\.tar$/);
    assert.match(programs.calls[2] ?? "", /^docker rmi --force dvm-bench-/);
  });
});

describe("the arm of podman", () => {
  it("takes runc where podman's own runtime does not run here", async () => {
    const script = `case "$*" in *--runtime*) exit 0;; *" run "*) echo refused >&2; exit 126;; *pull*) echo id;; esac`;
    using programs = new Programs({ podman: script, umount: "exit 1" });
    const arm = await podman.open({ image: "/layout:latest", folder: join(programs.folder, "4") });
    const { args } = await arm.run({ name: "n", words: ["true"] });
    assert.deepEqual(args.slice(args.indexOf("--runtime")).slice(0, 3), [
      "--runtime",
      "runc",
      "run",
    ]);
  });

  it("keeps podman's own reason where runc does not run either", async () => {
    const script = `case "$*" in *" run "*) echo refused >&2; exit 126;; *pull*) echo id;; esac`;
    using programs = new Programs({ podman: script, umount: "exit 1" });
    const opening = podman.open({ image: "/layout:latest", folder: join(programs.folder, "4") });
    await assert.rejects(opening, /refused/);
  });
});
