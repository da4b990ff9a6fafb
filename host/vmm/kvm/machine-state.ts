/**
 * The saved state of a machine as bytes: everything but its memory. A header, then sections, each of a kind and a
 * number, whose content is as the kernel or a device gave it. What is read back is checked as far as its shape goes.
 */

/** "DVMSTATE" in two little-endian words */
const MAGIC = [0x534d5644, 0x45544154] as const;
/** Raised whenever a section means something else. */
export const STATE_VERSION = 1;
/** What comes first of a machine that is sent: lengths of its state and its memory, 64-bit little-endian numbers. */
export const SAVED_HEADER = 16;
/** Of a state, in `bytes`; that of a vCPU is some 20,000. */
export const STATE_LIMIT = 4 * 1024 * 1024;

const HEADER_SIZE = 16;
const SECTION_HEADER_SIZE = 12;
/** Sections at most: some ten for each vCPU, one for each device. */
const SECTIONS_LIMIT = 4096;
const SECTION_LIMIT = 1024 * 1024;

/** What a section holds; the numbers are those of the format. */
export const Section = {
  /** struct kvm_irqchip, by its chip */
  irqchip: 1,
  /** struct kvm_pit_state2 */
  pit: 2,
  /** struct kvm_clock_data */
  clock: 3,
  /** of each vCPU, by its number */
  mpState: 16,
  registers: 17,
  specialRegisters: 18,
  xsave: 19,
  extendedControl: 20,
  debugRegisters: 21,
  localApic: 22,
  msrs: 23,
  events: 24,
  /** register block of each device, by its place */
  deviceRegisters: 32,
  /** what a device knows beside that */
  device: 33,
  /** period of the watchdog, in `milliseconds`, a 32-bit number */
  watchdog: 34,
} as const;

export type SectionKind = (typeof Section)[keyof typeof Section];

/** The state does not make sense, or not to this VMM. */
export class MachineStateError extends Error {
  override readonly name = "MachineStateError";
}

export class MachineState {
  readonly #sections = new Map<string, Uint8Array>();

  set(kind: SectionKind, index: number, content: Uint8Array): void {
    this.#sections.set(`${kind} ${index}`, content.slice());
  }

  /** @throws {MachineStateError} when there is none, or none of this `length` in `bytes` */
  get(kind: SectionKind, index: number, length?: number): Uint8Array {
    const content = this.#sections.get(`${kind} ${index}`);
    if (content === undefined) throw new MachineStateError(`no section ${kind} of ${index}`);
    if (length !== undefined && content.length !== length) {
      throw new MachineStateError(
        `section ${kind} of ${index} has ${content.length} bytes, not ${length}`,
      );
    }
    return content;
  }

  has(kind: SectionKind, index: number): boolean {
    return this.#sections.has(`${kind} ${index}`);
  }

  encode(): Uint8Array {
    const parts = [bytesOf([...MAGIC, STATE_VERSION, this.#sections.size])];
    for (const [key, content] of this.#sections) {
      parts.push(bytesOf([...key.split(" ").map(Number), content.length]), content);
    }
    const state = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      state.set(part, at);
      at += part.length;
    }
    return state;
  }

  /** @throws {MachineStateError} for bytes that are not exactly a state of this version */
  static decode(bytes: Uint8Array): MachineState {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const word = (at: number): number => {
      if (at + 4 > bytes.length) throw new MachineStateError(`ends at byte ${bytes.length}`);
      return view.getUint32(at, true);
    };
    if (word(0) !== MAGIC[0] || word(4) !== MAGIC[1]) throw new MachineStateError("no state");
    if (word(8) !== STATE_VERSION) throw new MachineStateError(`version ${word(8)}`);
    const count = word(12);
    if (count > SECTIONS_LIMIT) throw new MachineStateError(`${count} sections`);
    const state = new MachineState();
    let at = HEADER_SIZE;
    for (let index = 0; index < count; index++) {
      const key = `${word(at)} ${word(at + 4)}`;
      const length = word(at + 8);
      const start = at + SECTION_HEADER_SIZE;
      at = start + length;
      if (length > SECTION_LIMIT || at > bytes.length) {
        throw new MachineStateError(`section of ${length} bytes`);
      }
      if (state.#sections.has(key)) throw new MachineStateError(`section ${key} twice`);
      state.#sections.set(key, bytes.slice(start, at));
    }
    if (at !== bytes.length) throw new MachineStateError(`${bytes.length - at} bytes too many`);
    return state;
  }
}

/** 32-bit words, little-endian. */
function bytesOf(words: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * words.length));
  for (const [index, word] of words.entries()) view.setUint32(4 * index, word, true);
  return new Uint8Array(view.buffer);
}
