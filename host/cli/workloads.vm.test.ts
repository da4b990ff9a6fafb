import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { TestUser, until } from "./test-dvm.ts";

const user = new TestUser();
after(() => user[Symbol.dispose]());

const PLACES = ["folder", "volume", "disk"];
const PACKAGES = ["one", "two", "three"];
const ROWS = 2000;

/** Has a script run in the container. @returns its output */
async function exec(container: string, script: string): Promise<string> {
  const { out, err, code } = await user.dvm(["exec", container, "sh", "-ec", script]);
  assert.equal(code, 0, `${out}${err}`);
  return out;
}

before(async () => {
  mkdirSync(join(user.folder, "folder"));
  const size = ["-o", "type=disk", "-o", "size=512m"];
  for (const name of ["disk", "cluster"]) await user.dvm(["volume", "create", ...size, name]);
});

describe("on volumes and folders of the host", () => {
  const GIT = `git init -q source; cd source
    for i in $(seq 100); do echo $i >file-$i; done; git add .
    git -c user.name=n -c user.email=e commit -qm first; cd ..
    git clone -q --no-local source clone; cd clone; git fsck --strict 2>/dev/null; git status --short; ls | wc -l`;
  const NPM = `cp -r /project .; cd project; node /npm/bin/npm-cli.js ci --silent --offline --no-audit
    node -p 'require("two")'; node_modules/.bin/three`;
  const FIO = `for engine in psync mmap "libaio --direct=1 --iodepth=8"; do
      fio --name=checked --thread --directory=. --size=1m --bs=4k --rw=randwrite --verify=crc32c --verify_fatal=1 \\
        --output=/dev/null --ioengine=$engine && echo $engine
    done`;
  const SQL = `PRAGMA journal_mode=WAL; CREATE TABLE t (n INTEGER PRIMARY KEY, s TEXT);
    WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c WHERE n < ${ROWS})
    INSERT INTO t SELECT n, hex(randomblob(20)) FROM c;
    UPDATE t SET s = 'x' WHERE n % 2; DELETE FROM t WHERE n > 1500;
    PRAGMA wal_checkpoint; PRAGMA integrity_check; SELECT count(*), sum(n) FROM t;`;

  before(async () => {
    const project = makeProject(join(user.folder, "project"));
    const npm = dirname(dirname(realpathSync(which("npm"))));
    const shared = [`${project}:/project:ro`, `${npm}:/npm:ro`, `${process.execPath}:/bin/node:ro`];
    const mounts = [`${join(user.folder, "folder")}:/v/folder`, "volume:/v/volume", "disk:/v/disk"];
    const flags = [...mounts, ...shared].flatMap((each) => ["-v", each]);
    const words = ["run", "-d", "--name", "tools", "--network", "none", "-m", "512m", ...flags];
    const { err, code } = await user.dvm([...words, "workloads", "sleep", "10000"]);
    assert.equal(code, 0, err);
  });
  after(() => user.dvm(["rm", "-f", "tools"]));

  it("apt-get installs packages into the root", async () => {
    const list = "deb [trusted=yes] file:/srv/packages ./";
    const script = `rm -f /etc/apt/sources.list.d/*; echo '${list}' >/etc/apt/sources.list
      apt-get -qq update; apt-get -qq install -y sqlite3 >/dev/null 2>&1
      dpkg -s sqlite3 | grep ^Status; sqlite3 :memory: 'select 6 * 7'`;
    assert.equal(await exec("tools", script), "Status: install ok installed\n42\n");
  });

  // the programs of npm and Node themselves come from folders of the host
  it("npm ci installs in a folder", async () => {
    assert.equal(await exec("tools", `cd /v/folder; ${NPM}`), "two\nthree\n");
  });

  for (const place of ["folder", "disk"]) {
    it(`fio reads in a ${place} what it has written, however it writes`, async () => {
      const answer = await exec("tools", `cd /v/${place}; ${FIO}`);
      assert.equal(answer, "psync\nmmap\nlibaio --direct=1 --iodepth=8\n");
    });
  }

  for (const place of PLACES) {
    it(`git clones in a ${place}`, async () => {
      assert.equal(await exec("tools", `cd /v/${place}; ${GIT}`), "100\n");
    });

    // what apt-get has installed
    it(`SQLite keeps a database in a ${place}`, async () => {
      const answer = await exec("tools", `cd /v/${place}; echo "${SQL}" | sqlite3 db`);
      assert.match(answer, /^wal\n0\|\d+\|\d+\nok\n1500\|1125750\n$/);
      assert.equal(
        await exec("tools", `sqlite3 /v/${place}/db 'select count(*) from t'`),
        "1500\n",
      );
    });
  }
});

describe("PostgreSQL", () => {
  const CLUSTERS = ["disk", "folder"];
  const SERVER = "/usr/lib/postgresql/15/bin";
  const START = CLUSTERS.map(
    (name, index) =>
      `su postgres -c "${SERVER}/pg_ctl -w -D /v/${name}/cluster -o '-p ${5000 + index} -c jit=off -k /tmp' -l /tmp/${name}.log start" >/dev/null`,
  ).join("\n");
  const words = (name: string) => {
    const mounts = ["-v", "cluster:/v/disk", "-v", `${join(user.folder, "folder")}:/v/folder`];
    return ["run", "--name", name, "--network", "none", "-m", "512m", ...mounts, "workloads"];
  };
  const ask = (index: number, sql: string) =>
    `psql -h /tmp -p ${5000 + index} -U postgres -qAt -c '${sql}'`;

  it("has all that it has committed after its machine was killed", async () => {
    const prepare = `cd /; mkdir -m 700 /v/disk/cluster; chown postgres /v/disk/cluster
      su postgres -c "${SERVER}/initdb -D /v/disk/cluster -A trust --locale=C" >/dev/null
      cp -a /v/disk/cluster /v/folder/
      ${START}
      ${ask(0, "create table t (n int)")}; ${ask(1, "create table t (n int)")}
      for n in $(seq 100000); do
        ${ask(0, "insert into t values ('$n')")} && echo disk $n
        ${ask(1, "insert into t values ('$n')")} && echo folder $n
      done`.replaceAll("\\'", "'");
    const writer = user.start([...words("writer"), "sh", "-ec", prepare]);
    await writer.says("folder 8\n");
    const { out: pid } = await user.dvm(["inspect", "-f", "{{.State.Pid}}", "writer"]);
    process.kill(Number(pid), "SIGKILL");
    const { out } = await writer.result;

    await user.dvm(["rm", "writer"]);
    const [verb = "", ...rest] = words("reader");
    await user.dvm([verb, "-d", ...rest, "sleep", "10000"]);
    for (const [index, name] of CLUSTERS.entries()) {
      const rows = out.match(new RegExp(`^${name} \\d+$`, "gm"))?.length;
      assert.ok(rows !== undefined);
      const found = await exec(
        "reader",
        `${index === 0 ? START : ""}\n${ask(index, "select count(*), max(n) from t")}`,
      );
      const [count = 0, last = 0] = found.trim().split("|").map(Number);
      assert.equal(count, last);
      assert.ok(count === rows || count === rows + 1, `${name}: ${rows} committed, ${count} found`);
    }
    await user.dvm(["rm", "-f", "reader"]);
  });
});

describe("stress-ng stays within the limits, as they are seen from outside:", () => {
  /** Runs it until `look` has seen enough, which is given the machine's process. */
  async function stressed<T>(
    flags: string,
    stressors: string,
    look: (pid: number) => Promise<T>,
  ): Promise<T> {
    const words = ["run", "-d", "--name", "stressed", "--network", "none", ...flags.split(" ")];
    const command = `cd /tmp; stress-ng ${stressors} --timeout 1000; sleep 1000`;
    const { err, code } = await user.dvm([...words, "workloads", "sh", "-c", command]);
    assert.equal(code, 0, err);
    const show = () => user.dvm(["top", "stressed"]);
    await until("stress-ng", async () => (await show()).out.split("stress-ng").length > 3);
    try {
      return await look(
        Number((await user.dvm(["inspect", "-f", "{{.State.Pid}}", "stressed"])).out),
      );
    } finally {
      await user.dvm(["rm", "-f", "stressed"]);
    }
  }

  it("processors", async () => {
    const used = await stressed("--cpus 0.5", "--cpu 2", (pid) => rateOf(() => processorTime(pid)));
    assert.ok(used < 0.6, `${used} processors`);
  });

  it("the processors that it may run on", async () => {
    const used = await stressed("--cpuset-cpus 1", "--cpu 2", async (pid) => {
      const from = threadTimes(pid);
      await setTimeout(4000);
      const times = [...threadTimes(pid)].map(([id, time]) => time - (from.get(id) ?? 0));
      return times.sort((one, other) => other - one);
    });
    // the machine has a processor 0 too, which is a thread as well
    const [most = 0, next = 0] = used;
    assert.ok(used.length >= 3 && most > 4 * next, `${used} seconds`);
  });

  it("memory", async () => {
    const most = await stressed(
      "-m 64m --memory-swap 64m",
      "--vm 2 --vm-bytes 400m",
      async (pid) => {
        await setTimeout(3000);
        return (
          Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024
        );
      },
    );
    // the guest's own kernel, and QEMU
    assert.ok(most < 64 + 200, `${most} MiB`);
  });

  it("processes", async () => {
    const most = await stressed("--pids-limit 20", "--fork 50", async () => {
      const format = ["stats", "--no-stream", "--format", "{{.PIDs}}", "stressed"];
      return Number((await user.dvm(format)).out);
    });
    assert.ok(most > 5 && most <= 20, `${most} processes`);
  });

  // what QEMU writes is its user's to see when that is root
  it("writes to its disk", { skip: process.getuid?.() !== 0 }, async () => {
    const limit = 4 * 2 ** 20;
    const flags = `--device-write-bps /dev/sda:${limit}`;
    const rate = await stressed(flags, "--hdd 1 --hdd-bytes 64m --hdd-opts direct", (pid) =>
      rateOf(() => Number(/wchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1])),
    );
    assert.ok(rate > 0 && rate < 1.1 * limit, `${rate} bytes a second`);
  });
});

// what QEMU reads and writes is its user's to see when that is root
describe("fio stays within the limits of disks, as they are seen from outside:", {
  skip: process.getuid?.() !== 0,
}, () => {
  const LIMITS = { bps: 6 * 2 ** 20, iops: 150 };
  const BLOCK = 4096;
  let pid = 0;

  before(async () => {
    const rates = ["read", "write"].flatMap((way) =>
      Object.entries(LIMITS).flatMap(([of, rate]) => [`--device-${way}-${of}`, `/dev/sda:${rate}`]),
    );
    const words = ["run", "-d", "--name", "limited", "--network", "none", ...rates];
    const { err, code } = await user.dvm([...words, "workloads", "sleep", "10000"]);
    assert.equal(code, 0, err);
    pid = Number((await user.dvm(["inspect", "-f", "{{.State.Pid}}", "limited"])).out);
    await exec("limited", `${FIO} --rw=read --bs=1m --create_only=1 >/dev/null`);
  });
  after(() => user.dvm(["rm", "-f", "limited"]));

  const FIO = "fio --name=limited --filename=/file --size=16m --direct=1 --thread";
  const cases: [string, string, "rchar" | "wchar", number][] = [
    ["bytes that are read", "--rw=read --bs=256k", "rchar", LIMITS.bps],
    ["bytes that are written", "--rw=write --bs=256k", "wchar", LIMITS.bps],
    ["reads", `--rw=randread --bs=${BLOCK}`, "rchar", LIMITS.iops * BLOCK],
    ["writes", `--rw=randwrite --bs=${BLOCK}`, "wchar", LIMITS.iops * BLOCK],
  ];
  for (const [name, flags, counter, limit] of cases) {
    it(name, async () => {
      const moved = () =>
        Number(new RegExp(`${counter}: (\\d+)`).exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);
      const before = moved();
      const script = `echo $$ >/fio; exec ${FIO} ${flags} --loops=1000`;
      const work = user.start(["exec", "limited", "sh", "-c", script]);
      try {
        await until("fio", () => moved() - before > limit);
        const rate = await rateOf(moved);
        assert.ok(rate > 0 && rate < 1.1 * limit, `${rate} bytes a second, ${limit} allowed`);
      } finally {
        await exec("limited", "kill $(cat /fio)");
        await work.result;
      }
    });
  }
});

/** How fast a figure grows, a `second`. */
async function rateOf(figure: () => number): Promise<number> {
  const [from, started] = [figure(), performance.now()];
  await setTimeout(4000);
  return (figure() - from) / ((performance.now() - started) / 1000);
}

/** Of a process, in `seconds`. */
function processorTime(pid: number): number {
  return timeOf(`/proc/${pid}`);
}

/** Of each of its threads by number. */
function threadTimes(pid: number): Map<string, number> {
  const folder = `/proc/${pid}/task`;
  return new Map(readdirSync(folder).map((id) => [id, timeOf(join(folder, id))]));
}

/** Of a process or thread, in `seconds` (proc(5), /proc/PID/stat; ticks of 10 ms). */
function timeOf(folder: string): number {
  const stat = readFileSync(join(folder, "stat"), "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** A project whose packages are archives beside it, as `npm install` has locked it. @returns its folder */
function makeProject(folder: string): string {
  mkdirSync(folder);
  const npm = (cwd: string, ...words: string[]) =>
    execFileSync("npm", [...words, "--silent"], { cwd, stdio: "pipe" });
  for (const name of PACKAGES) {
    const source = join(user.folder, name);
    mkdirSync(join(source, "lib"), { recursive: true });
    const main = `#!/usr/bin/env node\nmodule.exports = "${name}";\nif (require.main === module) console.log("${name}");\n`;
    writeFileSync(join(source, "lib/main.js"), main);
    for (let each = 0; each < 20; each++) writeFileSync(join(source, "lib", `${each}.js`), main);
    const description = {
      name,
      version: "1.0.0",
      main: "lib/main.js",
      bin: { [name]: "lib/main.js" },
    };
    writeFileSync(join(source, "package.json"), JSON.stringify(description));
    npm(source, "pack", "--pack-destination", folder);
  }
  const dependencies = Object.fromEntries(PACKAGES.map((name) => [name, `file:${name}-1.0.0.tgz`]));
  const description = { name: "project", version: "1.0.0", dependencies };
  writeFileSync(join(folder, "package.json"), JSON.stringify(description));
  npm(folder, "install", "--offline", "--package-lock-only");
  return folder;
}

function which(program: string): string {
  return execFileSync("sh", ["-c", 'command -v "$0"', program], { encoding: "utf8" }).trim();
}
