/** ISA-L's inflate (libisal2): gzip decompression in steps, about 1.7 times as fast as Node's zlib. The library is optional. */
import koffi from "koffi";

/** Bytes set aside for `struct inflate_state`; it has 87,368 in ISA-L 2.30, the rest is for later versions. */
const STATE_BYTES = 128 * 1024;
/** Fields of `struct inflate_state` (isa-l/igzip_lib.h 2.30), offsets in `bytes`. */
export const INFLATE_STATE = {
  next_out: 0,
  avail_out: 8,
  next_in: 16,
  avail_in: 32,
  block_state: 21_160,
  crc_flag: 21_172,
} as const;
const ISAL_GZIP = 1;
const ISAL_BLOCK_FINISH = 5;
const ISAL_DECOMP_OK = 0;

/** Names of the errors that isal_inflate returns. */
const ERROR_NAMES: ReadonlyMap<number, string> = new Map([
  [-1, "invalid deflate block"],
  [-2, "invalid deflate symbol"],
  [-3, "invalid lookback distance"],
  [-4, "not a gzip header"],
  [-5, "unsupported compression method"],
  [-6, "wrong checksum"],
]);

interface Library {
  readonly init: (state: Buffer) => void;
  readonly reset: (state: Buffer) => void;
  readonly inflate: (state: Buffer) => number;
}

let library: Library | undefined | null = null;

/** Makes an inflater, or returns `undefined` where the library is missing or not the one we know. */
export function openGzipInflater(): GzipInflater | undefined {
  if (library === null) library = loadLibrary();
  return library === undefined ? undefined : new GzipInflater(library);
}

/** Decompresses one gzip member at a time; the caller owns input and output and feeds both. */
export class GzipInflater {
  readonly #library: Library;
  // The state is ours and lives in a Buffer that never moves: allocUnsafeSlow gives it a backing store of its own.
  readonly #state = Buffer.allocUnsafeSlow(STATE_BYTES).fill(0);
  // The library keeps addresses from call to call, so what they point to is kept from the collector as long.
  #input: Uint8Array = new Uint8Array(0);
  #output: Uint8Array = new Uint8Array(0);

  constructor(loaded: Library) {
    this.#library = loaded;
    this.#library.init(this.#state);
    this.#state.writeUInt32LE(ISAL_GZIP, INFLATE_STATE.crc_flag);
  }

  /** Bytes of the input that are not consumed yet. */
  get inputLeft(): number {
    return this.#state.readUInt32LE(INFLATE_STATE.avail_in);
  }

  /** The part of the input that is not consumed yet. */
  get restOfInput(): Uint8Array {
    return this.#input.subarray(this.#input.length - this.inputLeft);
  }

  /** Whether the member is complete and its checksum was right. */
  get finished(): boolean {
    return this.#state.readUInt32LE(INFLATE_STATE.block_state) === ISAL_BLOCK_FINISH;
  }

  /** Gives the next input, to be called when none is left; it must not change until it is consumed. */
  feed(input: Uint8Array): void {
    this.#input = input;
    this.#state.writeBigUInt64LE(koffi.address(input), INFLATE_STATE.next_in);
    this.#state.writeUInt32LE(input.length, INFLATE_STATE.avail_in);
  }

  /**
   * Decompresses until the input is used up, the output is full or the member ends.
   * @returns bytes written to `output`
   */
  inflate(output: Uint8Array): number {
    this.#output = output;
    this.#state.writeBigUInt64LE(koffi.address(output), INFLATE_STATE.next_out);
    this.#state.writeUInt32LE(output.length, INFLATE_STATE.avail_out);
    const result = this.#library.inflate(this.#state);
    if (result !== ISAL_DECOMP_OK)
      throw new Error(ERROR_NAMES.get(result) ?? `isal_inflate returned ${result}`);
    return this.#output.length - this.#state.readUInt32LE(INFLATE_STATE.avail_out);
  }

  /** Gets ready for the next member of the same input. */
  nextMember(): void {
    const left = this.inputLeft;
    const next = this.#state.readBigUInt64LE(INFLATE_STATE.next_in);
    this.#library.reset(this.#state);
    this.#state.writeUInt32LE(ISAL_GZIP, INFLATE_STATE.crc_flag);
    this.#state.writeBigUInt64LE(next, INFLATE_STATE.next_in);
    this.#state.writeUInt32LE(left, INFLATE_STATE.avail_in);
  }
}

/** `gzip -n` of "dvm\n": what the library must make of it before its layout is trusted. */
const PROBE = Buffer.from("1f8b08000000000000034b29cbe502005e57faf504000000", "hex");

function loadLibrary(): Library | undefined {
  try {
    const isal = koffi.load("libisal.so.2");
    const loaded: Library = {
      init: isal.func("void isal_inflate_init(void *state)") as unknown as Library["init"],
      reset: isal.func("void isal_inflate_reset(void *state)") as unknown as Library["reset"],
      inflate: isal.func("int isal_inflate(void *state)") as unknown as Library["inflate"],
    };
    return behaves(loaded) ? loaded : undefined;
  } catch {
    // Without the library Node's zlib does the work.
    return undefined;
  }
}

/** Runs the probe through raw calls: a library with another layout of its state fails here and not on an image. */
function behaves(loaded: Library): boolean {
  const state = Buffer.allocUnsafeSlow(STATE_BYTES).fill(0);
  const output = Buffer.allocUnsafeSlow(16);
  loaded.init(state);
  state.writeUInt32LE(ISAL_GZIP, INFLATE_STATE.crc_flag);
  state.writeBigUInt64LE(koffi.address(PROBE), INFLATE_STATE.next_in);
  state.writeUInt32LE(PROBE.length, INFLATE_STATE.avail_in);
  state.writeBigUInt64LE(koffi.address(output), INFLATE_STATE.next_out);
  state.writeUInt32LE(output.length, INFLATE_STATE.avail_out);
  const result = loaded.inflate(state);
  return (
    result === ISAL_DECOMP_OK &&
    state.readUInt32LE(INFLATE_STATE.block_state) === ISAL_BLOCK_FINISH &&
    state.readUInt32LE(INFLATE_STATE.avail_in) === 0 &&
    output.toString("latin1", 0, output.length - state.readUInt32LE(INFLATE_STATE.avail_out)) ===
      "dvm\n"
  );
}
