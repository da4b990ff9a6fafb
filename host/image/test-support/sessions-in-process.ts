/** A process of its own that opens a store and begins and ends a session, over and over: `node sessions-in-process.ts STORE TIMES`. */
import { ImageStore } from "../image-store.ts";

const [root = "", times] = process.argv.slice(2);
for (let n = 0; n < Number(times); n++) {
  const store = await ImageStore.open(root);
  await using _ = await store.beginSession([]);
}
