/** An assembler for classic BPF as seccomp runs it: a decision tree written from its leaves to its root. */

import {
  BPF_ABS,
  BPF_ALU,
  BPF_AND,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JMP,
  BPF_K,
  BPF_LD,
  BPF_RET,
  BPF_W,
  SOCK_FILTER,
} from "../../linux/bpf.ts";

/** A decision: the place of its first instruction, counted from the program's end. */
export type Decision = number;

const LOAD_WORD = BPF_LD | BPF_W | BPF_ABS;
const AND = BPF_ALU | BPF_AND | BPF_K;
const JUMP = BPF_JMP | BPF_JA;
const IF_EQUAL = BPF_JMP | BPF_JEQ | BPF_K;
const IF_GREATER = BPF_JMP | BPF_JGT | BPF_K;
const IF_GREATER_OR_EQUAL = BPF_JMP | BPF_JGE | BPF_K;
const RETURN = BPF_RET | BPF_K;
const LONGEST_JUMP = 255;

interface Instruction {
  readonly code: number;
  readonly k: number;
  readonly jt: number;
  readonly jf: number;
}

/**
 * Builds a program back to front, so that every jump's target is known and identical tails are shared.
 *
 * @example
 * const program = new BpfProgram();
 * const allow = program.ret(SECCOMP_RET_ALLOW);
 * program.load(0, program.ifEqual(39, program.ret(SECCOMP_RET_ERRNO | 1), allow));
 * program.bytes();
 */
export class BpfProgram {
  readonly #reversed: Instruction[] = [];
  readonly #places = new Map<string, Decision>();
  /** the latest bridge to a decision too far away */
  readonly #bridges = new Map<Decision, Decision>();

  /** Ends with the seccomp action `value`. */
  ret(value: number): Decision {
    return this.#shared(`ret ${value}`, () => this.#emit({ code: RETURN, k: value }));
  }

  /** Loads the 32-bit word at `offset` of struct seccomp_data, then decides as `next`. */
  load(offset: number, next: Decision): Decision {
    return this.#shared(`load ${offset} ${next}`, () => this.#then(LOAD_WORD, offset, next));
  }

  /** Masks the accumulator, then decides as `next`. */
  and(mask: number, next: Decision): Decision {
    return this.#shared(`and ${mask} ${next}`, () => this.#then(AND, mask, next));
  }

  ifEqual(value: number, yes: Decision, no: Decision): Decision {
    return this.#branch({ code: IF_EQUAL, k: value }, yes, no);
  }

  ifGreater(value: number, yes: Decision, no: Decision): Decision {
    return this.#branch({ code: IF_GREATER, k: value }, yes, no);
  }

  ifGreaterOrEqual(value: number, yes: Decision, no: Decision): Decision {
    return this.#branch({ code: IF_GREATER_OR_EQUAL, k: value }, yes, no);
  }

  /** Number of instructions. */
  get length(): number {
    return this.#reversed.length;
  }

  /** The program as struct sock_filter[], 8 bytes each, little-endian; it starts with the decision made last. */
  bytes(): Uint8Array {
    const { size, fields } = SOCK_FILTER;
    const bytes = new Uint8Array(this.#reversed.length * size);
    const view = new DataView(bytes.buffer);
    let at = 0;
    for (const { code, jt, jf, k } of this.#reversed.toReversed()) {
      view.setUint16(at + fields.code.offset, code, true);
      view.setUint8(at + fields.jt.offset, jt);
      view.setUint8(at + fields.jf.offset, jf);
      view.setUint32(at + fields.k.offset, k, true);
      at += size;
    }
    return bytes;
  }

  #branch(
    test: { readonly code: number; readonly k: number },
    yes: Decision,
    no: Decision,
  ): Decision {
    if (yes === no) return yes;
    return this.#shared(`${test.code} ${test.k} ${yes} ${no}`, () => {
      // Each of the two may need one bridge in front of this instruction: leave room for the other's.
      const nearYes = this.#within(LONGEST_JUMP - 1, yes);
      const nearNo = this.#within(LONGEST_JUMP, no);
      const here = this.#reversed.length;
      return this.#emit({ ...test, jt: here - nearYes - 1, jf: here - nearNo - 1 });
    });
  }

  /** `target` itself when a conditional jump from here reaches it, else a bridge to it. */
  #within(distance: number, target: Decision): Decision {
    const here = this.#reversed.length;
    for (const place of [target, this.#bridges.get(target)]) {
      if (place !== undefined && here - place - 1 <= distance) return place;
    }
    const bridge = this.#emit({ code: JUMP, k: here - target - 1 });
    this.#bridges.set(target, bridge);
    return bridge;
  }

  #then(code: number, k: number, next: Decision): Decision {
    const jump = this.#reversed.length - next - 1;
    if (jump > 0) this.#emit({ code: JUMP, k: jump });
    return this.#emit({ code, k });
  }

  #emit({
    code,
    k,
    jt = 0,
    jf = 0,
  }: Pick<Instruction, "code" | "k"> & Partial<Instruction>): Decision {
    this.#reversed.push({ code, k: k >>> 0, jt, jf });
    return this.#reversed.length - 1;
  }

  #shared(key: string, make: () => Decision): Decision {
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    const place = make();
    this.#places.set(key, place);
    return place;
  }
}
