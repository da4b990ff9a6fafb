/** Builds tar streams for tests, byte by byte, malformed ones included. */

export interface TestMember {
  readonly name?: string;
  /** type flag; a regular file unless given */
  readonly type?: string;
  readonly data?: Uint8Array | string;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly major?: number;
  readonly minor?: number;
  /** what the size field says when it is not the data's length */
  readonly size?: number;
  /** changes the header before its checksum is made */
  readonly patch?: (header: Buffer) => void;
}

/** One member: header, data and padding. Strings are raw bytes, one per UTF-16 unit. */
export function tarMember(member: TestMember): Buffer {
  const data = Buffer.from(
    typeof member.data === "string" ? Buffer.from(member.data, "latin1") : (member.data ?? []),
  );
  const header = Buffer.alloc(512);
  header.write(member.name ?? "file", 0, 100, "latin1");
  octal(header, [100, 7], member.mode ?? 0o644);
  octal(header, [108, 7], member.uid ?? 0);
  octal(header, [116, 7], member.gid ?? 0);
  octal(header, [124, 11], member.size ?? data.length);
  octal(header, [136, 11], member.mtime ?? 0);
  header.write(member.type ?? "0", 156, 1, "latin1");
  header.write(member.link ?? "", 157, 100, "latin1");
  header.write("ustar\0" + "00", 257, "latin1");
  octal(header, [329, 7], member.major ?? 0);
  octal(header, [337, 7], member.minor ?? 0);
  member.patch?.(header);
  sign(header);
  return Buffer.concat([header, data, Buffer.alloc(-data.length & 511)]);
}

/** A PAX extended header, of records that stand as they are given. */
export function paxMember(records: readonly (readonly [string, string])[], type = "x"): Buffer {
  const body = records.map(([key, value]) => paxRecord(key, value)).join("");
  return tarMember({ name: "PaxHeaders/0", type, data: body });
}

/** One record, its length counting its own digits. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length++;
  return `${length}${rest}`;
}

/** GNU's long name (`L`) or long link name (`K`). */
export function gnuLong(type: "L" | "K", text: string): Buffer {
  return tarMember({ name: "././@LongLink", type, data: `${text}\0` });
}

/** A whole stream: members and the two blocks of zeros that end it. */
export function tarStream(...members: readonly (Buffer | TestMember)[]): Buffer {
  const parts = members.map((member) => (Buffer.isBuffer(member) ? member : tarMember(member)));
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** Writes a header's checksum. */
export function sign(header: Buffer): void {
  header.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}

function octal(header: Buffer, [at, digits]: readonly [number, number], value: number): void {
  header.write(value.toString(8).padStart(digits, "0"), at, digits, "latin1");
}
