/** A sink that knows how much it has handed on, so that a stream that begins anew can go on where it was cut off. */

import { Writable } from "node:stream";

export class CountedSink extends Writable {
  readonly #target: Writable;
  #handedOn = 0;
  #toSkip = 0;

  /** @param handedOn `bytes` that the target has had already */
  constructor(target: Writable, handedOn = 0) {
    super({ decodeStrings: true });
    this.#target = target;
    this.#handedOn = handedOn;
  }

  /** The stream begins anew: what was handed on before is left out. */
  startAgain(): void {
    this.#toSkip = this.#handedOn;
    this.#handedOn = 0;
  }

  override _write(bytes: Buffer, _encoding: string, callback: () => void): void {
    const skipped = Math.min(this.#toSkip, bytes.length);
    this.#toSkip -= skipped;
    this.#handedOn += bytes.length;
    const rest = skipped === 0 ? bytes : bytes.subarray(skipped);
    const target = this.#target;
    // one that is gone takes everything; whoever owns it minds its errors
    if (rest.length === 0 || target.destroyed || target.write(rest)) callback();
    else whenReady(target, callback);
  }
}

function whenReady(target: Writable, callback: () => void): void {
  const settle = () => {
    for (const event of ["drain", "close", "error"]) target.off(event, settle);
    callback();
  };
  for (const event of ["drain", "close", "error"]) target.once(event, settle);
}
