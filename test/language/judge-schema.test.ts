/** The schema judge against ajv, which is the reference: on made-up schemas, and on those of every stage type. */
import { Ajv } from "ajv";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "../../src/json.ts";
import { fitSchema } from "../../src/language/fit-schema.ts";
import { judgeSchema } from "../../src/language/judge-schema.ts";
import { registry } from "../../stages/registry.ts";

const ajv = new Ajv({ strict: false, allErrors: true });

/** Text of the place of each problem that says where: ajv repeats problems of branches, which the judge sums up. */
const places = (schema: JsonObject, value: JsonValue): readonly string[] =>
  [...new Set(judgeSchema(schema, schema, value).map(({ path }) => path.map((part) => `/${part}`).join("")))].sort();

const name = fc.constantFrom("a", "b", "c", "type");
const leaf = fc.oneof(
  fc.constantFrom("", "a", "abc", "é", "🚀"),
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(0.5, -1.5),
  fc.boolean(),
  fc.constant(null),
);
const { value: anyValue } = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(name, tie("value"), { maxKeys: 3, noNullPrototype: true }),
  ),
}));
const { schema: anySchema } = fc.letrec<{ schema: JsonObject }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3 },
    fc.record(
      {
        type: fc.constantFrom("string", "number", "integer", "boolean", "null", "array", "object"),
        minimum: fc.integer({ min: -2, max: 2 }),
        exclusiveMaximum: fc.integer({ min: -2, max: 2 }),
        multipleOf: fc.constantFrom(1, 2, 0.5),
        minLength: fc.integer({ min: 0, max: 2 }),
        maxLength: fc.integer({ min: 0, max: 2 }),
        pattern: fc.constantFrom("^a", "c$", "^.$"),
        minItems: fc.integer({ min: 0, max: 2 }),
        maxItems: fc.integer({ min: 0, max: 2 }),
        uniqueItems: fc.boolean(),
        minProperties: fc.integer({ min: 0, max: 2 }),
        maxProperties: fc.integer({ min: 0, max: 2 }),
        required: fc.uniqueArray(name, { maxLength: 2 }),
      },
      { requiredKeys: [] },
    ),
    fc.record({ enum: fc.uniqueArray(leaf, { minLength: 1, maxLength: 3 }) }),
    fc.record({ const: anyValue }),
    fc.record(
      {
        properties: fc.dictionary(name, tie("schema"), { maxKeys: 3, noNullPrototype: true }),
        additionalProperties: fc.oneof(fc.boolean(), tie("schema")),
        propertyNames: fc.constant({ pattern: "^[ab]" }),
      },
      { requiredKeys: [] },
    ),
    fc.record(
      {
        items: fc.oneof(tie("schema"), fc.array(tie("schema"), { minLength: 1, maxLength: 2 })),
        additionalItems: fc.oneof(fc.boolean(), tie("schema")),
      },
      { requiredKeys: ["items"] },
    ),
    fc.record({ allOf: fc.array(tie("schema"), { minLength: 1, maxLength: 2 }) }),
    fc.record({ anyOf: fc.array(tie("schema"), { minLength: 1, maxLength: 2 }) }),
    fc.record({ oneOf: fc.array(tie("schema"), { minLength: 1, maxLength: 2 }) }),
    fc.record({ not: tie("schema") }),
    // biome-ignore lint/suspicious/noThenProperty: JSON Schema's own keyword.
    fc.record({ if: tie("schema"), then: tie("schema"), else: tie("schema") }, { requiredKeys: ["if"] }),
    fc.constant({ $ref: "#/definitions/d" }),
  ) as fc.Arbitrary<JsonObject>,
}));

test("finds a value wrong exactly when ajv does", () => {
  const definitions = { d: { type: ["integer", "array"], minimum: 0 } };
  fc.assert(
    fc.property(anySchema, anyValue, (schema, value) => {
      const whole = { ...schema, definitions };
      expect(judgeSchema(whole, whole, value).length === 0).toBe(ajv.compile(whole)(value));
    }),
    { numRuns: 600 },
  );
});

/** A value that the schema takes, by its own defaults, bounds and variants; `pick` chooses. */
function exampleOf(root: JsonObject, given: JsonValue, pick: () => number): JsonValue {
  if (!isJsonObject(given)) return null;
  const schema =
    typeof given.$ref === "string"
      ? {
          ...((root.definitions as JsonObject)[given.$ref.slice("#/definitions/".length)]! as JsonObject),
          ...given,
          $ref: undefined,
        }
      : given;
  const one = <T>(list: readonly T[]): T => list[pick() % list.length]!;
  if (schema.const !== undefined) return schema.const;
  if (isJsonArray(schema.enum)) return one(schema.enum);
  const variants = schema.oneOf ?? schema.anyOf;
  if (isJsonArray(variants)) return exampleOf(root, one(variants), pick);
  if (schema.default !== undefined && pick() % 2 === 0) return schema.default;
  switch (schema.type) {
    case "integer":
      return ((schema.minimum as number | undefined) ?? 1) + (pick() % 3);
    case "number":
      return schema.maximum === 1 ? 0.5 : ((schema.minimum as number | undefined) ?? 0.5);
    case "boolean":
      return pick() % 2 === 0;
    case "string":
      return /^\^https/.test(String(schema.pattern))
        ? "https://example.org/x"
        : schema.pattern === undefined
          ? "text"
          : "0".repeat(64);
    case "array":
      return Array.from({ length: (schema.minItems as number | undefined) ?? pick() % 3 }, () =>
        exampleOf(root, schema.items!, pick),
      );
    default: {
      const properties = Object.entries((schema.properties ?? {}) as JsonObject);
      const required = (schema.required ?? []) as readonly string[];
      const kept = properties.filter(([key]) => required.includes(key) || pick() % 3 === 0);
      return Object.fromEntries(kept.map(([key, property]) => [key, exampleOf(root, property!, pick)]));
    }
  }
}

/** The same value with something changed somewhere. */
function damage(value: JsonValue, pick: () => number): JsonValue {
  const replacements: readonly JsonValue[] = [null, -1, 0, 1.5, "text", true, [], {}, [1, 2, 3, 4, 5], { odd: 1 }];
  if (isJsonObject(value) && pick() % 4 > 0) {
    const keys = Object.keys(value);
    if (keys.length === 0 || pick() % 5 === 0) return { ...value, unheardOf: 1 };
    const key = keys[pick() % keys.length]!;
    if (pick() % 5 === 0)
      return Object.fromEntries(Object.entries(value).filter(([other]) => other !== key)) as JsonObject;
    return { ...value, [key]: damage(value[key]!, pick) };
  }
  if (isJsonArray(value) && value.length > 0 && pick() % 3 > 0)
    return value.map((item, i) => (i === 0 ? damage(item, pick) : item));
  return replacements[pick() % replacements.length]!;
}

describe("on the schema of", () => {
  test.each([...registry.keys()])("%s it agrees with ajv about sound and damaged settings, and about where", (type) => {
    const schema = registry.get(type)!.schema;
    const reference = ajv.compile(schema as object);
    let wrong = 0;
    fc.assert(
      fc.property(fc.array(fc.nat(1_000), { minLength: 40, maxLength: 40 }), fc.boolean(), (numbers, isDamaged) => {
        let at = 0;
        const pick = () => numbers[at++ % numbers.length]!;
        const sound = exampleOf(schema, schema, pick);
        const value = isDamaged ? damage(sound, pick) : sound;
        const isValid = reference(value);
        if (!isValid) wrong++;
        expect(judgeSchema(schema, schema, value).length === 0).toBe(isValid);
        const told = new Set(reference.errors?.map(({ instancePath }) => instancePath));
        for (const place of places(schema, value)) expect(told).toContain(place);
        // What is chosen among variants is right exactly when something among them is.
        if (isJsonObject(value)) {
          const fitted = fitSchema(schema, value);
          expect(judgeSchema(schema, fitted.schema, fitted.value).length === 0).toBe(isValid);
        }
      }),
      { numRuns: 150 },
    );
    expect(wrong).toBeGreaterThan(10);
  });
});

test("refuses a schema with a keyword that it does not know", () => {
  expect(() => judgeSchema({}, { patternProperties: {} }, {})).toThrow(/patternProperties/);
});
