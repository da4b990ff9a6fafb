import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RecordingSyscalls } from "../syscalls/recording-syscalls.ts";
import { listeners } from "./listeners.ts";

const HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n";
const line = (local: string, state: string) =>
  `   0: ${local} ${local.length > 13 ? "0".repeat(32) : "00000000"}:0000 ${state} 00000000:00000000 00:00000000 00000000 0 0 1\n`;

function machine(tables: Readonly<Record<string, readonly string[]>>) {
  let recording = new RecordingSyscalls();
  for (const [name, lines] of Object.entries(tables))
    recording = recording.file(`/proc/net/${name}`, HEAD + lines.join(""));
  return recording.sys;
}

describe("listeners", () => {
  it("are sockets that others can reach, once each", () => {
    const sys = machine({
      tcp: [line("00000000:0050", "0A"), line("0100007F:0CEA", "0A"), line("0F02000A:1F90", "0A")],
      tcp6: [
        line(`${"0".repeat(32)}:0050`, "0A"),
        line("00000000000000000000000001000000:0051", "0A"),
        line("0000000000000000FFFF00000100007F:0052", "0A"),
      ],
      udp: [line("00000000:0035", "07"), line("00000000:C000", "07"), line("00000000:0036", "01")],
    });
    assert.deepEqual(listeners(sys, []), [
      { protocol: "tcp", port: 80, waits: true },
      { protocol: "tcp", port: 8080, waits: true },
      { protocol: "udp", port: 53, waits: true },
    ]);
  });

  it("tell of a port whose connections are left, when it is asked for", () => {
    const sys = machine({
      tcp: [line("0F02000A:0050", "01"), line("0F02000A:0051", "01"), line("0F02000A:0052", "06")],
    });
    assert.deepEqual(listeners(sys, [80, 82]), [{ protocol: "tcp", port: 80, waits: false }]);
  });
});
