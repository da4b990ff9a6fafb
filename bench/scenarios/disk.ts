/** Disk: the container's writable layer, as programs meet it, and the image's metadata. */

import type { Metric } from "./scenario.ts";
import { caught, type ToolRun, toolScenario, toolSession } from "./tool-runs.ts";

/** Of the file that is read and written; small enough for the default disk of any arm. */
const SIZE = "64m";
const FILES = 500;

type Figure = "bandwidth" | "operations";

/** The parts of fio's JSON that are read (fio 3.33, `--output-format=json`). */
interface FioJob {
  readonly [kind: string]: { readonly bw: number; readonly iops: number } | undefined;
}

interface FioOptions {
  readonly name: string;
  readonly title: string;
  readonly rw: string;
  readonly figure: Figure;
  readonly words: string;
}

function fio({ name, title, rw, figure, words }: FioOptions): ToolRun {
  const line = `fio --name=${name} --filename=/var/tmp/bench.fio --size=${SIZE} --rw=${rw} ${words} --time_based --runtime=$SECONDS_EACH --output-format=json`;
  const kind = rw.endsWith("read") ? "read" : "write";
  const metric: Metric = {
    name,
    title,
    unit: figure === "bandwidth" ? "MiB/s" : "operations/s",
    better: "higher",
    how: `${line}; O_DIRECT leaves out the page cache of the kernel that runs fio, not that of a host beneath`,
  };
  return { metric, line, read: (output) => readFio(output, kind, figure) };
}

/** Shell that tells how long a line took by the clock of the kernel that runs it. */
const timed = (line: string): string =>
  `a=$(date +%s%N); ${line}; b=$(date +%s%N); echo "took $(((b - a) / 1000)) us"`;
const microseconds = caught(/took (\d+) us/);

const CREATE = `mkdir -p /var/tmp/files && ${timed(`for n in $(seq ${FILES}); do echo $n >/var/tmp/files/$n; done; sync`)}`;

const runs: readonly ToolRun[] = [
  fio({
    name: "read",
    title: "reads in a row, 1 MiB each",
    rw: "read",
    figure: "bandwidth",
    words: "--bs=1m --direct=1",
  }),
  fio({
    name: "write",
    title: "writes in a row, 1 MiB each",
    rw: "write",
    figure: "bandwidth",
    words: "--bs=1m --direct=1",
  }),
  fio({
    name: "random-read",
    title: "reads at random, 4 KiB each",
    rw: "randread",
    figure: "operations",
    words: "--bs=4k --direct=1",
  }),
  fio({
    name: "random-write",
    title: "writes at random, 4 KiB each",
    rw: "randwrite",
    figure: "operations",
    words: "--bs=4k --direct=1",
  }),
  fio({
    name: "fsync",
    title: "writes of 4 KiB, fsync after each",
    rw: "write",
    figure: "operations",
    words: "--bs=4k --fsync=1",
  }),
  {
    metric: {
      name: "small-files",
      title: "small files created, and synced at the end",
      unit: "files/s",
      better: "higher",
      how: `the shell writes ${FILES} files of a few bytes, then sync, which waits for all that the kernel beneath has to write; by the clock inside`,
    },
    line: CREATE,
    read: (output) => (FILES * 1e6) / microseconds(output),
  },
  {
    metric: {
      name: "image-metadata",
      title: "ls -lR of the image's /usr, the first time",
      unit: "ms",
      better: "lower",
      how: "`ls -lR /usr` in a new container, by the clock inside: cold for a guest's caches, not for the host's",
    },
    line: timed("ls -lR /usr >/dev/null"),
    read: (output) => microseconds(output) / 1000,
  },
];

export const disk = toolScenario(
  {
    name: "disk",
    title: "Disk",
    question: "What does the way to the disk cost, and that to the image's files?",
    tools: ["fio"],
  },
  runs,
  // the list comes first in the container, before anything has warmed its caches
  (stage) => toolSession(stage, runs.toReversed(), { durable: true }),
);

/** fio says more than its JSON: what stands before the first and behind the last bracket is left out. */
export function readFio(output: string, kind: "read" | "write", figure: Figure): number {
  const text = output.slice(output.indexOf("{"), output.lastIndexOf("}") + 1);
  try {
    const { jobs }: { jobs: readonly FioJob[] } = JSON.parse(text);
    const found = jobs[0]?.[kind];
    if (found === undefined) return Number.NaN;
    return figure === "bandwidth" ? found.bw / 1024 : found.iops;
  } catch {
    return Number.NaN;
  }
}
