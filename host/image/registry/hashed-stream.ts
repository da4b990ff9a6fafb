/** Passes bytes through, counts them and hashes them. */
import { createHash } from "node:crypto";
import { Transform, type TransformCallback } from "node:stream";
import { type Digest, fromHex } from "../digest.ts";

export class HashedStream extends Transform {
  readonly #hash = createHash("sha256");
  /** bytes so far */
  length = 0;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#hash.update(chunk);
    this.length += chunk.length;
    done(null, chunk);
  }

  /** The digest of all bytes; to be called once, at the end. */
  digest(): Digest {
    return fromHex(this.#hash.digest("hex"));
  }
}
