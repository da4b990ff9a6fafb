import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { DaemonContainerConfig } from "../../engine/daemon/model.ts";
import { DvmError } from "../../errors.ts";
import { fittingBody } from "./arbitrary-body.ts";
import { createBody } from "./create-body.ts";
import { discardedLimits } from "./discarded-limits.ts";
import { policyAnnotations, writeNetworking } from "./networking.ts";
import { readCreate } from "./read-create.ts";
import { readBySchema } from "./schema.ts";
import { hostConfigJson, writeCreate } from "./write-create.ts";

const NO_QUERY = { name: undefined, platform: undefined };

function read(body: object, query = NO_QUERY): DaemonContainerConfig {
  return readCreate(readBySchema(createBody, { Image: "busybox", ...body }), query);
}

function refusal(body: object): string {
  try {
    read(body);
  } catch (error) {
    assert.ok(error instanceof DvmError);
    return `${error.code}: ${error.message}`;
  }
  return "taken";
}

test("takes what the stock client sends for a plain run", () => {
  const config = read({
    Hostname: "",
    Env: null,
    Cmd: ["true"],
    Volumes: {},
    Entrypoint: null,
    HostConfig: {
      Binds: null,
      LogConfig: { Type: "", Config: {} },
      NetworkMode: "default",
      RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
      MemorySwappiness: -1,
      OomKillDisable: false,
      PidsLimit: 0,
      MaskedPaths: null,
      ReadonlyPaths: null,
    },
    NetworkingConfig: { EndpointsConfig: { default: {} } },
  });
  assert.deepEqual(config.command, ["true"]);
  assert.equal(config.network, "default");
  assert.equal(config.networking, undefined);
  assert.deepEqual(config.resources, {});
});

test("reads how readily memory is swapped where there is swap, and tells of it elsewhere", () => {
  const body = (HostConfig: object) => readBySchema(createBody, { Image: "busybox", HostConfig });
  const limits = { Memory: 64e6, MemorySwappiness: 0 };
  const withSwap = { ...limits, MemorySwap: 128e6 };
  const { resources } = read({ HostConfig: withSwap });
  assert.deepEqual(resources, { memory: 64e6, memorySwap: 128e6, memorySwappiness: 0 });
  assert.deepEqual(discardedLimits(body(withSwap).HostConfig), []);
  const without = { ...limits, MemorySwap: 64e6 };
  assert.equal(read({ HostConfig: without }).resources.memorySwappiness, undefined);
  assert.match(`${discardedLimits(body(without).HostConfig)}`, /^MemorySwappiness is discarded/);
});

test("reads limits, security options and mounts", () => {
  const config = read({
    HostConfig: {
      Memory: 64e6,
      NanoCpus: 5e8,
      PidsLimit: 7,
      Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }],
      SecurityOpt: ["no-new-privileges", 'seccomp={ "defaultAction": "SCMP_ACT_ALLOW" }'],
      Tmpfs: { "/run": "rw,size=64k" },
      Mounts: [{ Type: "tmpfs", Target: "/tmp", TmpfsOptions: { SizeBytes: 10, Mode: 0o700 } }],
      StorageOpt: { size: "1.5G" },
      ConsoleSize: [24, 80],
      Annotations: { "dvm.accel": "tcg", other: "x" },
    },
  });
  assert.deepEqual(config.resources, { memory: 64e6, nanoCpus: 5e8, pids: 7 });
  assert.deepEqual(config.ulimits, [{ name: "nofile", soft: 1, hard: 2 }]);
  assert.equal(config.noNewPrivileges, true);
  assert.equal(config.seccomp, '{"defaultAction":"SCMP_ACT_ALLOW"}');
  assert.deepEqual(config.tmpfs, [
    { destination: "/run", options: ["noexec", "nosuid", "nodev", "rw", "size=64k"] },
    { destination: "/tmp", options: ["noexec", "nosuid", "nodev", "size=10", "mode=700"] },
  ]);
  assert.equal(config.storageSize, 1.5 * 1024 ** 3);
  assert.deepEqual(config.terminalSize, { rows: 24, columns: 80 });
  assert.deepEqual(config.machine, { accelerator: "tcg", backend: "auto" });
});

test("refuses by name what cannot be met", () => {
  const host = (fields: object) => refusal({ HostConfig: fields });
  assert.match(host({ Mounts: [{ Type: "npipe" }] }), /^UNSUPPORTED: a mount of type "npipe"/);
  assert.match(host({ PidMode: "host" }), /^UNSUPPORTED: HostConfig.PidMode "host"/);
  assert.match(host({ MaskedPaths: [] }), /^UNSUPPORTED: HostConfig.MaskedPaths/);
});

test("reads whose namespaces a container is to have, and writes them as they came", () => {
  const modes = { NetworkMode: "container:web", PidMode: "container:web", IpcMode: "shareable" };
  const config = read({ HostConfig: modes });
  assert.equal(config.network, "container:web");
  assert.equal(config.pidMode, "container:web");
  assert.equal(config.ipcMode, "shareable");
  const written = hostConfigJson(config);
  for (const [field, mode] of Object.entries(modes)) assert.equal(written[field], mode);
  assert.equal(read({ HostConfig: { IpcMode: "private" } }).ipcMode, undefined);
});

test("reads networks, addresses and ports as Docker's clients write them", () => {
  const { network, networking } = read({
    ExposedPorts: { "80/tcp": {}, "53/udp": {} },
    MacAddress: "02-00-00-00-00-0A",
    HostConfig: {
      NetworkMode: "net",
      PublishAllPorts: true,
      PortBindings: {
        "80/tcp": [{ HostPort: "8080" }, { HostIp: "127.0.0.1", HostPort: "" }],
        "53/udp": [{ HostIp: "0.0.0.0", HostPort: "5300-5310" }],
        "99/tcp": null,
      },
    },
    NetworkingConfig: {
      EndpointsConfig: {
        net: { IPAMConfig: { IPv4Address: "10.0.0.9" }, Aliases: ["web"], Gateway: "" },
        other: { Aliases: ["there"] },
      },
    },
  });
  assert.equal(network, "net");
  assert.deepEqual(networking, {
    further: ["other"],
    ports: [
      { hostPorts: [8080, 8080], containerPort: 80, protocol: "tcp" },
      { hostIp: "127.0.0.1", containerPort: 80, protocol: "tcp" },
      { hostPorts: [5300, 5310], containerPort: 53, protocol: "udp" },
      { containerPort: 99, protocol: "tcp" },
    ],
    publishAll: true,
    exposed: ["80/tcp", "53/udp"],
    mac: "02:00:00:00:00:0a",
    ip: "10.0.0.9",
    aliases: ["web", "there"],
  });
  assert.deepEqual(read({ HostConfig: { ExtraHosts: ["db:10.0.0.1"] } }).extraHosts, [
    "10.0.0.1 db",
  ]);
});

test("reads a policy from annotations, and an IPv6 address, and writes them again", () => {
  const { network, networking } = read({
    HostConfig: {
      NetworkMode: "net",
      PortBindings: { "80/tcp": [{ HostIp: "::", HostPort: "80" }] },
      Annotations: { "dvm.egress": "public", "dvm.network-rate": "in=1mbit" },
    },
    NetworkingConfig: { EndpointsConfig: { net: { IPAMConfig: { IPv6Address: "fd00::9" } } } },
  });
  assert.deepEqual(networking, {
    ports: [{ hostIp: "::", hostPorts: [80, 80], containerPort: 80, protocol: "tcp" }],
    ip6: "fd00::9",
    egress: "public",
    rate: "in=1mbit",
  });
  const config = { network, networking } as const;
  assert.deepEqual(policyAnnotations(config), {
    "dvm.egress": "public",
    "dvm.network-rate": "in=1mbit",
  });
  const written = writeNetworking({ ...read({}), ...config }).endpoints;
  assert.deepEqual(written, { net: { IPAMConfig: { IPv6Address: "fd00::9" } } });
});

test("refuses networks and ports that make no sense, or that there are none of", () => {
  const ports = (bindings: object) => refusal({ HostConfig: { PortBindings: bindings } });
  const own = (endpoint: object) =>
    refusal({ NetworkingConfig: { EndpointsConfig: { default: endpoint } } });
  assert.match(ports({ http: [] }), /^BAD_REQUEST: invalid port specification: "http"/);
  assert.match(ports({ "0/tcp": [] }), /^BAD_REQUEST/);
  assert.match(ports({ "80/sctp": [] }), /^UNSUPPORTED: publishing ports of protocol sctp/);
  assert.match(ports({ "80/tcp": [{ HostPort: "9-8" }] }), /^BAD_REQUEST/);
  assert.match(ports({ "80/tcp": [{ HostPort: "70000" }] }), /^BAD_REQUEST/);
  assert.match(ports({ "80/tcp": [{ HostIp: "::g" }] }), /^BAD_REQUEST: invalid IP address/);
  assert.match(own({ IPAMConfig: { IPv4Address: "10.0.0" } }), /^BAD_REQUEST: invalid IPv4/);
  assert.match(own({ IPAMConfig: { IPv6Address: "10.0.0.1" } }), /^BAD_REQUEST: invalid IPv6/);
  assert.match(own({ Links: ["a"] }), /^UNSUPPORTED: links/);
  assert.match(refusal({ MacAddress: "01:00:00:00:00:00" }), /^BAD_REQUEST: invalid MAC/);
  assert.match(refusal({ HostConfig: { ExtraHosts: ["nohost"] } }), /^BAD_REQUEST: bad format/);
});

test("refuses what is wrong with Docker's words", () => {
  const host = (fields: object) => refusal({ HostConfig: fields });
  assert.match(
    host({ RestartPolicy: { Name: "never" } }),
    /invalid restart policy: unknown policy/,
  );
  assert.match(
    host({ RestartPolicy: { Name: "always" }, AutoRemove: true }),
    /can't create 'AutoRemove' container with restart policy/,
  );
  assert.match(host({ LogConfig: { Type: "syslog" } }), /no log driver named 'syslog'/);
  assert.match(host({ Tmpfs: { tmp: "" } }), /mount path must be absolute/);
  assert.match(host({ Annotations: { "dvm.accel": "xen" } }), /must be one of auto, kvm, tcg/);
  assert.match(host({ SecurityOpt: ["seccomp=/etc/passwd"] }), /seccomp profile is not JSON/);
  assert.match(refusal({ Image: "" }), /no image specified/);
  assert.match(refusal({ Cmd: [1] }), /field Cmd is not a list of strings/);
});

const text = fc.string({ minLength: 1, maxLength: 8 });
const texts = fc.array(text, { maxLength: 3 });
const count = fc.integer({ min: 1, max: 2 ** 40 });
const optionally = <T>(key: string, value: fc.Arbitrary<T>) =>
  fc.option(value, { nil: undefined }).map((v) => (v === undefined ? {} : { [key]: v }));

const port = fc.integer({ min: 1, max: 65_535 });
const anyNetworking = fc
  .tuple(
    fc.record({
      ports: fc.uniqueArray(
        fc
          .tuple(
            port,
            fc.constantFrom("tcp", "udp"),
            optionally("hostIp", fc.constantFrom("127.0.0.1", "10.0.0.1")),
            optionally(
              "hostPorts",
              fc.tuple(port, port).map((two) => two.sort((a, b) => a - b)),
            ),
          )
          .map(([containerPort, protocol, ...rest]) =>
            Object.assign({ containerPort, protocol }, ...rest),
          ),
        {
          minLength: 1,
          maxLength: 3,
          selector: ({ containerPort, protocol }) => `${containerPort}${protocol}`,
        },
      ),
    }),
    optionally("publishAll", fc.constant(true)),
    optionally("mac", fc.constant("02:00:00:00:00:01")),
    optionally("ip", fc.ipV4()),
    optionally("aliases", fc.uniqueArray(fc.domain(), { minLength: 1, maxLength: 2 })),
    optionally("further", fc.constantFrom(["a"], ["a", "b"])),
  )
  .map((parts) => Object.assign({}, ...parts));

const anyConfig = fc
  .tuple(
    fc.record({
      image: text,
      command: texts,
      env: texts,
      groupAdd: texts,
      terminal: fc.boolean(),
      openStdin: fc.boolean(),
      stdinOnce: fc.boolean(),
      labels: fc.dictionary(text, text, { maxKeys: 3 }),
      init: fc.boolean(),
      readOnly: fc.boolean(),
      privileged: fc.boolean(),
      autoRemove: fc.boolean(),
      resources: fc.record(
        { memory: count, nanoCpus: count, cpuShares: count, cpusetCpus: text, pids: count },
        { requiredKeys: [] },
      ),
      ulimits: fc.array(fc.record({ name: text, soft: count, hard: count }), { maxLength: 2 }),
      capAdd: texts,
      capDrop: texts,
      seccomp: fc.constantFrom("default", "unconfined", '{"a":1}'),
      noNewPrivileges: fc.boolean(),
      sysctls: fc.dictionary(text, text, { maxKeys: 2 }),
      extraHosts: fc.array(
        fc.tuple(fc.ipV4(), fc.domain()).map((parts) => parts.join(" ")),
        { maxLength: 2 },
      ),
      dns: fc.record({ servers: texts, search: texts, options: texts }),
      exposedPorts: fc
        .uniqueArray(fc.nat(65_535), { maxLength: 2 })
        .map((ports) => ports.map((port) => `${port}/tcp`)),
    }),
    optionally("name", fc.stringMatching(/^[a-z]{1,8}$/)),
    optionally("platform", text),
    optionally("entrypoint", texts),
    fc.record({ network: fc.constantFrom("none", "default", "bridge", "net") }),
    optionally("networking", anyNetworking),
    optionally("workingDirectory", text),
    optionally("user", text),
    optionally("hostname", text),
    optionally("stopTimeout", fc.integer({ min: 0, max: 100 })),
    optionally("userNamespace", fc.constant("private")),
    optionally("shmSize", count),
    optionally("storageSize", fc.integer({ min: 1, max: 2 ** 36 })),
    optionally("terminalSize", fc.constant({ rows: 24, columns: 80 })),
  )
  .map((parts) => JSON.parse(JSON.stringify(Object.assign({}, ...parts))));

test("reads back every configuration as it was written", () => {
  fc.assert(
    fc.property(anyConfig, (parts) => {
      const config: DaemonContainerConfig = {
        ...parts,
        tmpfs: [{ destination: "/tmp", options: ["noexec", "nosuid", "nodev", "size=1k"] }],
        machine: { accelerator: "tcg", backend: "qemu" },
        annotations: { "dvm.accel": "tcg", "dvm.vmm": "qemu" },
        attach: { stdin: true, stdout: true, stderr: false },
        restartPolicy: { name: "no", maximumRetryCount: 0 },
        log: { driver: "local", options: { "max-size": "1m" } },
      };
      const body = readBySchema(createBody, JSON.parse(JSON.stringify(writeCreate(config))));
      const query = { name: config.name, platform: config.platform };
      assert.deepEqual(sorted(readCreate(body, query)), sorted(config));
    }),
  );
});

/** An object of ports has its keys in an order of its own; what is exposed is told again when all of it is published. */
function sorted(config: DaemonContainerConfig): DaemonContainerConfig {
  if (config.networking === undefined) return { ...config };
  const { ports = [], exposed: _, ...rest } = config.networking;
  const key = (one: object) => JSON.stringify(Object.entries(one).sort());
  const inOrder = ports.toSorted((a, b) => key(a).localeCompare(key(b)));
  return { ...config, networking: { ...rest, ports: inOrder } };
}

test("of any body that fits the schema throws nothing but a refusal", () => {
  fc.assert(
    fc.property(fittingBody(createBody), (body) => {
      try {
        readCreate(readBySchema(createBody, body), NO_QUERY);
      } catch (error) {
        assert.ok(error instanceof DvmError, String(error));
      }
    }),
  );
});
