import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { parseMount } from "./mount.ts";
import { parseVolume } from "./volume.ts";

const common = { readOnly: false, isLong: true };

test("without a type it is a volume", () => {
  assert.deepEqual(parseMount("src=db,dst=/data,ro"), {
    mount: {
      type: "volume",
      name: "db",
      destination: "/data",
      ...common,
      readOnly: true,
      noCopy: false,
    },
  });
});

test("a volume's options, labels and driver are for when it is made", () => {
  const text =
    'type=volume,target=/d,volume-driver=local,volume-opt=type=disk,"volume-opt=o=a,b",volume-label=k=v,volume-nocopy,volume-subpath=x';
  assert.deepEqual(parseMount(text), {
    mount: {
      type: "volume",
      name: "",
      destination: "/d",
      ...common,
      noCopy: true,
      subpath: "x",
      driver: "local",
      driverOptions: { type: "disk", o: "a,b" },
      labels: { k: "v" },
    },
  });
});

test("a folder of the host is to be there unless it is to be made", () => {
  const bind = (text: string) => {
    const parsed = parseMount(text);
    assert.ok("mount" in parsed && parsed.mount.type === "bind");
    return parsed.mount;
  };
  assert.deepEqual(bind("type=bind,source=/a,destination=/b,readonly=false"), {
    type: "bind",
    source: "/a",
    destination: "/b",
    ...common,
    createSource: false,
  });
  assert.equal(bind("type=bind,source=./a,target=/b").source, resolve("a"));
  assert.equal(bind("type=bind,bind-create-src,source=/a,target=/b").createSource, true);
});

test("a tmpfs has size and mode", () => {
  assert.deepEqual(parseMount("type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770"), {
    tmpfs: {
      destination: "/t",
      options: ["noexec", "nosuid", "nodev", "size=1048576", "mode=1770"],
    },
  });
});

test("what Docker refuses is refused in its words", () => {
  const refusals: [string, RegExp][] = [
    ["", /invalid field '' must be a key=value pair/],
    ["type=volume", /target is required/],
    ["type=bind,target=/b", /source is required/],
    ["type=npipe,target=/b", /mount type "npipe" is not supported/],
    ["type=tmpfs,source=/a,target=/b", /source is not allowed/],
    ["target", /invalid field 'target' must be a key=value pair/],
    ["targe=/x", /unexpected key 'targe' in 'targe=\/x'/],
    ["constructor=/x", /unexpected key/],
    [
      "type=bind,src=/a,dst=/b,volume-nocopy",
      /cannot mix 'volume-\*' options with mount type 'bind'/,
    ],
    ["dst=/b,tmpfs-size=1", /cannot mix 'tmpfs-\*' options with mount type 'volume'/],
    ["dst=/b,ro=maybe", /invalid value for ro: maybe/],
    ['dst="/b', /parse error/],
    ["type=bind,src=/a,dst=/b,bind-propagation=rshared", /do not spread/],
  ];
  for (const [text, words] of refusals) assert.throws(() => parseMount(text), words, text);
});

test("any text is read or refused by an Error", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        parseMount(text);
      } catch (error) {
        assert.ok(error instanceof Error);
      }
    }),
  );
});

test("a quoted value keeps its commas and quotes", () => {
  const part = fc.stringMatching(/^[a-z,"=]{0,8}$/);
  fc.assert(
    fc.property(part, (value) => {
      const field = `volume-opt=k=${value}`.replaceAll('"', '""');
      const parsed = parseMount(`"${field}",dst=/d`);
      assert.ok("mount" in parsed && parsed.mount.type === "volume");
      assert.deepEqual(parsed.mount.driverOptions, { k: value });
    }),
  );
});

test("the source of -v may be relative", () => {
  const mount = parseVolume("./a:/b");
  assert.equal(mount.type === "bind" && mount.source, resolve("a"));
  assert.equal(parseVolume("..:/b").type, "bind");
  assert.equal(parseVolume("a.b:/b").type, "volume");
});
