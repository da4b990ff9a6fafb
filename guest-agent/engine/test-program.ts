/** A program for the engine's test: harmless calls on the machine that builds, their results as JSON lines. */

import { readText } from "../container/file-access.ts";
import { decodeText, encodeText } from "../container/text.ts";
import { O_CREAT, O_WRONLY } from "../linux/fcntl.ts";
import { POLLIN } from "../linux/poll.ts";
import { RLIMITS } from "../linux/resource.ts";
import { exitCodeOf } from "../linux/wait.ts";
import type { Engine } from "../syscalls/engine.ts";
import { kernelSyscalls } from "../syscalls/kernel-syscalls.ts";
import { isSyscallError } from "../syscalls/syscalls.ts";

declare const engine: Engine;

const sys = kernelSyscalls(engine);
const folder = engine.arguments[1] ?? "/nowhere";

function tell(name: string, value: unknown): void {
  sys.write(1, encodeText(`${JSON.stringify([name, value])}\n`));
}

function codeOf(step: () => unknown): string {
  try {
    step();
    return "no error";
  } catch (error) {
    return isSyscallError(error) ? error.message : String(error);
  }
}

function inChild(life: () => void): number {
  const pid = sys.fork();
  if (pid === 0) {
    life();
    sys.exit(0);
  }
  return exitCodeOf(sys.wait4(pid, 0)?.status ?? -1);
}

tell("pid", sys.getpid());
tell("status", /^Name:\t(.*)$/m.exec(readText(sys, "/proc/self/status"))?.[1]);
tell(
  "missing",
  codeOf(() => sys.stat("/no such file")),
);
tell(
  "nul",
  codeOf(() => sys.stat("/etc\0/passwd")),
);

const odd = "bad-\udcff\udc80-\u00e9-\u{1f600}";
sys.close(sys.open(`${folder}/${odd}`, O_CREAT | O_WRONLY, 0o600));
const listed = sys.open(folder, 0);
tell(
  "names",
  sys.getdents64(listed).map(({ name }) => name),
);
tell(
  "codec",
  decodeText(new Uint8Array(engine.encode(odd))) === odd && engine.decode(encodeText(odd)) === odd,
);
sys.symlink(odd, `${folder}/link`);
tell("readlink", sys.readlink(`${folder}/link`) === odd);

tell(
  "child's exit",
  inChild(() => sys.exit(7)),
);
tell(
  "child's signal",
  inChild(() => sys.kill(sys.getpid(), 9)),
);
tell(
  "execve",
  inChild(() => sys.execve("/bin/sh", ["sh", "-c", 'test "$1$X" = "a bc"', "-", "a b"], ["X=c"])),
);
tell(
  "execve of nothing",
  inChild(() =>
    sys.exit(codeOf(() => sys.execve("/nothing", ["x"], [])) === "execve /nothing: ENOENT" ? 3 : 4),
  ),
);

const { reader, writer } = sys.pipe2(0);
tell("poll before", sys.poll([{ fd: reader, events: POLLIN }], 0));
sys.write(writer, encodeText("x"));
tell("poll after", sys.poll([{ fd: reader, events: POLLIN }], 0));
tell("rlimit", sys.prlimit64(0, RLIMITS.RLIMIT_NOFILE).soft > 0);
tell("uname", sys.uname().release);
tell("memory", sys.sysinfo().total);
tell("random", sys.getrandom(300).length);
tell("capabilities", sys.capget().permitted.toString());
throw new Error("the end");
