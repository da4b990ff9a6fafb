/** Runs a seccomp program on a made-up system call, for the tests of what programs decide. */

/** A system call as a filter sees it. */
export interface Call {
  /** AUDIT_ARCH_* */
  readonly arch: number;
  readonly nr: number;
  readonly args?: readonly bigint[];
}

/** What became of a call: the action's name, with its data where it has any. */
export function decide(program: Uint8Array, { arch, nr, args = [] }: Call): string {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, nr, true);
  data.setUint32(4, arch, true);
  for (const [index, value] of args.entries()) data.setBigUint64(16 + 8 * index, value, true);
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  let accumulator = 0;
  for (let pc = 0; ; pc++) {
    if (pc * 8 >= program.length) throw new Error("the program runs past its end");
    const k = code.getUint32(pc * 8 + 4, true);
    const jump = (taken: boolean): number => code.getUint8(pc * 8 + (taken ? 2 : 3));
    switch (code.getUint16(pc * 8, true)) {
      case 0x20:
        accumulator = data.getUint32(k, true);
        break;
      case 0x54:
        accumulator = (accumulator & k) >>> 0;
        break;
      case 0x05:
        pc += k;
        break;
      case 0x15:
        pc += jump(accumulator === k);
        break;
      case 0x25:
        pc += jump(accumulator > k);
        break;
      case 0x35:
        pc += jump(accumulator >= k);
        break;
      case 0x06:
        return actionName(k);
      default:
        throw new Error(`unknown instruction at ${pc}`);
    }
  }
}

function actionName(value: number): string {
  const names = new Map([
    [0x8000_0000, "KILL_PROCESS"],
    [0x0000_0000, "KILL_THREAD"],
    [0x0003_0000, "TRAP"],
    [0x0005_0000, "ERRNO"],
    [0x7ff0_0000, "TRACE"],
    [0x7ffc_0000, "LOG"],
    [0x7fff_0000, "ALLOW"],
  ]);
  const name = names.get((value & 0xffff_0000) >>> 0) ?? `unknown action ${value}`;
  const data = value & 0xffff;
  return data === 0 ? name : `${name} ${data}`;
}
