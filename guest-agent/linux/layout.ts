/** How the layout of a C structure is written down, so that a test can hold it against a C compiler. */

export interface FieldLayout {
  /** in `bytes` from the start of the structure */
  readonly offset: number;
  /** in `bytes` */
  readonly size: number;
}

export interface StructLayout {
  /** the structure's name in C */
  readonly name: string;
  /** headers that define it, in the order of inclusion */
  readonly headers: readonly string[];
  /** in `bytes` */
  readonly size: number;
  readonly fields: Readonly<Record<string, FieldLayout>>;
}
