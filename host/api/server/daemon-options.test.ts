import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DvmError } from "../../errors.ts";
import { parseDaemonOptions } from "./daemon-options.ts";

describe("dvmd's command line", () => {
  it("takes its options in long and short form", () => {
    const words = ["-H", "unix:///tmp/s", "--data-root=/d", "-D", "--shared", "--log-file", "l"];
    assert.deepEqual(parseDaemonOptions(words, "1"), {
      host: "unix:///tmp/s",
      dataRoot: "/d",
      shared: true,
      debug: true,
      logFile: "l",
      idleTime: undefined,
      experimental: false,
      poolSize: undefined,
      storageDriver: undefined,
    });
  });

  it("leaves out what is not given", () => {
    assert.deepEqual(parseDaemonOptions([], "1"), {
      host: undefined,
      dataRoot: undefined,
      shared: false,
      debug: false,
      logFile: undefined,
      idleTime: undefined,
      experimental: false,
      poolSize: undefined,
      storageDriver: undefined,
    });
  });

  it("takes a storage driver by its name, in the environment too", () => {
    const driver = (words: string[], environment = {}) => {
      const options = parseDaemonOptions(words, "1", environment);
      return typeof options === "string" ? options : options.storageDriver;
    };
    assert.equal(driver(["--storage-driver", "block"], { DVM_STORAGE_DRIVER: "overlay" }), "block");
    assert.equal(driver([], { DVM_STORAGE_DRIVER: "reflink" }), "reflink");
    assert.throws(() => driver(["--storage-driver", "aufs"]), { code: "STORAGE_INVALID" });
  });

  it("takes a time after which it ends, 0 for never", () => {
    const idleTime = (text: string) => {
      const options = parseDaemonOptions(["--idle-timeout", text], "1");
      return typeof options === "string" ? options : options.idleTime;
    };
    assert.deepEqual(["600", "0.5", "0"].map(idleTime), [600, 0.5, undefined]);
  });

  it("answers --help and --version with a text", () => {
    assert.match(
      String(parseDaemonOptions(["--help"], "1.2")),
      /Usage: dvmd \[options\].*--data-root/s,
    );
    assert.equal(parseDaemonOptions(["-v"], "1.2"), "dvmd version 1.2\n");
  });

  for (const words of [["--nope"], ["extra"], ["--host"], ["--idle-timeout", "1h"]]) {
    it(`refuses ${words.join(" ")}`, () => {
      assert.throws(
        () => parseDaemonOptions(words, "1"),
        (error) => error instanceof DvmError && error.code === "BAD_REQUEST",
      );
    });
  }
});
