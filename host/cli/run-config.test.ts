import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseFlags } from "./parse/flag-set.ts";
import { runConfig } from "./run-config.ts";
import { allRunFlags } from "./run-flags.ts";

function configOf(...words: string[]) {
  const { values, args } = parseFlags(allRunFlags, words, { interspersed: false });
  const [image = "", ...command] = args;
  return runConfig({ values, image, command, environment: { FROM_HERE: "yes" } });
}

describe("run's flags", () => {
  it("leave out what is not given, so that the image's own counts", () => {
    const config = configOf("busybox");
    assert.equal("user" in config, false);
    assert.equal("entrypoint" in config, false);
    assert.deepEqual(config.resources, {});
    assert.equal(config.seccomp, "default");
    assert.equal(config.network, "default");
  });

  it("take the network by its old names too", () => {
    const config = configOf("--net=none", "--net-alias", "a", "b");
    assert.equal(config.network, "none");
    assert.deepEqual(config, configOf("--network", "none", "--network-alias=a", "b"));
  });

  it("give the command every word after the image", () => {
    const config = configOf("--rm", "busybox", "ls", "--rm", "-la");
    assert.deepEqual([config.image, config.command], ["busybox", ["ls", "--rm", "-la"]]);
  });

  it("take the entrypoint away with an empty one", () => {
    assert.deepEqual(configOf("--entrypoint", "", "b").entrypoint, []);
    assert.deepEqual(configOf("--entrypoint", "/x", "b").entrypoint, ["/x"]);
  });

  it("take values of variables from dvm's own environment", () => {
    assert.deepEqual(configOf("-e", "FROM_HERE", "-e", "A=1", "-e", "UNSET", "b").env, [
      "FROM_HERE=yes",
      "A=1",
      "UNSET",
    ]);
  });

  it("carry limits in the engine's units", () => {
    const { resources, shmSize, storageSize } = configOf(
      ..."-m 64m --memory-swap -1 --cpus 1.5 -c 512 --cpuset-cpus 0,1 --pids-limit 9".split(" "),
      ..."--shm-size 1m --storage-opt size=1g b".split(" "),
    );
    assert.deepEqual(resources, {
      memory: 64 * 2 ** 20,
      memorySwap: -1,
      nanoCpus: 1.5e9,
      cpuShares: 512,
      cpusetCpus: "0,1",
      pids: 9,
    });
    assert.deepEqual([shmSize, storageSize], [2 ** 20, 2 ** 30]);
  });

  it("ask for a user namespace of the container's own, or for none", () => {
    assert.equal(configOf("--userns", "private", "b").userNamespace, "private");
    assert.equal("userNamespace" in configOf("--userns", "host", "b"), false);
    assert.throws(() => configOf("--userns", "other", "b"), {
      message: /must be one of host, private$/,
    });
  });

  it("lift seccomp with --privileged, unless a profile is named", () => {
    assert.equal(configOf("--privileged", "b").seccomp, "unconfined");
  });

  const refused: [string[], RegExp][] = [
    [
      ["--pull", "bogus", "b"],
      /^invalid pull option: 'bogus': must be one of "always", "missing" or "never"$/,
    ],
    [["--stop-signal", "FOO", "b"], /^invalid signal: FOO$/],
    [["--storage-opt", "speed=9", "b"], /^unknown storage option: speed$/],
    [["--accel", "xen", "b"], /must be one of auto, kvm, tcg$/],
    [["-a", "foo", "b"], /valid streams are STDIN, STDOUT and STDERR$/],
  ];
  for (const [words, message] of refused) {
    it(`are refused: ${words.join(" ")}`, () =>
      assert.throws(() => configOf(...words), { message }));
  }
});
