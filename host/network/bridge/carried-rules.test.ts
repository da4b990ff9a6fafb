import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { carriedRules } from "./carried-rules.ts";

const CARRIED = { tap: "dvt-b", mac: "02:64:0a:09:00:02" };

test("a card leads each address of what it carries to its network, and itself nowhere when it is in none", () => {
  const clean = "table netdev dvm-dvt-a\ndelete table netdev dvm-dvt-a\n";
  assert.equal(carriedRules({ tap: "dvt-a" }, []), clean);
  const carrying = carriedRules({ tap: "dvt-a" }, [CARRIED]);
  assert.match(carrying, /ether saddr 02:64:0a:09:00:02 fwd to "dvr-b"\n {2}\}/);
  assert.match(carrying, /device "dvr-b" .*\n {4}fwd to "dvt-a"/);
  assert.match(carriedRules({ tap: "dvt-a", idle: true }, [CARRIED]), /"dvr-b"\n {4}drop\n/);
  assert.match(carriedRules({ tap: "dvt-a", idle: true }, []), /accept;\n {4}drop\n/);
});

test("the rules are taken by nft", { skip: process.getuid?.() !== 0 }, () => {
  const script = `ip link add dvt-a type veth peer name dvt-c && ip link add dvt-b type veth peer name dvr-b && nft --check -f -`;
  for (const idle of [true, false]) {
    const input = carriedRules({ tap: "dvt-a", idle }, [CARRIED]);
    execFileSync("unshare", ["-n", "sh", "-c", script], { input });
  }
});
