import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseVolume, volumeText } from "./volume-spec.ts";

test("a path alone is a volume without a name", () => {
  assert.deepEqual(parseVolume("/data"), {
    type: "volume",
    name: "",
    destination: "/data",
    readOnly: false,
    noCopy: false,
  });
});

test("a source that begins with a slash is the host's, any other a volume", () => {
  assert.deepEqual(parseVolume("/srv:/data:ro,z"), {
    type: "bind",
    source: "/srv",
    destination: "/data",
    readOnly: true,
    createSource: true,
    modes: ["ro", "z"],
  });
  assert.deepEqual(parseVolume("db:/data:nocopy"), {
    type: "volume",
    name: "db",
    destination: "/data",
    readOnly: false,
    noCopy: true,
    modes: ["nocopy"],
  });
});

test("what Docker refuses is refused in its words", () => {
  for (const text of ["", ":", "/a:", ":/b", "/a:rw", "a:/b:ro:x", "/a::ro"]) {
    assert.throws(() => parseVolume(text), /^Error: invalid volume specification: /, text);
  }
  const modes = ["x", "ro,rw", "ro,ro", "z,Z", "nocopy", "rshared"];
  for (const mode of modes) {
    assert.throws(() => parseVolume(`/a:/b:${mode}`), /^Error: invalid mode: /, mode);
  }
  assert.throws(() => parseVolume("v:/b:rprivate"), /^Error: invalid mode: rprivate/);
});

test("a mount written is the text that was read", () => {
  const mode = fc.constantFrom("", ":ro", ":rw", ":z", ":ro,Z", ":cached,ro");
  const source = fc.constantFrom("/a b", "/x", "vol", "v-1");
  fc.assert(
    fc.property(source, mode, (from, words) => {
      const text = `${from}:/to${words}`;
      assert.equal(volumeText(parseVolume(text)), text);
    }),
  );
  assert.equal(volumeText(parseVolume("/anonymous")), undefined);
});
