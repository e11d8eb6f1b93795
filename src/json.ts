/**
 * JSON values, and the one canonical text of a value.
 *
 * Bytes that identify are made here: object keys in code-unit order, no white space, numbers as ECMAScript prints them
 * (shortest form that reads back equal). `undefined` members are left out; NaN and infinities are refused, since JSON
 * cannot say them and a silent `null` would make two different values one.
 */

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

/** The canonical text of `value`. Equal values give equal text, on every machine and in every locale. */
export function canonicalJson(value: JsonValue): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new Error(`a number that JSON cannot hold: ${value}`);
    return Object.is(value, -0) ? "0" : JSON.stringify(value);
  }
  if (isJsonArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const member = value[key];
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${canonicalJson(member)}`);
  }
  return `{${members.join(",")}}`;
}

export function isJsonArray(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
