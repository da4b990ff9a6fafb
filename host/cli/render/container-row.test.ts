import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readBySchema } from "../../api/docker/schema.ts";
import { portsText } from "./container-row.ts";
import { eventRenderer } from "./event-line.ts";
import { binarySize } from "./size.ts";
import { statsRow, statsSample } from "./stats-row.ts";

const port = (inside: number, outside?: number, IP = "0.0.0.0", Type = "tcp") => ({
  IP: outside === undefined ? "" : IP,
  PrivatePort: inside,
  PublicPort: outside,
  Type,
});

describe("ports", () => {
  for (const [ports, text] of [
    [[], ""],
    [[port(80)], "80/tcp"],
    [[port(80, 8080)], "0.0.0.0:8080->80/tcp"],
    [[port(81, 8081), port(80, 8080)], "0.0.0.0:8080-8081->80-81/tcp"],
    [[port(80, 8080), port(81, 9000)], "0.0.0.0:8080->80/tcp, 0.0.0.0:9000->81/tcp"],
    [[port(80, 80, "::"), port(53, undefined, "", "udp")], "[::]:80->80/tcp, 53/udp"],
    [[port(80), port(81), port(83)], "80-81/tcp, 83/tcp"],
  ] as const)
    it(`are ${text || "nothing"}`, () => assert.equal(portsText(ports), text));
});

describe("a sample", () => {
  it("becomes shares, sizes and counts", () => {
    const sample = readBySchema(statsSample, {
      name: "/web",
      id: "ab".repeat(32),
      cpu_stats: { cpu_usage: { total_usage: 300 }, system_cpu_usage: 2000, online_cpus: 2 },
      precpu_stats: { cpu_usage: { total_usage: 100 }, system_cpu_usage: 1000 },
      memory_stats: { usage: 3 * 2 ** 20, limit: 8 * 2 ** 20, stats: { inactive_file: 2 ** 20 } },
      networks: { eth0: { rx_bytes: 1500, tx_bytes: 20 }, eth1: { rx_bytes: 500, tx_bytes: 0 } },
      blkio_stats: { io_service_bytes_recursive: [{ op: "Read", value: 4000 }] },
      pids_stats: { current: 3 },
    });
    assert.deepEqual(statsRow(sample, { reference: "web", whole: false }), {
      BlockIO: "4kB / 0B",
      CPUPerc: "40.00%",
      Container: "web",
      ID: "abababababab",
      MemPerc: "25.00%",
      MemUsage: "2MiB / 8MiB",
      Name: "web",
      NetIO: "2kB / 20B",
      PIDs: "3",
    });
  });

  it("of a container that does not run has zeros", () => {
    const row = statsRow(readBySchema(statsSample, {}), { reference: "web", whole: false });
    assert.deepEqual([row.CPUPerc, row.MemUsage, row.MemPerc], ["0.00%", "0B / 0B", "0.00%"]);
  });
});

describe("an event", () => {
  const line = `{"status":"die","id":"ab","Type":"container","Action":"die","Actor":{"ID":"ab","Attributes":{"name":"web","exitCode":"0"}},"scope":"local","time":1700000000,"timeNano":1700000000123456789}`;

  it("is a line of text, its attributes in order", () => {
    assert.equal(
      eventRenderer(undefined)(line),
      "2023-11-14T22:13:20.123456789Z container die ab (exitCode=0, name=web)\n",
    );
  });

  it("keeps all digits of its time in JSON and in templates", () => {
    assert.equal(eventRenderer("json")(line), `${line}\n`);
    assert.equal(eventRenderer("{{json .}}")(line), `${line}\n`);
    const template = "{{.TimeNano}} {{.ID}} {{.Actor.Attributes.name}} {{.Status}}";
    assert.equal(eventRenderer(template)(line), "1700000000123456789 ab web die\n");
  });
});

it("binary sizes have four digits", () => {
  assert.deepEqual([0, 1023, 1024, 1_234_567, 2 ** 40].map(binarySize), [
    "0B",
    "1023B",
    "1KiB",
    "1.177MiB",
    "1TiB",
  ]);
});
