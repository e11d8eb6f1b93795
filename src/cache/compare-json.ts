/** Two JSON documents, place by place: where they differ, and of numbers by how much. */
import { isJsonArray, isJsonObject, type JsonValue } from "../json.ts";
import type { JsonChange, JsonDifference } from "./artifact-difference.ts";

const SHOWN = 20;

/** Undefined where they are equal; the order of members makes no difference. */
export function compareJson(before: JsonValue, after: JsonValue): JsonDifference | undefined {
  const first: JsonChange[] = [];
  let differing = 0;
  let maxAbsolute: number | undefined;
  let maxRelative = 0;
  const note = (path: string, a: JsonValue | undefined, b: JsonValue | undefined): void => {
    differing++;
    if (typeof a === "number" && typeof b === "number") {
      maxAbsolute = Math.max(maxAbsolute ?? 0, Math.abs(a - b));
      maxRelative = Math.max(maxRelative, Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b)));
    }
    if (first.length < SHOWN)
      first.push({ path, ...(a === undefined ? {} : { before: a }), ...(b === undefined ? {} : { after: b }) });
  };
  const visit = (path: string, a: JsonValue | undefined, b: JsonValue | undefined): void => {
    if (isJsonArray(a) && isJsonArray(b)) {
      for (let i = 0; i < Math.min(a.length, b.length); i++) visit(`${path}[${i}]`, a[i], b[i]);
      if (a.length !== b.length) note(`${path === "" ? "" : `${path}.`}length`, a.length, b.length);
    } else if (isJsonObject(a) && isJsonObject(b)) {
      for (const name of [...new Set([...Object.keys(a), ...Object.keys(b)])])
        visit(memberPath(path, name), a[name], b[name]);
    } else if (a !== b) note(path, a, b);
  };
  visit("", before, after);
  if (differing === 0) return undefined;
  return { differing, first, ...(maxAbsolute === undefined ? {} : { maxAbsolute, maxRelative }) };
}

function memberPath(owner: string, name: string): string {
  if (!/^[A-Za-z_$][\w$]*$/.test(name)) return `${owner}[${JSON.stringify(name)}]`;
  return owner === "" ? name : `${owner}.${name}`;
}
