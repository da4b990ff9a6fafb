/** A process of its own that loads an image: `node load-in-process.ts REFERENCE STORE [stop]`. With `stop` it stands still in the middle of a layer. */
import { ImageStore } from "../image-store.ts";
import { loadImage } from "../load-image.ts";
import { parseReference } from "../reference.ts";
import { openFileSource } from "../source/open-file-source.ts";

const [text = "", root = "", stop] = process.argv.slice(2);
const reference = parseReference(text);
if (reference.transport === "registry") throw new Error("not a reference to files");
const store = await ImageStore.open(root);
await using source = await openFileSource(reference, store.folder.path("tmp"));
await using image = await loadImage(source, {
  store,
  onEvent: (event) => {
    if (event.kind !== "layer-progress" || stop === undefined) return;
    process.stdout.write("reading\n");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
});
process.stdout.write(`${image.imageId}\n`);
