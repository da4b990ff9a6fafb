import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { TestUser } from "./test-dvm.ts";

const user = new TestUser();
after(() => user[Symbol.dispose]());

/** What a script prints in a container with these flags, both streams in one. */
async function says(flags: string, script: string, image = "busybox"): Promise<string> {
  const words = flags === "" ? [] : flags.split(" ");
  const { out } = await user.dvm([
    "run",
    "--rm",
    ...words,
    image,
    "sh",
    "-c",
    `exec 2>&1; ${script}`,
  ]);
  return out;
}

const STATUS =
  "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | cut -f2 | tr '\\n' ' '";

describe("what a container of dvm run may do", () => {
  const sets: [string, string][] = [
    ["", "00000000a80425fb 00000000a80425fb 0 2 "],
    ["--cap-drop ALL", "0000000000000000 0000000000000000 0 2 "],
    [
      "--cap-drop ALL --cap-add NET_BIND_SERVICE --cap-add cap_chown --security-opt no-new-privileges",
      "0000000000000401 0000000000000401 1 2 ",
    ],
    [
      "--cap-add ALL --cap-drop SYS_ADMIN --security-opt seccomp=unconfined",
      "000001ffffdfffff 000001ffffdfffff 0 0 ",
    ],
    ["-u 1000 --security-opt no-new-privileges:false", "0000000000000000 00000000a80425fb 0 2 "],
    ["--privileged", "000001ffffffffff 000001ffffffffff 0 0 "],
  ];
  for (const [flags, expected] of sets) {
    it(`is ${flags || "Docker's default set"}`, async () => {
      assert.equal(await says(flags, STATUS), expected);
    });
  }

  it("leaves out what Docker leaves out: mounts, clocks, namespaces, kernel settings, the log", async () => {
    const tries = [
      "mount -t tmpfs x /tmp",
      "unshare -U true",
      "date -s 2020-01-01 >/dev/null; test $(date +%Y) = 2020",
      "hostname other",
      "echo 1 >/proc/sys/kernel/panic",
      "mkdir /sys/fs/cgroup/mine",
      "dmesg",
      "reboot -f",
      "mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk",
    ];
    const script = tries
      .map((line, index) => `(${line}) >/dev/null 2>&1 && echo ${index}`)
      .join("; ");
    assert.equal(await says("", `${script}; echo alive`), "alive\n");
  });

  it("hides the kernel's own files", async () => {
    const script =
      "cat /proc/keys /proc/timer_list /proc/interrupts /proc/kcore 2>/dev/null | wc -c; ls /sys/firmware | wc -l; touch /proc/bus/x 2>/dev/null || echo ro";
    assert.equal(await says("", script), "0\n0\nro\n");
  });

  it("is less with --userns private: its root is another user than the guest's", async () => {
    const script =
      "tr -s ' ' </proc/self/uid_map; id -u; stat -c %u /proc/sys /bin; touch /x; chown 5:6 /x; stat -c %u:%g /x";
    // the owner of the kernel's own files is nobody there
    assert.equal(await says("--userns private", script), " 0 100000 65536\n0\n65534\n0\n5:6\n");
    const both = ["--userns", "private", "--privileged", "busybox", "true"];
    const { code, err } = await user.dvm(["run", "--rm", ...both]);
    assert.match(err, /^dvm: privileged mode is incompatible/);
    assert.equal(code, 125);
  });

  it("follows a seccomp profile of the user's own", async () => {
    const profile = join(user.folder, "profile.json");
    const syscalls = [
      { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 38 },
      { names: ["symlink", "symlinkat"], action: "SCMP_ACT_ERRNO" },
    ];
    writeFileSync(profile, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls }));
    const out = await says(
      `--security-opt seccomp=${profile}`,
      "mkdir /x; ln -s a /b; touch /c && echo ok",
    );
    assert.match(out, /Function not implemented\n.*Operation not permitted\nok\n/);
  });

  it("refuses a seccomp profile that is none, saying what is wrong", async () => {
    const profile = join(user.folder, "broken.json");
    for (const [text, message] of [
      ["{", /seccomp profile \(.*broken\.json\) failed/],
      ['{"defaultAction":"NOPE"}', /action at defaultAction: "NOPE"\n {2}hint: /],
    ] as const) {
      writeFileSync(profile, text);
      const words = ["run", "--rm", "--security-opt", `seccomp=${profile}`, "busybox", "true"];
      const { code, err } = await user.dvm(words);
      assert.match(err, message);
      assert.equal(code, 125);
      assert.deepEqual(user.leftovers(), []);
    }
  });

  it("lets setuid programs and file capabilities work, but not under no-new-privileges", async () => {
    const make =
      "cp /usr/bin/id /usr/bin/sid; chmod u+s /usr/bin/sid; cp /usr/sbin/capsh /usr/bin/able; setcap cap_net_raw+ep /usr/bin/able";
    const look = (flags: string) =>
      `setpriv ${flags} --reuid 1000 --regid 1000 --clear-groups sh -c 'sid -u; able --print | head -1'`;
    const out = await says("", `${make}; ${look("")}; ${look("--no-new-privs")}`, "debian");
    assert.equal(out, "0\nCurrent: cap_net_raw=ep\n1000\nCurrent: =\n");
  });
});

describe("what a container of dvm run may write", () => {
  it("is its tmpfs alone with --read-only", async () => {
    const script =
      "for f in /x /etc/x /etc/hosts /dev/shm/x /tmp/x /run/x /a/b/x; do touch $f 2>/dev/null && echo $f; done; stat -c '%a %u' /run; cp /bin/busybox /run/true && /run/true && echo runs; cp /bin/busybox /tmp/true; /tmp/true 2>/dev/null || echo noexec; df /run | tail -1 | tr -s ' ' | cut -d' ' -f2";
    const flags =
      "--read-only --tmpfs /tmp --tmpfs /run:size=3m,mode=700,uid=5,exec --tmpfs /a/b:ro";
    const out = await says(flags, script);
    assert.equal(out, "/dev/shm/x\n/tmp/x\n/run/x\n700 5\nruns\nnoexec\n3072\n");
  });

  it("has the size that --storage-opt and --shm-size give it", async () => {
    const script = "df -k / /dev/shm | tail -2 | tr -s ' ' | cut -d' ' -f2";
    const [root = 0, shm] = (await says("--storage-opt size=64m --shm-size 1m", script))
      .split("\n")
      .map(Number);
    assert.ok(root > 32_000 && root <= 65_536, String(root));
    assert.equal(shm, 1024);
  });
});
