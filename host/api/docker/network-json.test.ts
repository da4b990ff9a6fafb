import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { NetworkView } from "../../engine/networks/network-store.ts";
import { DvmError } from "../../errors.ts";
import { fittingBody } from "./arbitrary-body.ts";
import { Filters } from "./filters.ts";
import {
  acceptsNetwork,
  networkCreateBody,
  networkJson,
  readNetworkCreate,
} from "./network-json.ts";
import { readBySchema } from "./schema.ts";

const NETWORK: NetworkView = {
  id: "ab".repeat(32),
  name: "net",
  driver: "bridge",
  created: "2024-01-01T00:00:00Z",
  subnet: "10.0.0.0/24",
  gateway: "10.0.0.1",
  internal: false,
  labels: { a: "b" },
  isBuiltIn: false,
  endpoints: ["c1", "c2"].map((container, index) => ({
    version: 1,
    container,
    network: {
      id: "ab".repeat(32),
      name: "net",
      bridge: "dvb-1",
      subnet: { base: 0x0a000000, prefix: 24 },
      gateway: 0x0a000001,
      internal: false,
    },
    runDirectory: "/run/x",
    tap: `dvt-${index}`,
    mac: `02:00:00:00:00:0${index}`,
    address: `10.0.0.${index + 2}`,
    names: [container],
    ports: [],
  })),
};
const BUILT_IN: NetworkView = {
  ...NETWORK,
  name: "none",
  isBuiltIn: true,
  endpoints: [],
  created: "",
};

function read(body: object) {
  return readNetworkCreate(readBySchema(networkCreateBody, { Name: "net", ...body }));
}

test("takes what the stock client sends", () => {
  const body = { CheckDuplicate: true, Driver: "bridge", EnableIPv6: false, Attachable: false };
  const IPAM = { Driver: "default", Options: {}, Config: [] };
  assert.deepEqual(read({ ...body, IPAM, Labels: { a: "b" } }), {
    name: "net",
    internal: false,
    labels: { a: "b" },
  });
  const Config = [{ Subnet: "10.0.0.0/24", Gateway: "10.0.0.1" }];
  assert.deepEqual(read({ Internal: true, IPAM: { Config } }), {
    name: "net",
    internal: true,
    labels: {},
    subnet: "10.0.0.0/24",
    gateway: "10.0.0.1",
  });
});

test("takes a subnet of each family, and tells them", () => {
  const Config = [{ Subnet: "fd00:1::/64", Gateway: "fd00:1::9" }, { Subnet: "10.0.0.0/24" }];
  assert.deepEqual(read({ EnableIPv6: true, IPAM: { Config } }), {
    name: "net",
    internal: false,
    labels: {},
    subnet: "10.0.0.0/24",
    ipv6: { subnet: "fd00:1::/64", gateway: "fd00:1::9" },
  });
  assert.deepEqual(read({ EnableIPv6: true }).ipv6, {});
  const [first, ...rest] = NETWORK.endpoints;
  const endpoints = first === undefined ? [] : [{ ...first, address6: "fd00:1::2" }, ...rest];
  const ipv6 = { subnet: "fd00:1::/64", gateway: "fd00:1::9" };
  const json = networkJson({ ...NETWORK, ipv6, endpoints }, new Map([["c1", "web"]]));
  assert.equal(json.EnableIPv6, true);
  assert.match(JSON.stringify(json.IPAM), /10\.0\.0\.0\/24.*fd00:1::\/64","Gateway":"fd00:1::9/);
  assert.match(JSON.stringify(json.Containers), /"IPv6Address":"fd00:1::2\/64"/);
});

test("refuses by name what networks cannot be", () => {
  const refused = (body: object, code: string, message: RegExp) =>
    assert.throws(() => read(body), { code, message });
  refused({ Name: "" }, "BAD_REQUEST", /cannot be empty/);
  refused({ Driver: "overlay" }, "NO_SUCH_PAGE", /plugin "overlay" not found/);
  refused({ IPAM: { Config: [{ Subnet: "fd00::/64" }] } }, "UNSUPPORTED", /without EnableIPv6/);
  refused({ Options: { mtu: "9000" } }, "UNSUPPORTED", /option mtu/);
  refused({ IPAM: { Config: [{ IPRange: "10.0.0.0/28" }] } }, "UNSUPPORTED", /IPRange/);
  refused({ IPAM: { Config: [{}, {}] } }, "UNSUPPORTED", /more than one subnet/);
});

test("of any body that fits the schema throws nothing but a refusal", () => {
  fc.assert(
    fc.property(fittingBody(networkCreateBody), (body) => {
      try {
        readNetworkCreate(readBySchema(networkCreateBody, body));
      } catch (error) {
        assert.ok(error instanceof DvmError, String(error));
      }
    }),
  );
});

test("tells of a network's members those alone that the asker may see", () => {
  const json = networkJson(NETWORK, new Map([["c2", "web"]]));
  assert.deepEqual(Object.keys(json.Containers as object), ["c2"]);
  assert.match(JSON.stringify(json.Containers), /"Name":"web".*"IPv4Address":"10.0.0.3\/24"/);
  assert.equal(networkJson(BUILT_IN, new Map()).Created, "0001-01-01T00:00:00Z");
});

test("takes the networks that every filter accepts", () => {
  const taken = (filters: Record<string, string[]>) =>
    [NETWORK, BUILT_IN]
      .filter((view) => acceptsNetwork(new Filters(new Map(Object.entries(filters))), view))
      .map(({ name }) => name);
  assert.deepEqual(taken({}), ["net", "none"]);
  assert.deepEqual(taken({ type: ["custom"] }), ["net"]);
  assert.deepEqual(taken({ name: ["^no"] }), ["none"]);
  assert.deepEqual(taken({ dangling: ["true"] }), []);
  assert.deepEqual(taken({ label: ["a=c"] }), []);
  assert.throws(() => taken({ type: ["x"] }), { code: "BAD_REQUEST" });
});
