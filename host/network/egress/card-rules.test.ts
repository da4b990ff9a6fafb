import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { cardTable, pinElements, removeTable } from "./card-rules.ts";
import { parseEgress } from "./egress-policy.ts";

const CARD = { tap: "dvt-0", nameServers: ["10.9.0.1", "fd00::1"], logGroup: 30_000 };
const ALL =
  "allow=public,a.test:80,10.0.0.0/8,10.1.0.0/16:80,fd00::/8,169.254.169.254,0.0.0.0/0,::/0";

describe("the rules of a card", () => {
  it("name what may be reached, guarded addresses before wider ranges", () => {
    const text = cardTable({ ...CARD, egress: parseEgress(ALL) });
    const places = [
      "ip daddr 10.9.0.1 meta l4proto { tcp, udp } th dport 53 accept",
      "ip daddr 10.1.0.0/16 meta l4proto { tcp, udp } th dport 80 accept",
      "th dport 53 goto refuse",
      "ip daddr 169.254.169.254/32 accept",
      "169.254.0.0/16,",
      "ip daddr 0.0.0.0/0 accept",
      "ip daddr @pins4 fib daddr type != local accept",
      "fib daddr type {",
    ].map((line) => text.indexOf(line));
    assert.ok(!places.includes(-1), `${places}`);
    assert.deepEqual(
      places,
      [...places].sort((a, b) => a - b),
    );
    assert.match(text, /goto refuse\n {2}\}/);
  });

  it("let what is said of neighbours go to neighbours alone", () => {
    const said = (subnet6: { subnet6?: string }) =>
      cardTable({ ...CARD, ...subnet6, egress: parseEgress("deny") })
        .split("\n")
        .filter((line) => line.includes("nd-neighbor-solicit"))
        .map((line) => line.trim());
    const rule = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept";
    assert.deepEqual(said({}), [`ip6 daddr { ff02::/16, fe80::/10 } ${rule}`]);
    assert.deepEqual(said({ subnet6: "fd00:9::/64" }), [
      `ip6 daddr { ff02::/16, fe80::/10, fd00:9::/64 } ${rule}`,
    ]);
  });

  it("are no more than a rate where there is no policy", () => {
    const text = cardTable({ ...CARD, rateOut: 8e6 });
    assert.match(text, /limit rate over 1000000 bytes\/second/);
    assert.doesNotMatch(text, /refuse|flows/);
  });

  it("are taken by nft, as are pins, twice, and the table's end", {
    skip: process.getuid?.() !== 0,
  }, () => {
    const pins = [
      { address: "1.1.1.1", lifetime: 10 },
      { address: "1.1.1.1", port: 80, lifetime: 20 },
      { address: "2606::1", lifetime: 10 },
      { address: "2606::1", port: 80, lifetime: 20 },
    ];
    const script = `ip tuntap add dev dvt-0 mode tap
printf '%s' "$TABLE" | nft -f -; printf '%s' "$PINS" | nft -f -; printf '%s' "$PINS" | nft -f -
nft list set netdev dvt-0 pins4_port; printf '%s' "$END" | nft -f -; printf '%s' "$END" | nft -f -; nft list tables`;
    const env = {
      PATH: process.env.PATH,
      TABLE: cardTable({ ...CARD, subnet6: "fd00:9::/64", egress: parseEgress(ALL), rateOut: 1e6 }),
      PINS: pinElements("dvt-0", pins),
      END: removeTable("dvt-0"),
    };
    // in a network namespace that ends with the call
    const out = execFileSync("unshare", ["-n", "sh", "-ec", script], { env }).toString();
    assert.match(out, /1\.1\.1\.1 \. 80 timeout 20s/);
    assert.doesNotMatch(out, /table netdev dvt-0\n$/);
  });
});
