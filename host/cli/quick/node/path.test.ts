import assert from "node:assert/strict";
import { posix } from "node:path";
import { it } from "node:test";
import fc from "fast-check";
import { basename, dirname, isAbsolute, join, normalize, resolve } from "./path.ts";

const part = fc.constantFrom("", ".", "..", "a", "b.c", "/", "//", "x/y", "/z", "a/");
const path = fc.array(part, { maxLength: 6 }).map((parts) => parts.join("/"));

it("says of paths what Node says", () => {
  fc.assert(
    fc.property(path, fc.array(path, { maxLength: 4 }), (one, several) => {
      assert.equal(isAbsolute(one), posix.isAbsolute(one));
      assert.equal(normalize(one), posix.normalize(one));
      const plain = normalize(one);
      assert.equal(dirname(plain), posix.dirname(plain));
      assert.equal(basename(plain), posix.basename(plain));
      assert.equal(join(...several), posix.join(...several));
      assert.equal(resolve("/here", ...several), posix.resolve("/here", ...several));
    }),
    { numRuns: 2000 },
  );
});
