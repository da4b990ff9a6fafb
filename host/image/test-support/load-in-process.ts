/** A process of its own that loads and lists an image: `node load-in-process.ts REFERENCE STORE [KIND]`. It stands still at the first event of the kind given. */
import { ImageStore } from "../image-store.ts";
import { loadImage } from "../load-image.ts";
import { parseReference } from "../reference.ts";
import { openRegistrySource } from "../registry/registry-source.ts";
import { openFileSource } from "../source/open-file-source.ts";
import { testSession } from "./registry-world.ts";

const [text = "", root = "", stop] = process.argv.slice(2);
const reference = parseReference(text);
const store = await ImageStore.open(root);
await using session = testSession();
await using source =
  reference.transport === "registry"
    ? openRegistrySource(reference, session)
    : await openFileSource(reference, store.folder.path("tmp"));
await using image = await loadImage(source, {
  store,
  ...(reference.transport === "registry" ? { tag: reference } : {}),
  onEvent: ({ kind }) => {
    if (kind !== stop) return;
    process.stdout.write(`${kind}\n`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
});
process.stdout.write(`${image.imageId}\n`);
