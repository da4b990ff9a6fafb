import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { contentOf, readBack } from "../test-support/read-back.ts";
import { paxMember, type TestMember, tarMember, tarStream } from "../test-support/tar-builder.ts";

test("readLayer never does more to arbitrary members than refuse them", async () => {
  const field = fc.string({
    unit: fc.constantFrom("a", "/", ".", "\0", "\xff", "0", "7"),
    maxLength: 40,
  });
  const record = fc.tuple(
    fc.constantFrom(
      "path",
      "linkpath",
      "size",
      "mtime",
      "uid",
      "GNU.sparse.map",
      "GNU.sparse.major",
      "GNU.sparse.minor",
      "GNU.sparse.realsize",
      "SCHILY.xattr.a",
    ),
    fc.oneof(field, fc.constantFrom("1", "0", "1,2", "0,0", "4096,512")),
  );
  const member = fc.record({
    name: field,
    link: field,
    type: fc.constantFrom("0", "\0", "1", "2", "3", "4", "5", "6", "7", "S", "L", "K", "x", "g"),
    data: fc.uint8Array({ maxLength: 1200 }),
    size: fc.option(fc.nat(3000), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          member.map((m) => tarMember(withoutUndefined(m))),
          fc.array(record, { maxLength: 3 }).map((records) => paxMember(records)),
        ),
        { maxLength: 4 },
      ),
      fc.integer({ min: 1, max: 3000 }),
      fc.array(fc.tuple(fc.nat(4000), fc.nat(255)), { maxLength: 2 }),
      async (parts, chunk, changes) => {
        const stream = tarStream(...parts);
        for (const [at, value] of changes) if (at < stream.length) stream[at] = value;
        try {
          const { entries, data, rebuilt } = await readBack(stream, { chunk });
          assert.deepEqual(rebuilt, stream);
          for (const entry of entries) {
            assert.doesNotMatch(`/${entry.path}/`, /\/\.{0,2}\/./);
            assert.ok(!entry.path.includes("\0"));
            if (entry.type === "file") contentOf(entry, data);
          }
        } catch (error) {
          assert.match(
            String((error as { code?: string }).code),
            /^LAYER_(CORRUPT|ENTRY_REFUSED|LIMIT_EXCEEDED)$/,
          );
        }
      },
    ),
    { numRuns: fuzzRuns() },
  );
});

/** Cases of a fuzzed property: few in a quick run, `DVM_FUZZ_RUNS` of them in a long one. */
function fuzzRuns(): number {
  return Number(process.env.DVM_FUZZ_RUNS ?? 200);
}

function withoutUndefined({
  size,
  ...rest
}: Omit<TestMember, "size"> & { readonly size: number | undefined }): TestMember {
  return size === undefined ? rest : { ...rest, size };
}
