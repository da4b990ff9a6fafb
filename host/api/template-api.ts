/** The door between the command line and the templates of machines. */

import type { Templates } from "../engine/templates.ts";
import { storeRoot } from "./client/store-root.ts";

/** Whose templates: those of a folder, or of a daemon. */
export interface TemplateOptions {
  /** folder in place of the usual one */
  readonly dataRoot: string | undefined;
  /** daemon whose folder it is, as `unix://PATH` */
  readonly host?: string | undefined;
  /** for `DVM_HOST` */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** What a client may ask of templates. */
export type TemplateApi = Pick<Templates, "build" | "list" | "remove">;

export async function openTemplates(options: TemplateOptions): Promise<TemplateApi> {
  const [{ Templates: Api }, { TemplateStore }, { enginePaths }, { realParts, templateFolder }] =
    await Promise.all([
      import("../engine/templates.ts"),
      import("../vmm/template/template-store.ts"),
      import("../engine/paths.ts"),
      import("../engine/real-parts.ts"),
    ]);
  const root = await storeRoot({ environment: {}, ...options });
  const { dataRoot } = enginePaths(process.env, root);
  const store = new TemplateStore(templateFolder(dataRoot));
  return new Api({ dataRoot, parts: realParts, store });
}
