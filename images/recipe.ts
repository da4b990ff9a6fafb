/** A recipe: how an image that the project ships or tests with is made, by third-party tools from Debian packages. */

export interface BuildContext {
  /** empty folder that becomes the OCI layout */
  readonly layout: string;
  /** empty folder for whatever the recipe needs on the way; removed afterwards */
  readonly scratch: string;
  /** runs a tool to its end; rejects with the tail of what it printed when it fails */
  readonly run: (command: string, ...args: readonly string[]) => Promise<void>;
  /** path of the layout of an image that stands in `bases` */
  readonly base: (name: string) => string;
}

export interface ImageRecipe {
  readonly name: string;
  /** what it is for, a noun phrase */
  readonly purpose: string;
  /** recipes that must be built before */
  readonly bases: readonly ImageRecipe[];
  /**
   * Fills `layout` with an OCI image layout whose tag is `latest`. Its text is the key that the result is
   * cached by, so it holds all that the image depends on.
   */
  readonly build: (context: BuildContext) => Promise<void>;
}
