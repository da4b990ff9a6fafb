import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { FileDescriptor } from "./file-descriptor.ts";
import { ioctl } from "./ioctl-call.ts";
import {
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MemoryMapping,
  PROT_READ,
  PROT_WRITE,
} from "./memory-mapping.ts";
import { SystemError } from "./system-error.ts";

const anonymous = { protection: PROT_READ | PROT_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS };

test("a mapping is zeroed memory that keeps what is written", () => {
  using mapping = new MemoryMapping({ length: 8192, ...anonymous });
  const bytes = new Uint8Array(mapping.bytes);
  assert.equal(bytes.length, 8192);
  assert.ok(bytes.every((byte) => byte === 0));
  bytes[8191] = 7;
  assert.equal(new DataView(mapping.bytes).getUint8(8191), 7);
});

test("a failed call names itself, its subject and the errno", () => {
  const isError = (call: string, code: string, subject: RegExp) => (error: unknown) =>
    error instanceof SystemError &&
    error.call === call &&
    error.code === code &&
    subject.test(error.message);
  assert.throws(() => FileDescriptor.open("/no/such"), isError("open", "ENOENT", /\/no\/such/));
  assert.throws(
    () => new MemoryMapping({ length: 0, ...anonymous }),
    isError("mmap", "EINVAL", /0 bytes/),
  );
  using file = FileDescriptor.open("/dev/null");
  const call = { fd: file.number, name: "KVM_RUN", request: 0xae80 };
  assert.throws(() => ioctl(call), isError("KVM_RUN", "ENOTTY", /descriptor/));
});

test("a descriptor is closed once its owner is disposed of", () => {
  const descriptors = () => readdirSync("/proc/self/fd").length;
  const before = descriptors();
  {
    using file = FileDescriptor.open("/dev/null");
    assert.equal(descriptors(), before + 1);
    file[Symbol.dispose]();
    assert.equal(descriptors(), before);
  }
  assert.equal(descriptors(), before);
});
