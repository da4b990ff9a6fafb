import assert from "node:assert/strict";
import { test } from "node:test";
import { MS_BIND, MS_NODEV, MS_NOSUID, MS_RDONLY, MS_REC } from "../linux/mount.ts";
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
} from "../linux/sched.ts";
import type { ContainerSpec } from "../protocol/container-spec.ts";
import { planContainer } from "./container-plan.ts";

const SPEC: ContainerSpec = {
  hostname: "h",
  domainname: "",
  rootfs: { imageSerial: "i", upper: { kind: "tmpfs", size: 0 }, readOnly: false },
  mounts: [],
  shmSize: 65_536,
  extraHosts: [],
  dns: { servers: [], search: [], options: [] },
  sysctls: {},
  resources: {},
  namespaces: {
    network: "private",
    pid: "private",
    ipc: "private",
    uts: "private",
    cgroup: "private",
    user: "guest",
  },
  privileged: false,
  init: false,
};
const plan = (changes: Partial<ContainerSpec>) =>
  planContainer({ ...SPEC, ...changes }, (kind, name) =>
    kind === "disk" ? `/disks/${name}` : `/shares/${name}`,
  );
const mount = (
  destination: string,
  type: "tmpfs" | "bind" | "disk" | "virtiofs",
  options: string[] = [],
) => ({
  destination,
  type,
  source: "src",
  options,
});

test("namespaces are the container's own unless they are the guest's", () => {
  const own = plan({});
  assert.ok((own.cloned & CLONE_NEWPID) !== 0 && (own.cloned & CLONE_NEWNET) !== 0);
  assert.equal(own.unshared, CLONE_NEWCGROUP);
  const guest = {
    network: "guest",
    pid: "guest",
    ipc: "guest",
    uts: "guest",
    cgroup: "guest",
    user: "guest",
  } as const;
  assert.deepEqual(
    [plan({ namespaces: guest }).cloned, plan({ namespaces: guest }).unshared],
    [CLONE_NEWNS, 0],
  );
});

test("a user namespace comes on request, and not with every privilege", () => {
  const namespaces = { ...SPEC.namespaces, user: "private" } as const;
  assert.equal(plan({ namespaces }).cloned & ~plan({}).cloned, CLONE_NEWUSER);
  assert.throws(() => plan({ namespaces, privileged: true }), /privileged mode is incompatible/);
});

test("only a privileged container may write to /sys and its control groups", () => {
  const readOnly = (privileged: boolean) =>
    [...plan({ privileged }).views, ...plan({ privileged }).inner]
      .filter(({ flags }) => (flags & MS_RDONLY) !== 0)
      .map((each) => each.destination);
  assert.deepEqual(readOnly(false), ["/sys", "/sys/fs/cgroup"]);
  assert.deepEqual(readOnly(true), []);
});

test("mounts of each kind get the source and flags that they stand for", () => {
  const mounts = [
    mount("/a/../t", "tmpfs", ["exec", "size=1m"]),
    mount("/b", "bind", ["ro"]),
    mount("/d", "disk"),
    { ...mount("/v", "virtiofs"), subpath: "../file" },
  ];
  const [tmpfs, bind, disk, share] = plan({ mounts }).mounts;
  assert.deepEqual(
    [tmpfs?.destination, tmpfs?.type, tmpfs?.flags, tmpfs?.data],
    ["/t", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m"],
  );
  assert.deepEqual(
    [bind?.type, bind?.source, bind?.flags],
    [undefined, "src", MS_BIND | MS_REC | MS_RDONLY],
  );
  assert.deepEqual([disk?.type, disk?.source, disk?.flags], [undefined, "/disks/src", MS_BIND]);
  assert.deepEqual(
    [share?.type, share?.source, share?.subpath, share?.flags],
    [undefined, "/shares/src", "/file", MS_BIND | MS_REC],
  );
});

test("destinations that no container can have are refused", () => {
  for (const destination of [
    "relative",
    "/",
    "/..",
    "/proc",
    "/proc/sys",
    "/x/../proc/1",
    "/a\0b",
  ]) {
    assert.throws(
      () => plan({ mounts: [mount(destination, "tmpfs")] }),
      { code: "CONTAINER_SPEC" },
      destination,
    );
  }
});

test("kernel parameters are those of namespaces, Docker's two by default", () => {
  const paths = (sysctls: Record<string, string>) =>
    Object.fromEntries(plan({ sysctls }).sysctls.map(({ path, value }) => [path, value]));
  assert.equal(paths({})["/proc/sys/net/ipv4/ip_unprivileged_port_start"], "0");
  assert.equal(
    paths({ "net.ipv4.ip_unprivileged_port_start": "80" })[
      "/proc/sys/net/ipv4/ip_unprivileged_port_start"
    ],
    "80",
  );
  assert.equal(
    paths({ "net.ipv4.conf.eth0/1.forwarding": "1" })["/proc/sys/net/ipv4/conf/eth0.1/forwarding"],
    "1",
  );
  for (const name of [
    "kernel.panic",
    "vm.swappiness",
    "net.../../kernel.panic",
    "net./etc/passwd",
    "kernel.sem.x",
    "fs.file-max",
  ]) {
    assert.throws(
      () => plan({ sysctls: { [name]: "1" } }),
      /not in a separate kernel namespace/,
      name,
    );
  }
});

test("names that no machine can have are refused", () => {
  for (const hostname of ["a b", "x".repeat(65), "a\n", "h\u00fc"]) {
    assert.throws(() => plan({ hostname }), /invalid hostname/);
  }
});

test("namespaces of other containers are joined, not made, and the network's parameters left as they are", () => {
  const made = plan({ joins: { network: "a", ipc: "b" } });
  assert.equal(made.joined, CLONE_NEWNET | CLONE_NEWIPC);
  assert.equal(made.cloned & (CLONE_NEWNET | CLONE_NEWIPC), 0);
  assert.notEqual(made.cloned & CLONE_NEWPID, 0);
  assert.deepEqual(made.sysctls, []);
  assert.equal(plan({ joins: { pid: "a" } }).sysctls.length, 2);
  assert.equal(plan({}).joined, 0);
  assert.throws(
    () => plan({ joins: { pid: "a" }, namespaces: { ...SPEC.namespaces, user: "private" } }),
    { code: "CONTAINER_SPEC" },
  );
});
