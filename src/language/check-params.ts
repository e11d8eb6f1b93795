/**
 * A stage's settings against its type's JSON Schema: defaults filled, problems as diagnostics in the words of the
 * language, at the place where the wrong value was written. Judging is ajv's; pointing and wording is done here.
 */
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { didYouMean, list, quote } from "../diagnostics/catalog.ts";
import { type Diagnostic, type DiagnosticNote, diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";
import { closestName } from "../diagnostics/suggest.ts";
import { canonicalJson, isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { fitSchema } from "./fit-schema.ts";
import { type LocatedMap, type LocatedPath, locate, type Place, toJson } from "./located.ts";
import { describeValue } from "./merge.ts";

export interface ParamsChecker {
  /** The params with defaults filled, or undefined after a problem. */
  check(subject: CheckedParams, report: ReportDiagnostic): JsonObject | undefined;
}

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

/** Compiled schemas are kept by their text, so a thousand stages of one type cost one compilation. */
export function createParamsChecker(): ParamsChecker {
  const ajv = new Ajv({ allErrors: true, strict: false, verbose: true, logger: false, addUsedSchema: false });
  const compiled = new Map<string, ValidateFunction>();
  const validate = (schema: JsonObject, value: JsonValue): readonly ErrorObject[] => {
    // Fitted schemas of one file share no identity, and `$id` must not be registered twice.
    const { $id: _, $schema: __, ...plain } = schema;
    const key = canonicalJson(plain);
    let check = compiled.get(key);
    if (check === undefined) {
      check = ajv.compile(plain);
      compiled.set(key, check);
    }
    return check(value) ? [] : (check.errors ?? []);
  };
  return {
    check(subject, report) {
      const given = subject.settings === undefined ? {} : toJson(subject.settings);
      const { schema, value } = fitSchema(subject.schema, given, (part, candidate) => validate(part, candidate).length);
      const errors = validate(schema, value).filter(({ keyword }) => !STRUCTURAL.has(keyword));
      const seen = new Set<string>();
      for (const error of errors) {
        const diagnostic = explain(error, subject);
        const key = `${diagnostic.span.file}:${diagnostic.span.start}:${diagnostic.code}:${diagnostic.message}`;
        if (!seen.has(key)) report(diagnostic);
        seen.add(key);
      }
      return errors.length === 0 ? (value as JsonObject) : undefined;
    },
  };
}

/** Keywords whose errors only repeat what others say. */
const STRUCTURAL = new Set(["if", "allOf", "anyOf", "oneOf"]);

/** ajv's error as the user reads it. */
function explain(error: ErrorObject, subject: CheckedParams): Diagnostic {
  const path = error.instancePath
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const { params, keyword } = error;
  const schema = (isJsonObject(error.parentSchema as JsonValue) ? error.parentSchema : {}) as JsonObject;
  if (keyword === "additionalProperties") return unknownKey(path, params.additionalProperty as string, schema, subject);
  if (keyword === "required" || keyword === "dependencies") {
    const key = params.missingProperty as string;
    const property = isJsonObject(schema.properties) ? schema.properties[key] : undefined;
    const description =
      isJsonObject(property) && typeof property.description === "string" ? property.description : undefined;
    const place = placeOf(path, subject);
    const span = path.length === 0 ? subject.ownerSpan : (place.keySpan ?? place.node?.span ?? subject.ownerSpan);
    return diagnose("language/missing-key", { owner: ownerOf(path, subject), key, description }, span, place.notes);
  }
  const place = placeOf(path, subject);
  const name = path.length === 0 ? subject.owner : quote(dotted(path, subject.prefix));
  const span =
    place.node === undefined
      ? subject.ownerSpan
      : place.complete
        ? place.node.span
        : (place.keySpan ?? place.node.span);
  const actual =
    place.complete && place.node !== undefined ? describeValue(place.node) : canonicalJson(error.data as JsonValue);
  if (keyword === "type") {
    return diagnose(
      "language/wrong-type",
      { name, expected: sortWords(params.type as string | string[]), actual },
      span,
      place.notes,
    );
  }
  const range = rangeWords(error);
  if (range !== undefined)
    return diagnose(
      "language/out-of-range",
      { name, expected: range, actual: amount(error, actual) },
      span,
      place.notes,
    );
  const allowed =
    keyword === "enum"
      ? (params.allowedValues as JsonValue[])
      : keyword === "const"
        ? [params.allowedValue as JsonValue]
        : undefined;
  if (allowed !== undefined) {
    const names = allowed.map((value) => (typeof value === "string" ? value : canonicalJson(value)));
    const suggestion = typeof error.data === "string" ? closestName(error.data, names) : undefined;
    const expected = names.length === 1 ? names[0]! : `one of ${list(names)}`;
    return diagnose("language/wrong-value", { name, expected, actual, suggestion }, span, place.notes);
  }
  if (keyword === "uniqueItems") {
    const twice = canonicalJson((error.data as JsonValue[])[params.i as number]!);
    const words = { name, expected: "a list without repetitions", actual: `one that holds ${twice} twice` };
    return diagnose("language/wrong-value", words, span, place.notes);
  }
  return diagnose("language/wrong-value", { name, expected: otherWords(error, schema), actual }, span, place.notes);
}

function unknownKey(path: readonly string[], key: string, schema: JsonObject, subject: CheckedParams): Diagnostic {
  const place = placeOf([...path, key], subject);
  const known = Object.keys(isJsonObject(schema.properties) ? schema.properties : {});
  const words = {
    owner: ownerOf(path, subject),
    word: "setting" as const,
    key,
    suggestion: suggestKey(path, key, known, subject),
    known,
  };
  return diagnose("language/unknown-key", words, place.keySpan ?? subject.ownerSpan, place.notes);
}

/** The closest key here, else the closest anywhere in the schema with where it belongs. */
function suggestKey(
  path: readonly string[],
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

const dotted = (path: readonly string[], prefix?: string): string =>
  [...(prefix === undefined ? [] : [prefix]), ...path]
    .map((part, i) => (/^\d+$/.test(part) ? `[${part}]` : i === 0 ? part : `.${part}`))
    .join("");

const ownerOf = (path: readonly string[], subject: CheckedParams): string =>
  path.length === 0 ? subject.owner : `${quote(dotted(path, subject.prefix))} of ${subject.owner}`;

function sortWords(sorts: string | readonly string[]): string {
  const words: Readonly<Record<string, string>> = {
    string: "text",
    number: "a number",
    integer: "a whole number",
    boolean: "true or false",
    null: "null",
    array: "a list",
    object: "a map",
  };
  return [sorts]
    .flat()
    .map((sort) => words[sort] ?? sort)
    .join(" or ");
}

const count = (number: number, word: string): string => `${number} ${word}${number === 1 ? "" : "s"}`;

function rangeWords({ keyword, params }: ErrorObject): string | undefined {
  const limit = params.limit as number;
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
      return `a multiple of ${params.multipleOf}`;
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
function amount({ data }: ErrorObject, described: string): string {
  if (Array.isArray(data)) return count(data.length, "value");
  return typeof data === "object" && data !== null ? count(Object.keys(data).length, "key") : described;
}

function otherWords({ keyword, params, message }: ErrorObject, schema: JsonObject): string {
  if (keyword === "additionalItems") return `a list of at most ${count(params.limit as number, "value")}`;
  if (keyword === "pattern")
    return typeof schema.title === "string" ? schema.title : `text like /${params.pattern as string}/`;
  return typeof schema.title === "string" ? schema.title : `valid (${message ?? keyword})`;
}
