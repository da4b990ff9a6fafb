import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MockAgent } from "undici";
import { formatReference, parseNamed } from "../reference.ts";
import { testSession } from "../test-support/registry-world.ts";
import { listTags } from "./list-tags.ts";

interface Page {
  readonly tags: unknown;
  readonly link?: string;
}

/** Asks a registry that answers with the pages in turn. @returns the names, and the paths that were asked for */
async function listFrom(
  pages: readonly Page[],
): Promise<{ readonly names: readonly string[]; readonly asked: readonly string[] }> {
  const agent = new MockAgent();
  agent.disableNetConnect();
  const asked: string[] = [];
  agent
    .get("https://registry.example")
    .intercept({ path: () => true, method: "GET" })
    .reply(({ path }) => {
      const { tags, link } = pages[asked.length] ?? { tags: [] };
      asked.push(path);
      return {
        statusCode: 200,
        data: JSON.stringify({ name: "some/image", tags }),
        responseOptions: { headers: link === undefined ? {} : { link } },
      };
    })
    .persist();
  await using session = testSession({}, { dispatcherFor: () => Promise.resolve(agent) });
  const reference = parseNamed("registry.example/some/image");
  const names = await listTags(await session.originClient(reference), reference);
  return { names: names.map(formatReference), asked };
}

describe("the tags of a repository", () => {
  test("come page by page, each once", async () => {
    const { names, asked } = await listFrom([
      { tags: ["1", "2"], link: '</v2/some/image/tags/list?n=2&last=2>; rel="next"' },
      { tags: ["2", "latest"] },
    ]);
    assert.deepEqual(
      names,
      ["1", "2", "latest"].map((tag) => `registry.example/some/image:${tag}`),
    );
    assert.deepEqual(asked, ["/v2/some/image/tags/list", "/v2/some/image/tags/list?n=2&last=2"]);
  });

  test("end where the next page is at another host", async () => {
    const link = '<https://elsewhere.example/v2/some/image/tags/list>; rel="next"';
    assert.deepEqual((await listFrom([{ tags: ["1"], link }])).names.length, 1);
  });

  test("that are none, no list or no tags at all are refused", async () => {
    await assert.rejects(listFrom([{ tags: null }]), { code: "IMAGE_NOT_FOUND" });
    await assert.rejects(listFrom([{ tags: "1" }]), { code: "MANIFEST_INVALID" });
    await assert.rejects(listFrom([{ tags: ["../x"] }]), { code: "REFERENCE_INVALID" });
  });

  test("that never end are refused", async () => {
    const link = '</v2/some/image/tags/list?more>; rel="next"';
    const endless = Array.from({ length: 1100 }, () => ({ tags: ["1"], link }));
    await assert.rejects(listFrom(endless), { code: "REGISTRY_PROTOCOL" });
  });
});
