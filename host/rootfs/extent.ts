/** An extent list: how several files are joined into one disk without a byte being copied. */

/** One run of a joined disk, in disk order; lengths and offsets are multiples of 4096 bytes. */
export type Extent =
  | {
      readonly kind: "file";
      /** absolute path of the file that holds the run */
      readonly path: string;
      /** start of the run in that file, in `bytes` */
      readonly offset: number;
      /** length of the run, in `bytes` */
      readonly length: number;
    }
  | {
      readonly kind: "zero";
      /** length of the run that reads as zeros, in `bytes` */
      readonly length: number;
    };
