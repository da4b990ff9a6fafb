import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { oneLineSources, sourceStanzas } from "./quickjs-source.ts";

describe("sourceStanzas", () => {
  it("turns the machine's own suite into source packages of the newer one", () => {
    const text =
      "Types: deb\n# a comment\nURIs: http://archive/debian\nSuites: bookworm bookworm-updates\nComponents: main contrib\nSigned-By: /key.gpg\n";
    assert.deepEqual(sourceStanzas(text, "bookworm"), [
      "Types: deb-src\nURIs: http://archive/debian\nSuites: trixie\nComponents: main\nSigned-By: /key.gpg\n",
    ]);
  });

  it("leaves out suites of others and security updates", () => {
    const text =
      "Types: deb\nURIs: http://archive/security\nSuites: bookworm-security\nComponents: main\n\nTypes: deb\nURIs: http://else\nSuites: nodistro\nComponents: main\n";
    assert.deepEqual(sourceStanzas(text, "bookworm"), []);
  });

  it("keeps a key that is written out over several lines", () => {
    const text =
      "Types: deb\nURIs: http://archive\nSuites: trixie\nSigned-By:\n -----BEGIN\n .\n abc\nComponents: main\n";
    assert.match(sourceStanzas(text, "trixie")[0] ?? "", /Signed-By: -----BEGIN\n \.\n abc\n$/);
  });
});

describe("oneLineSources", () => {
  it("reads options and skips what is commented out", () => {
    const text =
      "# deb http://no bookworm main\ndeb [arch=amd64 signed-by=/key.gpg] http://archive bookworm main contrib\ndeb-src http://archive bookworm main\n";
    assert.deepEqual(oneLineSources(text, "bookworm"), [
      "Types: deb-src\nURIs: http://archive\nSuites: trixie\nComponents: main\nSigned-By: /key.gpg\n",
    ]);
  });
});
