/** Objects in the forms of `inspect --format`: indented JSON, JSON lines, or a template for each. */

import { parseTemplate } from "./template.ts";

/** @throws DvmError `USAGE` for a template that cannot be read */
export function renderObjects(format: string | undefined): (objects: readonly unknown[]) => string {
  if (format === undefined || format === "") {
    return (objects) => `${JSON.stringify(objects, undefined, 4)}\n`;
  }
  if (format === "json") return (objects) => `${JSON.stringify(objects)}\n`;
  const template = parseTemplate(format);
  return (objects) => objects.map((object) => `${template(object)}\n`).join("");
}
