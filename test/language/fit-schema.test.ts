import { describe, expect, test } from "vitest";
import type { Diagnostic } from "../../src/diagnostics/diagnostic.ts";
import type { JsonObject, JsonValue } from "../../src/json.ts";
import { checkParams } from "../../src/language/check-params.ts";
import { parseYaml } from "../../src/language/parse-yaml.ts";

const span = { file: "x", start: 0, end: 0 };

/** The filled value, or `code: message` of each problem. */
function check(schema: JsonObject, text: string): JsonValue {
  const settings = parseYaml({ file: "x", text }, (diagnostic) => {
    throw new Error(diagnostic.message);
  });
  if (settings?.kind !== "map") throw new Error("settings are a map");
  const diagnostics: Diagnostic[] = [];
  const subject = { owner: "it", schema, settings, ownerSpan: span };
  const value = checkParams(subject, (diagnostic) => diagnostics.push(diagnostic));
  return value ?? diagnostics.map(({ code, message }) => `${code.slice("language/".length)}: ${message}`);
}

const closed = (properties: JsonObject, required: readonly string[] = []): JsonObject => ({
  type: "object",
  additionalProperties: false,
  required,
  properties,
});

describe("defaults", () => {
  test("reach into nested maps, lists and additional properties", () => {
    const inner = closed({ n: { type: "integer", default: 1 } });
    const schema = closed({
      always: { ...inner, default: {} },
      sometimes: inner,
      list: { type: "array", items: inner },
      byName: { type: "object", additionalProperties: inner },
    });
    expect(check(schema, "{}")).toEqual({ always: { n: 1 } });
    expect(check(schema, "{ sometimes: {}, list: [{}, { n: 2 }], byName: { a: {} } }")).toEqual({
      always: { n: 1 },
      sometimes: { n: 1 },
      list: [{ n: 1 }, { n: 2 }],
      byName: { a: { n: 1 } },
    });
  });

  test("are those of the chosen variant, found through references and beside them", () => {
    const schema: JsonObject = {
      ...closed({ o: { oneOf: [{ $ref: "#/definitions/a" }, { $ref: "#/definitions/b" }], default: { type: "b" } } }),
      definitions: {
        a: closed({ type: { const: "a" }, rate: { $ref: "#/definitions/rate", default: 0.5 } }, ["type"]),
        b: closed({ type: { const: "b" }, rate: { $ref: "#/definitions/rate", default: 0.25 } }, ["type"]),
        rate: { type: "number", maximum: 1 },
      },
    };
    expect(check(schema, "{}")).toEqual({ o: { type: "b", rate: 0.25 } });
    expect(check(schema, "{ o: { type: a } }")).toEqual({ o: { type: "a", rate: 0.5 } });
    expect(check(schema, "{ o: { type: a, rate: 2 } }")).toEqual(['out-of-range: "o.rate" must be at most 1, not 2']);
    expect(check(schema, "{ o: { type: c } }")).toEqual(['wrong-value: "o.type" must be one of a and b, not text "c"']);
    expect(check(schema, "{ o: { rate: 1 } }")).toEqual(['missing-key: "o" of it needs "type"']);
  });

  test("follow if, then and else", () => {
    const schema: JsonObject = {
      type: "object",
      properties: { mode: { type: "string", default: "fast" } },
      if: { properties: { mode: { const: "fast" } } },
      // biome-ignore lint/suspicious/noThenProperty: JSON Schema's own keyword.
      then: { properties: { speed: { type: "integer", default: 9 } } },
      else: { properties: { speed: { type: "integer", default: 1 } } },
    };
    expect(check(schema, "{}")).toEqual({ mode: "fast", speed: 9 });
    expect(check(schema, "{ mode: slow }")).toEqual({ mode: "slow", speed: 1 });
  });

  test("do not touch what was given, and are not shared between checks", () => {
    const schema = closed({ list: { type: "array", default: [1] }, flag: { type: "boolean", default: true } });
    expect(check(schema, "{ list: [], flag: false }")).toEqual({ list: [], flag: false });
    const first = check(schema, "{}") as { list: number[] };
    first.list.push(2);
    expect(check(schema, "{}")).toEqual({ list: [1], flag: true });
  });
});

describe("a variant is chosen", () => {
  const size: JsonObject = {
    anyOf: [
      { type: "integer", minimum: 1 },
      { type: "array", items: { type: "integer", minimum: 1 }, minItems: 2, maxItems: 2 },
    ],
  };

  test("by the sort of the value, so that only its own problems are told", () => {
    const schema = closed({ size });
    expect(check(schema, "{ size: 0 }")).toEqual(['out-of-range: "size" must be at least 1, not 0']);
    expect(check(schema, "{ size: [1] }")).toEqual([
      'out-of-range: "size" must be a list of at least 2 values, not 1 value',
    ]);
    expect(check(schema, "{ size: [1, 0] }")).toEqual(['out-of-range: "size[1]" must be at least 1, not 0']);
    expect(check(schema, "{ size: big }")).toEqual([
      'wrong-type: "size" must be a whole number or a list, not text "big"',
    ]);
  });

  test("also where variants have variants", () => {
    const padded = closed({ size: { $ref: "#/definitions/size" }, padding: { type: "integer" } }, ["size"]);
    const schema = { ...closed({ crop: { anyOf: [{ $ref: "#/definitions/size" }, padded] } }), definitions: { size } };
    expect(check(schema, "{ crop: { padding: 4 } }")).toEqual(['missing-key: "crop" of it needs "size"']);
    expect(check(schema, "{ crop: [1] }")).toEqual([
      'out-of-range: "crop" must be a list of at least 2 values, not 1 value',
    ]);
    expect(check(schema, "{ crop: big }")).toEqual([
      'wrong-type: "crop" must be a whole number, a list or a map, not text "big"',
    ]);
  });

  test("by its required keys", () => {
    const schema = closed({
      source: { oneOf: [closed({ url: { type: "string" } }, ["url"]), closed({ path: { type: "string" } }, ["path"])] },
    });
    expect(check(schema, "{ source: { path: 3 } }")).toEqual(['wrong-type: "source.path" must be text, not 3']);
    expect(check(schema, "{ source: { ulr: x } }")).toEqual(['unknown-key: "source" of it has no setting "ulr"']);
  });

  test("among texts by what they may be", () => {
    const schema = closed({ mean: { anyOf: [{ const: "measured" }, { type: "array", items: { type: "number" } }] } });
    expect(check(schema, "{ mean: measured }")).toEqual({ mean: "measured" });
    expect(check(schema, "{ mean: measurd }")).toEqual(['wrong-value: "mean" must be "measured", not text "measurd"']);
  });

  test("as the one that fits best where nothing else tells them apart", () => {
    const schema = closed({
      n: {
        anyOf: [
          { type: "integer", maximum: -1 },
          { type: "integer", minimum: 10 },
        ],
      },
    });
    expect(check(schema, "{ n: 12 }")).toEqual({ n: 12 });
    expect(check(schema, "{ n: -4 }")).toEqual({ n: -4 });
    expect(check(schema, "{ n: 5 }")).toHaveLength(1);
  });
});

test("a key like constructor is a key like any other", () => {
  expect(check(closed({}), "{ constructor: 1, toString: 2 }")).toEqual([
    'unknown-key: it has no setting "constructor"',
    'unknown-key: it has no setting "toString"',
  ]);
});
