/**
 * What is wrong with a value by a JSON Schema (draft-07, without `format`, `contains`, `dependencies` and
 * `patternProperties`). Interprets the schema, since each is used a few times per start of the program: compiling
 * validators costs a hundred times more than judging does. A keyword it does not know is a mistake in the schema and
 * throws. Tests hold it against ajv on every stage type's schema.
 */
import { canonicalJson, isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "../json.ts";

export interface SchemaProblem {
  /** Of the value that is wrong, from the judged one. */
  readonly path: readonly (string | number)[];
  readonly keyword: string;
  /** The schema with that keyword. */
  readonly schema: JsonObject;
  readonly value: JsonValue;
  /** The key that is missing (`required`) or unknown (`additionalProperties`), or has a bad name (`propertyNames`). */
  readonly key?: string;
}

/** All problems of `value`, in the order of schema keywords. `root` is where `#/definitions/..` leads. */
export function judgeSchema(root: JsonObject, schema: JsonValue, value: JsonValue): readonly SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  judge(schema, value, []);
  return problems;

  function judge(given: JsonValue, value: JsonValue, path: SchemaProblem["path"]): void {
    if (given === true) return;
    if (!isJsonObject(given)) {
      problems.push({ path, keyword: "false", schema: {}, value });
      return;
    }
    for (const [keyword, argument] of Object.entries(given)) {
      if (argument === undefined || ANNOTATIONS.has(keyword)) continue;
      const test = SIMPLE[keyword];
      if (test !== undefined) {
        if (!test(argument, value)) problems.push({ path, keyword, schema: given, value });
      } else judgeNested(given, keyword, argument, value, path);
    }
  }

  function judgeNested(
    schema: JsonObject,
    keyword: string,
    argument: JsonValue,
    value: JsonValue,
    path: SchemaProblem["path"],
  ): void {
    const fail = (key?: string) =>
      problems.push({ path, keyword, schema, value, ...(key === undefined ? {} : { key }) });
    switch (keyword) {
      case "$ref":
        judge(followReference(root, argument as string), value, path);
        return;
      case "properties":
        for (const [key, property] of entriesIn(argument, value))
          judge(property, (value as JsonObject)[key]!, [...path, key]);
        return;
      case "additionalProperties":
        for (const key of unlistedKeys(schema, value)) {
          if (argument === false) fail(key);
          else judge(argument, (value as JsonObject)[key]!, [...path, key]);
        }
        return;
      case "propertyNames":
        for (const key of keysOf(value)) if (judgeSchema(root, argument, key).length > 0) fail(key);
        return;
      case "required":
        if (!isJsonObject(value)) return;
        for (const key of argument as readonly string[]) if (!Object.hasOwn(value, key)) fail(key);
        return;
      case "items":
      case "additionalItems":
        if (isJsonArray(value)) judgeItems(schema, keyword, value, path);
        return;
      case "allOf":
        for (const part of argument as readonly JsonValue[]) judge(part, value, path);
        return;
      case "anyOf":
        if (!(argument as readonly JsonValue[]).some((part) => fits(part, value))) fail();
        return;
      case "oneOf":
        if ((argument as readonly JsonValue[]).filter((part) => fits(part, value)).length !== 1) fail();
        return;
      case "not":
        if (fits(argument, value)) fail();
        return;
      case "if":
        judge((fits(argument, value) ? schema.then : schema.else) ?? true, value, path);
        return;
      case "then":
      case "else":
        return;
      default:
        throw new Error(`a schema has a keyword that is not known here: ${keyword}`);
    }
  }

  function judgeItems(
    schema: JsonObject,
    keyword: string,
    value: readonly JsonValue[],
    path: SchemaProblem["path"],
  ): void {
    const { items, additionalItems } = schema;
    const listed = isJsonArray(items) ? items.length : keyword === "items" ? value.length : Number.POSITIVE_INFINITY;
    for (const [index, item] of value.entries()) {
      if (keyword === "items" && index < listed)
        judge(isJsonArray(items) ? items[index]! : items!, item, [...path, index]);
      if (keyword === "additionalItems" && index >= listed) judge(additionalItems!, item, [...path, index]);
    }
  }

  function fits(schema: JsonValue, value: JsonValue): boolean {
    return judgeSchema(root, schema, value).length === 0;
  }
}

/** The first keyword that judging would stumble over, wherever in the schema it stands. */
export function findUnknownKeyword(schema: JsonValue): string | undefined {
  if (!isJsonObject(schema)) return undefined;
  for (const [keyword, argument] of Object.entries(schema)) {
    if (argument === undefined) continue;
    const parts = schemasIn(keyword, argument);
    if (parts === undefined) return keyword;
    for (const part of parts) {
      const found = findUnknownKeyword(part);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** The schemas that a keyword holds; undefined of an unknown one. */
function schemasIn(keyword: string, argument: JsonValue): readonly JsonValue[] | undefined {
  switch (keyword) {
    case "properties":
    case "definitions":
      return isJsonObject(argument) ? Object.values(argument).filter((part) => part !== undefined) : [];
    case "items":
    case "additionalItems":
    case "additionalProperties":
    case "propertyNames":
    case "allOf":
    case "anyOf":
    case "oneOf":
    case "not":
    case "if":
    case "then":
    case "else":
      return isJsonArray(argument) ? argument : [argument];
    case "$ref":
    case "required":
      return [];
    default:
      return ANNOTATIONS.has(keyword) || SIMPLE[keyword] !== undefined ? [] : undefined;
  }
}

/** The schema that `#/definitions/..` names. */
export function followReference(root: JsonObject, reference: string): JsonObject {
  let node: JsonValue | undefined = reference.startsWith("#") ? root : undefined;
  for (const part of reference.replace(/^#\/?/, "").split("/")) {
    if (part !== "") node = isJsonObject(node) ? node[part.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined;
  }
  if (!isJsonObject(node)) throw new Error(`a schema refers to ${reference}, which is not in it`);
  return node;
}

/** The sort of a value as JSON Schema names it; whole numbers are `number` too. */
export function sortOf(value: JsonValue): "null" | "array" | "object" | "string" | "number" | "boolean" {
  if (value === null) return "null";
  return isJsonArray(value) ? "array" : (typeof value as "object" | "string" | "number" | "boolean");
}

const ANNOTATIONS = new Set([
  "title",
  "description",
  "default",
  "definitions",
  "examples",
  "$schema",
  "$id",
  "$comment",
  "x-role",
  "x-former",
]);

const isSort = (sort: JsonValue, value: JsonValue): boolean =>
  sort === "integer" ? typeof value === "number" && Number.isInteger(value) : sort === sortOf(value);

const isEqual = (a: JsonValue, b: JsonValue): boolean => a === b || canonicalJson(a) === canonicalJson(b);

/** Characters as people count them, not UTF-16 units. */
const lengthOf = (text: string): number => [...text].length;

const keysOf = (value: JsonValue): readonly string[] => (isJsonObject(value) ? Object.keys(value) : []);

const entriesIn = (properties: JsonValue, value: JsonValue): readonly (readonly [string, JsonValue])[] =>
  keysOf(value).flatMap((key) =>
    Object.hasOwn(properties as JsonObject, key) ? [[key, (properties as JsonObject)[key]!] as const] : [],
  );

const unlistedKeys = ({ properties }: JsonObject, value: JsonValue): readonly string[] =>
  keysOf(value).filter((key) => !isJsonObject(properties) || !Object.hasOwn(properties, key));

type Test = (argument: JsonValue, value: JsonValue) => boolean;

const ofNumber =
  (test: (value: number, limit: number) => boolean): Test =>
  (limit, value) =>
    typeof value !== "number" || test(value, limit as number);
const ofText =
  (test: (value: string, argument: JsonValue) => boolean): Test =>
  (argument, value) =>
    typeof value !== "string" || test(value, argument);
const ofList =
  (test: (value: readonly JsonValue[], argument: JsonValue) => boolean): Test =>
  (argument, value) =>
    !isJsonArray(value) || test(value, argument);
const ofMap =
  (test: (size: number, limit: number) => boolean): Test =>
  (limit, value) =>
    !isJsonObject(value) || test(Object.keys(value).length, limit as number);

const SIMPLE: Readonly<Record<string, Test | undefined>> = {
  type: (sorts, value) => (isJsonArray(sorts) ? sorts : [sorts]).some((sort) => isSort(sort, value)),
  enum: (allowed, value) => (allowed as readonly JsonValue[]).some((one) => isEqual(one, value)),
  const: (allowed, value) => isEqual(allowed, value),
  minimum: ofNumber((value, limit) => value >= limit),
  maximum: ofNumber((value, limit) => value <= limit),
  exclusiveMinimum: ofNumber((value, limit) => value > limit),
  exclusiveMaximum: ofNumber((value, limit) => value < limit),
  multipleOf: ofNumber((value, unit) => Number.isInteger(value / unit)),
  minLength: ofText((value, limit) => lengthOf(value) >= (limit as number)),
  maxLength: ofText((value, limit) => lengthOf(value) <= (limit as number)),
  pattern: ofText((value, pattern) => new RegExp(pattern as string, "u").test(value)),
  minItems: ofList((value, limit) => value.length >= (limit as number)),
  maxItems: ofList((value, limit) => value.length <= (limit as number)),
  uniqueItems: ofList((value, wanted) => wanted !== true || firstRepeated(value) === undefined),
  minProperties: ofMap((size, limit) => size >= limit),
  maxProperties: ofMap((size, limit) => size <= limit),
};

/** The first item that an earlier one equals. */
export function firstRepeated(items: readonly JsonValue[]): JsonValue | undefined {
  const seen = new Set<string>();
  return items.find((item) => {
    const text = canonicalJson(item);
    const isRepeated = seen.has(text);
    seen.add(text);
    return isRepeated;
  });
}
