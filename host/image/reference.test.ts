import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { familiarReference, formatReference, parseNamed, parseReference } from "./reference.ts";

const hex = "a".repeat(64);

describe("parseReference", () => {
  const names: readonly [string, string, string][] = [
    ["busybox", "docker.io/library/busybox:latest", "busybox:latest"],
    ["busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"],
    ["user/tool", "docker.io/user/tool:latest", "user/tool:latest"],
    ["library/busybox", "docker.io/library/busybox:latest", "busybox:latest"],
    ["docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"],
    ["index.docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"],
    ["localhost/a", "localhost/a:latest", "localhost/a:latest"],
    ["localhost:5000/a:b", "localhost:5000/a:b", "localhost:5000/a:b"],
    ["host:5000/a/b/c", "host:5000/a/b/c:latest", "host:5000/a/b/c:latest"],
    ["a.b/c__d-e.f:V_1.x-2", "a.b/c__d-e.f:V_1.x-2", "a.b/c__d-e.f:V_1.x-2"],
    ["[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"],
    ["HOST/a", "HOST/a:latest", "HOST/a:latest"],
    [`a@sha256:${hex}`, `docker.io/library/a@sha256:${hex}`, `a@sha256:${hex}`],
    [`a:1@sha256:${hex}`, `docker.io/library/a:1@sha256:${hex}`, `a:1@sha256:${hex}`],
  ];
  for (const [text, full, familiar] of names) {
    test(`takes ${text} for ${full}`, () => {
      const reference = parseNamed(text);
      assert.equal(formatReference(reference), full);
      assert.equal(familiarReference(reference), familiar);
      assert.deepEqual(parseReference(full), reference);
    });
  }

  const bad = [
    "",
    "Busybox",
    "a:",
    ":a",
    "a//b",
    "/a",
    "a/",
    "a:-x",
    "a b",
    "a@sha256:1234",
    "a@md5:abc",
    hex,
    "-a",
    "a..b",
    `a:${"x".repeat(129)}`,
    `h.x/${"a".repeat(260)}`,
    "a\n",
    "oci:",
    "oci::tag",
    "docker-archive:x:",
  ];
  for (const text of bad) {
    test(`refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.throws(() => parseReference(text), { code: "REFERENCE_INVALID", exitCode: 125 });
    });
  }

  test("says what is wrong with a name in capitals", () => {
    assert.throws(() => parseReference("Busybox"), /repository name must be lowercase/);
  });

  test("takes transports with and without an image", () => {
    assert.deepEqual(parseReference("oci:some/dir:v1"), {
      transport: "oci",
      path: "some/dir",
      image: "v1",
    });
    assert.deepEqual(parseReference("docker-archive:/a.tar:x/y:1"), {
      transport: "docker-archive",
      path: "/a.tar",
      image: "x/y:1",
    });
    assert.deepEqual(parseReference("oci-archive:a.tar"), {
      transport: "oci-archive",
      path: "a.tar",
      image: undefined,
    });
    assert.equal(formatReference(parseReference("oci:d:t")), "oci:d:t");
  });

  test("gives any text a reference or a refusal", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 80 }), (text) => {
        try {
          const reference = parseReference(text);
          assert.deepEqual(parseReference(formatReference(reference)), reference);
        } catch (error) {
          assert.equal((error as { code?: string }).code, "REFERENCE_INVALID");
        }
      }),
    );
  });
});
