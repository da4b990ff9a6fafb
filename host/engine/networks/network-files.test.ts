import assert from "node:assert/strict";
import { it } from "node:test";
import { networkFiles } from "./network-files.ts";
import { checkNetwork, NO_NETWORK } from "./prepare-network.ts";

const DNS = { servers: [], search: [], options: [] };
const LINE = "host-gateway host.docker.internal";

it("gives a name of the host its address in the container's network", () => {
  const config = { extraHosts: [LINE, "10.0.0.1 host-gateway"], dns: DNS };
  const { extraHosts } = networkFiles("box", config, { ...NO_NETWORK, gateway: "172.31.0.1" });
  assert.deepEqual(extraHosts, ["172.31.0.1 host.docker.internal", "10.0.0.1 host-gateway"]);
});

it("refuses a name of the host where that is not reached", () => {
  for (const network of ["none", "user"]) {
    const refusal = { code: "CONFIG_INVALID", message: /does not reach its host/ };
    assert.throws(() => checkNetwork({ network, extraHosts: [LINE] }), refusal);
  }
  for (const network of ["bridge", "host", "own"]) checkNetwork({ network, extraHosts: [LINE] });
});
