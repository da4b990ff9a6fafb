import assert from "node:assert/strict";
import { test } from "node:test";
import { changeHosts, etcFiles } from "./etc-files.ts";

const none = { servers: [], search: [], options: [] };

test("names the container, its hosts and its resolver", () => {
  const files = etcFiles({
    hostname: "web",
    extraHosts: ["172.17.0.2\tweb"],
    dns: { servers: ["10.0.2.3", "fd00::3"], search: ["example.org", "org"], options: ["ndots:2"] },
  });
  assert.equal(files["/etc/hostname"], "web\n");
  assert.match(files["/etc/hosts"] ?? "", /^127\.0\.0\.1\tlocalhost\n(.*\n)+172\.17\.0\.2\tweb\n$/);
  assert.equal(
    files["/etc/resolv.conf"],
    "nameserver 10.0.2.3\nnameserver fd00::3\nsearch example.org org\noptions ndots:2\n",
  );
});

test("a container without DNS has an empty resolv.conf", () => {
  assert.equal(etcFiles({ hostname: "a", extraHosts: [], dns: none })["/etc/resolv.conf"], "");
});

test("a value with a line break is refused", () => {
  assert.throws(() => etcFiles({ hostname: "a\nb", extraHosts: [], dns: none }), {
    code: "CONTAINER_SPEC",
  });
  assert.throws(
    () => etcFiles({ hostname: "a", extraHosts: ["1.1.1.1 x\n2.2.2.2 y"], dns: none }),
    /line break/,
  );
});

test("changed hosts lose a line of each that goes, keep what others wrote, and get the new ones at their end", () => {
  const text = "127.0.0.1\tlocalhost\n10.0.0.2 box\n10.0.0.2 box\n1.2.3.4 mine";
  const change = { remove: ["10.0.0.2 box", "10.0.0.9 none"], add: ["10.1.0.2 box"] };
  assert.equal(
    changeHosts(text, change),
    "127.0.0.1\tlocalhost\n10.0.0.2 box\n1.2.3.4 mine\n10.1.0.2 box\n",
  );
  assert.equal(changeHosts("", { remove: [], add: [] }), "");
});
