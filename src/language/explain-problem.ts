/** What a schema finds wrong, in the words of the language and at the place where it was written. */
import { didYouMean, list, quote } from "../diagnostics/catalog.ts";
import { type Diagnostic, type DiagnosticNote, diagnose } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";
import { closestName } from "../diagnostics/suggest.ts";
import { canonicalJson, isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { firstRepeated, followReference, type SchemaProblem } from "./judge-schema.ts";
import { type LocatedMap, type LocatedPath, locate, type Place } from "./located.ts";
import { describeValue } from "./merge.ts";

export interface CheckedParams {
  /** How its owner is called in a sentence: `stage type "train"`. */
  readonly owner: string;
  readonly schema: JsonObject;
  readonly settings: LocatedMap | undefined;
  /** Of the key that holds the settings, or else of their owner: where a missing key is missed. */
  readonly ownerSpan: Span;
  /** What the settings are under, where they have a key of their own. */
  readonly prefix?: string;
}

/** A problem as the user reads it. */
export function explainProblem(problem: SchemaProblem, subject: CheckedParams): Diagnostic {
  const { path, keyword, schema, value, key } = problem;
  if (keyword === "additionalProperties") return unknownKey(path, key!, schema, subject);
  const place = placeOf(path, subject);
  if (keyword === "required") {
    const property = isJsonObject(schema.properties) ? schema.properties[key!] : undefined;
    const words = { owner: ownerOf(path, subject), key: key!, description: descriptionOf(property, subject.schema) };
    const span = path.length === 0 ? subject.ownerSpan : (place.keySpan ?? place.node?.span ?? subject.ownerSpan);
    return diagnose("language/missing-key", words, span, place.notes);
  }
  if (keyword === "propertyNames") {
    const at = placeOf([...path, key!], subject);
    const words = { what: `a name in ${quote(dotted(path, subject.prefix))}`, name: key!, rule: nameRule(schema) };
    return diagnose("language/bad-name", words, at.keySpan ?? subject.ownerSpan, at.notes);
  }
  const name = path.length === 0 ? subject.owner : quote(dotted(path, subject.prefix));
  const node = place.node;
  const span = node === undefined ? subject.ownerSpan : place.complete ? node.span : (place.keySpan ?? node.span);
  const actual = place.complete && node !== undefined ? describeValue(node) : canonicalJson(value);
  if (keyword === "type") {
    const expected =
      typeof schema.title === "string" && schema.pattern !== undefined ? schema.title : sortWords(schema.type!);
    return diagnose("language/wrong-type", { name, expected, actual }, span, place.notes);
  }
  const range = rangeWords(keyword, schema);
  if (range !== undefined) {
    const words = { name, expected: range, actual: amount(value, actual) };
    return diagnose("language/out-of-range", words, span, place.notes);
  }
  if (keyword === "enum" || keyword === "const") {
    const allowed = keyword === "const" ? [schema.const!] : (schema.enum as readonly JsonValue[]);
    const names = allowed.map((one) => (typeof one === "string" ? one : canonicalJson(one)));
    const suggestion = typeof value === "string" ? closestName(value, names) : undefined;
    const only = typeof allowed[0] === "string" ? quote(names[0]!) : names[0]!;
    const expected = names.length === 1 ? only : `one of ${list(names)}`;
    return diagnose("language/wrong-value", { name, expected, actual, suggestion }, span, place.notes);
  }
  if (keyword === "uniqueItems") {
    const twice = canonicalJson(firstRepeated(value as readonly JsonValue[])!);
    const words = { name, expected: "a list without repetitions", actual: `one that holds ${twice} twice` };
    return diagnose("language/wrong-value", words, span, place.notes);
  }
  return diagnose("language/wrong-value", { name, expected: otherWords(keyword, schema), actual }, span, place.notes);
}

function descriptionOf(property: JsonValue | undefined, root: JsonObject): string | undefined {
  if (!isJsonObject(property)) return undefined;
  if (typeof property.description === "string") return property.description;
  return typeof property.$ref === "string" ? descriptionOf(followReference(root, property.$ref), root) : undefined;
}

function nameRule({ propertyNames }: JsonObject): string {
  const pattern = isJsonObject(propertyNames) ? propertyNames.pattern : undefined;
  return typeof pattern === "string" ? `names here are like /${pattern}/` : "choose another name";
}

function unknownKey(path: LocatedPath, key: string, schema: JsonObject, subject: CheckedParams): Diagnostic {
  const place = placeOf([...path, key], subject);
  const known = Object.keys(isJsonObject(schema.properties) ? schema.properties : {});
  const words = {
    owner: ownerOf(path, subject),
    word: "setting" as const,
    key,
    suggestion: formerKey(key, schema) ?? suggestKey(path, key, known, subject),
    known,
  };
  return diagnose("language/unknown-key", words, place.keySpan ?? subject.ownerSpan, place.notes);
}

/** What a schema says of a setting that it had once. */
function formerKey(key: string, { "x-former": former }: JsonObject): string | undefined {
  const words = isJsonObject(former) && Object.hasOwn(former, key) ? former[key] : undefined;
  return typeof words === "string" ? words : undefined;
}

/** The closest key here, else the closest anywhere in the schema with where it belongs. */
function suggestKey(
  path: LocatedPath,
  key: string,
  known: readonly string[],
  subject: CheckedParams,
): string | undefined {
  const here = closestName(key, known);
  if (here !== undefined) return didYouMean(here);
  const elsewhere = new Map<string, string>();
  const visit = (node: JsonValue | undefined, at: string, depth: number): void => {
    if (depth > 12) return;
    if (isJsonArray(node)) for (const part of node) visit(part, at, depth + 1);
    if (!isJsonObject(node)) return;
    for (const [name, property] of Object.entries(isJsonObject(node.properties) ? node.properties : {})) {
      if (at !== path.join(".") && !elsewhere.has(name)) elsewhere.set(name, at);
      visit(property, at === "" ? name : `${at}.${name}`, depth + 1);
    }
    for (const part of ["oneOf", "anyOf", "allOf", "then", "else", "items"]) visit(node[part], at, depth + 1);
    if (typeof node.$ref === "string") {
      const name = /^#\/definitions\/(.*)$/.exec(node.$ref)?.[1];
      const definitions = subject.schema.definitions;
      if (name !== undefined && isJsonObject(definitions)) visit(definitions[name], at, depth + 1);
    }
  };
  visit(subject.schema, "", 0);
  const found = elsewhere.has(key) ? key : closestName(key, elsewhere.keys());
  if (found === undefined) return undefined;
  const owner = elsewhere.get(found)!;
  return `did you mean ${quote(found)} (${owner === "" ? 'directly under "with"' : `under ${owner}`})?`;
}

interface ParamPlace {
  readonly node?: Place["node"];
  readonly keySpan?: Span;
  /** The whole path exists in the text. */
  readonly complete: boolean;
  readonly notes: readonly DiagnosticNote[];
}

function placeOf(path: LocatedPath, subject: CheckedParams): ParamPlace {
  if (subject.settings === undefined) return { complete: false, notes: [] };
  const place = locate(subject.settings, path);
  const notes = place.usedAt.map((span) => ({ message: "used here", span }));
  return {
    complete: place.depth === path.length,
    notes,
    ...(place.depth === 0 ? {} : { node: place.node }),
    ...(place.keySpan === undefined ? {} : { keySpan: place.keySpan }),
  };
}

const dotted = (path: LocatedPath, prefix?: string): string =>
  [...(prefix === undefined ? [] : [prefix]), ...path]
    .map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? part : `.${part}`))
    .join("");

const ownerOf = (path: LocatedPath, subject: CheckedParams): string =>
  path.length === 0 ? subject.owner : `${quote(dotted(path, subject.prefix))} of ${subject.owner}`;

function sortWords(sorts: JsonValue): string {
  const words: Readonly<Record<string, string>> = {
    string: "text",
    number: "a number",
    integer: "a whole number",
    boolean: "true or false",
    null: "null",
    array: "a list",
    object: "a map",
  };
  const named = ([sorts].flat() as string[]).map((sort) => words[sort] ?? sort);
  return named.length < 2 ? (named[0] ?? "nothing") : `${named.slice(0, -1).join(", ")} or ${named.at(-1)}`;
}

const count = (number: number, word: string): string => `${number} ${word}${number === 1 ? "" : "s"}`;

function rangeWords(keyword: string, schema: JsonObject): string | undefined {
  const limit = schema[keyword] as number;
  switch (keyword) {
    case "minimum":
      return `at least ${limit}`;
    case "maximum":
      return `at most ${limit}`;
    case "exclusiveMinimum":
      return `more than ${limit}`;
    case "exclusiveMaximum":
      return `less than ${limit}`;
    case "multipleOf":
      return `a multiple of ${limit}`;
    case "minItems":
      return `a list of at least ${count(limit, "value")}`;
    case "maxItems":
      return `a list of at most ${count(limit, "value")}`;
    case "minLength":
      return limit === 1 ? "text that is not empty" : `text of at least ${count(limit, "character")}`;
    case "maxLength":
      return `text of at most ${count(limit, "character")}`;
    case "minProperties":
      return `a map with at least ${count(limit, "key")}`;
    case "maxProperties":
      return `a map with at most ${count(limit, "key")}`;
    default:
      return undefined;
  }
}

/** Of a list or map that is too long or short, how long it is. */
function amount(value: JsonValue, described: string): string {
  if (isJsonArray(value)) return count(value.length, "value");
  return isJsonObject(value) ? count(Object.keys(value).length, "key") : described;
}

function otherWords(keyword: string, schema: JsonObject): string {
  if (keyword === "pattern")
    return typeof schema.title === "string" ? schema.title : `text like /${schema.pattern as string}/`;
  return typeof schema.title === "string" ? schema.title : "something else";
}
