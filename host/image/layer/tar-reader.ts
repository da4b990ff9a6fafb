/**
 * Reads a tar stream pushed to it in chunks of any size, in bounded memory. Of our own, because byte-exactness is the
 * point: tar-stream decodes PAX values as UTF-8, which loses file capabilities and names that are no UTF-8, and it
 * knows no sparse files.
 */
import { imageError } from "../errors.ts";
import { type LayerLimits, MAX_EXTENSION } from "./limits.ts";
import { parsePaxRecords } from "./pax-records.ts";
import {
  checkSparseMap,
  parseOldSparseExtension,
  parseOldSparseHeader,
  SparseMapReader,
  type SparseSegment,
} from "./sparse-map.ts";
import { BLOCK, parseTarHeader, type TarHeader } from "./tar-header.ts";
import { assembleMember, type Extensions, NO_EXTENSIONS, type TarMember } from "./tar-member.ts";

/** What the reader tells of a stream, in stream order. Chunks are valid during the call alone. */
export interface TarSink {
  /** a member begins; its map is complete if it is sparse */
  member(member: TarMember): void;
  /** bytes of the member's file, all of its segments one after another */
  data(bytes: Buffer): void;
  /** the member's data is complete */
  memberEnd(): void;
  /** bytes of the stream that are no file data: with the data they make up the whole stream */
  literal(bytes: Buffer): void;
}

type State =
  | "header"
  | "extension"
  | "sparse-extension"
  | "sparse-map"
  | "data"
  | "padding"
  | "end";

/** Extension headers, by type flag: `X` is Solaris's PAX header. */
const EXTENSION = /^[LKxgX]$/;

/** A reader for one stream; after an error it is of no more use. */
export class TarReader {
  readonly #sink: TarSink;
  readonly #limits: LayerLimits;
  #state: State = "header";
  /** bytes of the current state still to come; not used at the end */
  #left = BLOCK;
  /** bytes of a block or extension that came so far, when it did not come at once */
  #held: Buffer[] = [];
  #padding = 0;
  #extensions: Extensions = NO_EXTENSIONS;
  #extensionType = "";
  #member: TarMember | undefined;
  #segments: SparseSegment[] = [];
  #map: SparseMapReader | undefined;

  constructor(sink: TarSink, limits: LayerLimits) {
    this.#sink = sink;
    this.#limits = limits;
  }

  /** Takes the next chunk. @throws LAYER_CORRUPT, LAYER_ENTRY_REFUSED, LAYER_LIMIT_EXCEEDED */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      const length = Math.min(this.#state === "end" ? chunk.length : this.#left, chunk.length - at);
      const part = chunk.subarray(at, at + length);
      at += length;
      this.#left -= length;
      this.#take(part);
    }
  }

  /** Bytes of file data that come next, and that a caller who has no use for them may skip. */
  get skippable(): number {
    return this.#state === "data" ? this.#left : 0;
  }

  /** Goes on as if all skippable bytes had been pushed. */
  skip(): void {
    if (this.#state !== "data") return;
    this.#left = 0;
    this.#endMember();
  }

  /**
   * Ends the stream. It may end after a file's data, without padding and blocks of zeros: umoci writes such layers, and
   * Go's archive/tar, which Docker and containerd stand on, takes them.
   * @throws LAYER_CORRUPT
   */
  end(): void {
    if (this.#state === "end") return;
    const betweenMembers =
      this.#state === "padding" || (this.#state === "header" && this.#left === BLOCK);
    if (!betweenMembers) throw corrupt("it is cut off");
    if (this.#extensions !== NO_EXTENSIONS) throw corrupt("an extension header without its file");
  }

  #take(part: Buffer): void {
    if (this.#state === "data") {
      this.#sink.data(part);
      if (this.#left === 0) this.#endMember();
      return;
    }
    this.#sink.literal(part);
    if (this.#state === "end") refuseTrailing(part);
    else if (this.#left > 0) this.#hold(part);
    else if (this.#state === "padding") this.#expect("header", BLOCK);
    else this.#takeAll(part);
  }

  #hold(part: Buffer): void {
    if (this.#state !== "padding") this.#held.push(Buffer.from(part));
  }

  #takeAll(part: Buffer): void {
    const whole = this.#held.length === 0 ? part : Buffer.concat([...this.#held, part]);
    this.#held = [];
    this.#takeWhole(whole);
  }

  #takeWhole(block: Buffer): void {
    if (this.#state === "header") this.#takeHeader(block);
    else if (this.#state === "extension") this.#takeExtension(block);
    else if (this.#state === "sparse-extension") this.#takeSparseExtension(block);
    else this.#takeSparseMap(block);
  }

  #takeHeader(block: Buffer): void {
    const header = parseTarHeader(block);
    if (header === undefined) {
      if (this.#extensions !== NO_EXTENSIONS) throw corrupt("an extension header without its file");
      this.#state = "end";
      return;
    }
    if (EXTENSION.test(header.type)) this.#beginExtension(header);
    else this.#takeMember(header, block);
  }

  #takeMember(header: TarHeader, block: Buffer): void {
    const member = assembleMember(header, this.#extensions, this.#limits);
    this.#extensions = NO_EXTENSIONS;
    this.#padding = -member.stored & (BLOCK - 1);
    if (member.mapFollows === "extension-blocks") {
      const sparse = parseOldSparseHeader(block);
      this.#member = { ...member, size: this.#checkedSize(sparse.realSize) };
      this.#segments = [...sparse.segments];
      if (sparse.more) this.#expect("sparse-extension", BLOCK);
      else this.#beginSparse(this.#member, member.stored);
    } else if (member.mapFollows === "data") {
      this.#member = member;
      this.#map = new SparseMapReader(this.#limits.segments);
      if (member.stored < BLOCK) throw corrupt("a sparse file without its map");
      this.#expect("sparse-map", BLOCK);
    } else if (member.segments !== undefined) {
      this.#segments = [...member.segments];
      this.#beginSparse(member, member.stored);
    } else this.#beginMember(member, member.stored);
  }

  #beginExtension(header: TarHeader): void {
    if (header.size < 0 || header.size > MAX_EXTENSION)
      throw imageError("LAYER_LIMIT_EXCEEDED", `extension header of ${header.size} bytes`);
    const seen = this.#extensions;
    const again =
      (header.type === "L" && seen.longName !== undefined) ||
      (header.type === "K" && seen.longLink !== undefined) ||
      (/[xX]/.test(header.type) && seen.pax !== undefined);
    if (again) throw imageError("LAYER_ENTRY_REFUSED", "two extension headers for one layer entry");
    this.#extensionType = header.type;
    this.#padding = -header.size & (BLOCK - 1);
    if (header.size === 0) this.#takeExtension(Buffer.alloc(0));
    else this.#expect("extension", header.size);
  }

  /**
   * Global headers are checked and then left alone, as by Docker, containerd and umoci: Go's archive/tar hands
   * them out and applies none of their records.
   */
  #takeExtension(body: Buffer): void {
    if (this.#extensionType === "L")
      this.#extensions = { ...this.#extensions, longName: cString(body) };
    else if (this.#extensionType === "K")
      this.#extensions = { ...this.#extensions, longLink: cString(body) };
    else {
      const pax = parsePaxRecords(body);
      if (this.#extensionType !== "g") this.#extensions = { ...this.#extensions, pax };
    }
    this.#skipPadding();
  }

  #takeSparseExtension(block: Buffer): void {
    const extension = parseOldSparseExtension(block);
    this.#segments.push(...extension.segments);
    if (this.#segments.length > this.#limits.segments)
      throw imageError(
        "LAYER_LIMIT_EXCEEDED",
        `a sparse file of more than ${this.#limits.segments} segments`,
      );
    const member = this.#current();
    if (extension.more) this.#expect("sparse-extension", BLOCK);
    else this.#beginSparse(member, member.stored);
  }

  #takeSparseMap(block: Buffer): void {
    const member = this.#current();
    if (this.#map === undefined) throw new Error("tar reader lost its sparse map");
    const segments = this.#map.add(block);
    const left = member.stored - this.#map.length;
    if (segments !== undefined) {
      this.#segments = [...segments];
      this.#beginSparse(member, left);
    } else if (left < BLOCK) throw corrupt("a sparse file's map does not end");
    else this.#expect("sparse-map", BLOCK);
  }

  #beginSparse(member: TarMember, stored: number): void {
    const segments = checkSparseMap(this.#segments, {
      realSize: member.size,
      stored,
      maxSegments: this.#limits.segments,
    });
    this.#beginMember({ ...member, segments }, stored);
  }

  #beginMember(member: TarMember, stored: number): void {
    this.#member = member;
    this.#sink.member(member);
    if (stored > 0) this.#expect("data", stored);
    else this.#endMember();
  }

  #endMember(): void {
    this.#sink.memberEnd();
    this.#member = undefined;
    this.#skipPadding();
  }

  #skipPadding(): void {
    if (this.#padding > 0) this.#expect("padding", this.#padding);
    else this.#expect("header", BLOCK);
  }

  #expect(state: State, left: number): void {
    this.#state = state;
    this.#left = left;
  }

  #checkedSize(size: number): number {
    if (size < 0 || size > this.#limits.fileSize)
      throw imageError("LAYER_LIMIT_EXCEEDED", `sparse file of ${size} bytes`);
    return size;
  }

  #current(): TarMember {
    if (this.#member === undefined) throw new Error("tar reader lost its member");
    return this.#member;
  }
}

/** GNU's long names end with a NUL. */
function cString(body: Buffer): string {
  const end = body.indexOf(0);
  return body.toString("latin1", 0, end < 0 ? body.length : end);
}

/** After the first block of zeros nothing but zeros may come: another reader could find files there. */
function refuseTrailing(bytes: Buffer): void {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const length = Math.min(ZEROS.length, bytes.length - at);
    if (bytes.compare(ZEROS, 0, length, at, at + length) !== 0) throw corrupt("data after its end");
  }
}

const ZEROS = Buffer.alloc(16_384);

function corrupt(what: string): Error {
  return imageError("LAYER_CORRUPT", `corrupt tar stream: ${what}`);
}
