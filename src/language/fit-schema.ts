/**
 * Fits a JSON Schema (draft-07) to a value: follows references, chooses among variants, and fills defaults, also inside
 * the chosen variant. What is left is a schema without alternatives, so that validating against it finds only problems
 * of the variant the user meant.
 *
 * A variant (`oneOf`, `anyOf`) is chosen by, in this order: the value's sort (text, number, list, ...); a property that
 * every variant pins to a constant (`type`); the required keys (`{ resize: 120 }`); and else by which one fits best.
 * Where none is right, the schema left says what would have been.
 */
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { followReference, judgeSchema, sortOf } from "./judge-schema.ts";

export interface FittedSchema {
  readonly schema: JsonObject;
  /** The value with defaults filled in. */
  readonly value: JsonValue;
}

/** `root` holds the definitions that references lead to. */
export function fitSchema(root: JsonObject, value: JsonValue): FittedSchema {
  const count = (schema: JsonObject, candidate: JsonValue): number => judgeSchema(root, schema, candidate).length;

  const follow = (schema: JsonObject): JsonObject => {
    let followed = schema;
    for (let steps = 0; typeof followed.$ref === "string"; steps++) {
      if (steps > 20) throw new Error(`a circle of references in a schema: ${followed.$ref}`);
      const { $ref, ...beside } = followed;
      followed = { ...followReference(root, $ref as string), ...beside };
    }
    return followed;
  };

  const fitTo = (given: JsonValue, start: JsonValue): FittedSchema => {
    if (!isJsonObject(given)) return { schema: given === false ? { not: {} } : {}, value: start };
    const schema = follow(given);
    const { oneOf, anyOf, allOf, if: condition, then, else: otherwise, ...rest } = schema;
    const own: Record<string, JsonValue | undefined> = rest;
    let value = start;
    if (isJsonObject(value)) ({ value } = fitProperties(schema, value, own));
    if (isJsonArray(value)) value = fitItems(schema, value, own);
    const parts: JsonObject[] = [];
    const addPart = (part: JsonValue): void => {
      const fitted = fitTo(part, value);
      value = fitted.value;
      parts.push(fitted.schema);
    };
    for (const part of isJsonArray(allOf) ? allOf : []) addPart(part);
    if (isJsonObject(condition)) {
      const branch = count(follow(condition), value) === 0 ? then : otherwise;
      if (branch !== undefined) addPart(branch);
    }
    for (const variants of [oneOf, anyOf]) if (isJsonArray(variants)) addPart(choose(variants, value));
    if (parts.length > 0) own.allOf = parts;
    return { schema: own as JsonObject, value };
  };

  const fitProperties = (
    schema: JsonObject,
    value: JsonObject,
    own: Record<string, JsonValue | undefined>,
  ): FittedSchema => {
    const filled: Record<string, JsonValue | undefined> = { ...value };
    const properties: Record<string, JsonValue | undefined> = {};
    for (const [key, property] of Object.entries(isJsonObject(schema.properties) ? schema.properties : {})) {
      if (!isJsonObject(property)) {
        properties[key] = property;
        continue;
      }
      const fallback = Object.hasOwn(value, key) ? undefined : follow(property).default;
      const before =
        fallback === undefined ? (Object.hasOwn(value, key) ? value[key] : undefined) : structuredClone(fallback);
      if (before === undefined) properties[key] = property;
      else ({ schema: properties[key], value: filled[key] } = fitTo(property, before));
    }
    for (const key of Object.keys(value)) {
      if (Object.hasOwn(properties, key) || !isJsonObject(schema.additionalProperties)) continue;
      ({ schema: properties[key], value: filled[key] } = fitTo(schema.additionalProperties, value[key]!));
    }
    if (Object.keys(properties).length > 0) own.properties = properties as JsonObject;
    return { schema: own as JsonObject, value: filled as JsonObject };
  };

  const fitItems = (
    schema: JsonObject,
    value: readonly JsonValue[],
    own: Record<string, JsonValue | undefined>,
  ): JsonValue => {
    const { items } = schema;
    if (items === undefined || value.length === 0) return value;
    const fitted = value.map((item, index) => {
      const itemSchema = isJsonArray(items) ? (items[index] ?? schema.additionalItems) : items;
      return itemSchema === undefined ? { schema: {}, value: item } : fitTo(itemSchema, item);
    });
    own.items = fitted.map((item) => item.schema);
    return fitted.map((item) => item.value);
  };

  const choose = (given: readonly JsonValue[], value: JsonValue): JsonObject => {
    const variants = given.filter(isJsonObject).map(follow);
    const fitting = variants.filter((variant) => takesSort(variant, value));
    if (fitting.length === 0) return { type: [...new Set(variants.flatMap(sortsOf))] };
    if (fitting.length === 1) return fitting[0]!;
    const constants = fitting.map(constantsOf);
    if (constants.every((values) => values !== undefined)) return { enum: constants.flat() as JsonValue[] };
    return (isJsonObject(value) ? chooseByKeys(fitting, value) : undefined) ?? chooseBest(fitting, value);
  };

  const chooseByKeys = (variants: readonly JsonObject[], value: JsonObject): JsonObject | undefined => {
    const pinned = Object.keys(propertiesOf(variants[0]!)).find((key) =>
      variants.every((variant) => constantsOf(propertiesOf(variant)[key]) !== undefined),
    );
    if (pinned !== undefined) {
      const chosen =
        value[pinned] ??
        variants
          .map((variant) => follow(propertiesOf(variant)[pinned] as JsonObject).default)
          .find((d) => d !== undefined);
      const variant = variants.find((one) => constantsOf(propertiesOf(one)[pinned])!.includes(chosen as JsonValue));
      const allowed = variants.flatMap((one) => constantsOf(propertiesOf(one)[pinned])!);
      return variant ?? { type: "object", required: [pinned], properties: { [pinned]: { enum: allowed } } };
    }
    const required = (variant: JsonObject) =>
      isJsonArray(variant.required) ? (variant.required as readonly string[]) : [];
    const known = Object.assign({}, ...variants.map(propertiesOf)) as JsonObject;
    if (Object.keys(value).some((key) => Object.hasOwn(known, key))) {
      const present = variants.filter(
        (one) => required(one).length > 0 && required(one).every((key) => Object.hasOwn(value, key)),
      );
      return present.length === 1 ? present[0] : undefined;
    }
    // None of its keys means anything: say which ones would.
    if (!variants.every((one) => one.additionalProperties === false)) return undefined;
    const properties = Object.fromEntries(Object.keys(known).map((key) => [key, {}]));
    return { type: "object", properties, additionalProperties: false, minProperties: 1 };
  };

  const chooseBest = (variants: readonly JsonObject[], value: JsonValue): JsonObject => {
    const counts = variants.map((variant) => count(variant, value));
    return variants[counts.indexOf(Math.min(...counts))]!;
  };

  const propertiesOf = (variant: JsonObject): JsonObject =>
    isJsonObject(variant.properties) ? variant.properties : {};

  const constantsOf = (schema: JsonValue | undefined): readonly JsonValue[] | undefined => {
    if (!isJsonObject(schema)) return undefined;
    const followed = follow(schema);
    if (followed.const !== undefined) return [followed.const];
    return isJsonArray(followed.enum) ? followed.enum : undefined;
  };

  const sortsOf = (variant: JsonObject): readonly string[] => {
    if (typeof variant.type === "string") return [variant.type];
    if (isJsonArray(variant.type)) return variant.type as readonly string[];
    const constants = constantsOf(variant);
    if (constants !== undefined) return [...new Set(constants.map(sortOf))];
    const nested = variant.oneOf ?? variant.anyOf;
    if (isJsonArray(nested)) return [...new Set(nested.filter(isJsonObject).map(follow).flatMap(sortsOf))];
    return variant.properties !== undefined || variant.required !== undefined ? ["object"] : ALL_SORTS;
  };

  const takesSort = (variant: JsonObject, value: JsonValue): boolean =>
    sortsOf(variant).some((sort) => sort === sortOf(value) || (sort === "integer" && sortOf(value) === "number"));

  return fitTo(root, value);
}

const ALL_SORTS = ["string", "number", "boolean", "null", "array", "object"];
