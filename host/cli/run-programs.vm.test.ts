import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { TestUser } from "./test-dvm.ts";

const user = new TestUser();
after(() => user[Symbol.dispose]());

const PYTHON = `
import json, multiprocessing, os, socket, sqlite3, subprocess, sys, tempfile, threading
database = sqlite3.connect(os.path.join(tempfile.mkdtemp(), "db"))
database.execute("create table t (n integer, s text)")
database.executemany("insert into t values (?, ?)", [(n, "ü" * n) for n in range(1000)])
database.commit()
child = subprocess.run(["sh", "-c", "cat; exit 3"], input=b"to child", capture_output=True)
a, b = socket.socketpair()
thread = threading.Thread(target=lambda: a.sendall(b"hello")); thread.start(); thread.join()
with multiprocessing.Pool(2) as pool:
    squares = pool.map(abs, range(-3, 0))
print(json.dumps({
  "sum": database.execute("select sum(n), max(length(s)) from t").fetchone(),
  "child": [child.stdout.decode(), child.returncode],
  "socket": b.recv(9).decode(), "squares": squares, "stdin": sys.stdin.read(),
}))
sys.exit(5)
`;

const NODE = `
const http = require("node:http"), { Worker } = require("node:worker_threads"), zlib = require("node:zlib");
const server = http.createServer((request, response) => response.end("you asked for " + request.url));
server.listen(0, "127.0.0.1", async () => {
  const answer = await (await fetch("http://127.0.0.1:" + server.address().port + "/a?b")).text();
  const worker = new Worker("require('node:worker_threads').parentPort.postMessage(6 * 7)", { eval: true });
  worker.on("message", (number) => {
    const same = zlib.gunzipSync(zlib.gzipSync(Buffer.alloc(1e6))).length;
    require("node:child_process").exec("echo child", (error, stdout) => {
      console.log(JSON.stringify({ answer, number, same, stdout }));
      server.close(); process.exitCode = 6;
    });
  });
});
`;

describe("dvm run works for", () => {
  it("Python: a database, threads, processes, sockets", async () => {
    const { code, out, err } = await user.dvm(
      ["run", "--rm", "-i", "programs", "python3", "-c", PYTHON],
      "in",
    );
    assert.deepEqual(
      JSON.parse(out || "{}"),
      {
        sum: [499_500, 999],
        child: ["to child", 3],
        socket: "hello",
        squares: [3, 2, 1],
        stdin: "in",
      },
      err,
    );
    assert.equal(code, 5);
  });

  it("Node: a server that is its own client, a thread, a child", async () => {
    const { code, out, err } = await user.dvm(["run", "--rm", "programs", "node", "-e", NODE]);
    assert.deepEqual(
      JSON.parse(out || "{}"),
      {
        answer: "you asked for /a?b",
        number: 42,
        same: 1_000_000,
        stdout: "child\n",
      },
      err,
    );
    assert.equal(code, 6);
  });

  it("Debian: its package manager, perl, an editor, another user's shell", async () => {
    const script = [
      "apt-get --version | head -1",
      "dpkg -l | grep -c ^ii",
      // the image has no translations
      "dpkg --verify coreutils | grep -v ^missing",
      "mkdir -p p/DEBIAN && printf 'Package: p\\nVersion: 1\\nArchitecture: all\\nMaintainer: x\\nDescription: x\\n' >p/DEBIAN/control",
      "dpkg-deb -b p >/dev/null && dpkg -i p.deb >/dev/null && dpkg -s p | grep ^Status",
      "printf 'ione\\033:wq\\n' | vi -u NONE /note >/dev/null 2>&1; cat /note",
      'perl -e \'print join(",", sort map { $_ * 2 } 1..3), "\\n"\'',
      "su nobody -s /bin/sh -c 'id -un'",
    ].join("\n");
    const { out, err } = await user.dvm([
      "run",
      "--rm",
      "-w",
      "/tmp",
      "debian",
      "sh",
      "-c",
      script,
    ]);
    const [apt, packages, ...rest] = out.trim().split("\n");
    assert.match(apt ?? "", /^apt \d/, err);
    assert.ok(Number(packages) > 50, packages);
    assert.deepEqual(rest, ["Status: install ok installed", "one", "2,4,6", "nobody"], err);
  });
});
