/** A thread that reads a ring to its end and answers with the digest of what came, or with `cancelled`. */
import { createHash } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { type RingMemory, RingReader } from "../layer/chunk-ring.ts";

const reader = new RingReader(workerData as RingMemory);
const hash = createHash("sha256");
for (let chunk = reader.next(); chunk !== undefined; chunk = reader.next()) hash.update(chunk);
parentPort?.postMessage(reader.cancelled ? "cancelled" : hash.digest("hex"));
