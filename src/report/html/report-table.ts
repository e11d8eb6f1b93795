/** Two-column tables of the report, and params flattened into them. */
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "../../json.ts";
import { escapeHtml } from "../escape-html.ts";

export function renderPairs(pairs: readonly (readonly [name: string, value: string])[]): string {
  if (pairs.length === 0) return '<p class="soft">none</p>';
  return `<table>${pairs.map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`).join("")}</table>`;
}

/** One row a leaf: `optimizer.learningRate  0.1`. */
export function renderParams(params: JsonObject): string {
  return renderPairs(leaves(params, ""));
}

function leaves(value: JsonValue | undefined, path: string): readonly (readonly [string, string])[] {
  if (value === undefined) return [];
  if (isJsonObject(value) && Object.keys(value).length > 0)
    return Object.entries(value).flatMap(([key, member]) => leaves(member, path === "" ? key : `${path}.${key}`));
  if (path === "") return [];
  return [[path, leafText(value)]];
}

function leafText(value: JsonValue): string {
  if (isJsonArray(value)) return value.map(leafText).join(", ");
  if (isJsonObject(value))
    return `{ ${Object.entries(value)
      .map(([key, member]) => `${key}: ${leafText(member ?? null)}`)
      .join(", ")} }`;
  return typeof value === "string" ? value : JSON.stringify(value);
}
