/** An event as a line of `events`: Docker's text, the API's JSON, or by a template (docker/cli command/system events.go). */

import { integer, map, object, readBySchema, string } from "../../api/docker/schema.ts";
import { nanosecondTime } from "../../api/docker/time-text.ts";
import { printableText } from "../../printable-text.ts";
import { parseTemplate } from "./template.ts";

const eventJson = object({
  status: string,
  id: string,
  from: string,
  Type: string,
  Action: string,
  Actor: object({ ID: string, Attributes: map(string) }),
  scope: string,
  time: integer,
});

/** @returns what makes a line of a line of JSON @throws DvmError `USAGE` for a template that cannot be read */
export function eventRenderer(format: string | undefined): (line: string) => string {
  if (format === undefined || format === "") return textLine;
  if (format === "json" || /^\{\{\s*json \.\s*\}\}$/.test(format)) return (line) => `${line}\n`;
  const template = parseTemplate(format);
  return (line) => {
    const { status, id, from, scope, time, ...event } = readBySchema(eventJson, JSON.parse(line));
    const names = { Status: status, ID: id, From: from, Scope: scope, Time: time };
    return `${template({ ...event, ...names, TimeNano: `${nanoseconds(line)}` })}\n`;
  };
}

function textLine(line: string): string {
  const { Type, Action, Actor } = readBySchema(eventJson, JSON.parse(line));
  const attributes = Object.entries(Actor.Attributes)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`);
  const about = attributes.length === 0 ? "" : ` (${attributes.join(", ")})`;
  const text = `${nanosecondTime(nanoseconds(line))} ${Type} ${Action} ${Actor.ID}${about}`;
  return `${printableText(text)}\n`;
}

/** JavaScript's numbers do not hold it. */
function nanoseconds(line: string): bigint {
  const found = /"timeNano":(\d{1,19})/.exec(line);
  return BigInt(found?.[1] ?? 0);
}
