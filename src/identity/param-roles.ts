/**
 * Which params count where. A schema marks a property with `x-role`; what has no mark is plain identity:
 *
 *   execution  how it is run, never what comes out (log interval): in no key
 *   horizon    how far a chain of epochs goes and what is picked from it: in the stage's key, not in its links
 *   perEpoch   resolved by the stage for each epoch (schedules): in the stage's key; in links as resolved
 */
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "../json.ts";

/** What enters the fingerprint. */
export function paramsForKey(params: JsonObject, schema: JsonObject): JsonObject {
  return withoutRoles(params, schema, ["execution"]);
}

/** What enters the keys of checkpoints; the stage adds what it resolves. */
export function paramsForCheckpoints(params: JsonObject, schema: JsonObject): JsonObject {
  return withoutRoles(params, schema, ["execution", "horizon", "perEpoch"]);
}

function withoutRoles(value: JsonObject, schema: JsonObject, roles: readonly string[]): JsonObject {
  const properties = propertiesOf(schema, value);
  const kept: Record<string, JsonValue> = {};
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const property = properties[name];
    if (property !== undefined && typeof property["x-role"] === "string" && roles.includes(property["x-role"]))
      continue;
    kept[name] = property !== undefined && isJsonObject(member) ? withoutRoles(member, property, roles) : member;
  }
  return kept;
}

/** The properties of an object schema; of a discriminated one, those of the variant that `value` names. */
function propertiesOf(schema: JsonObject, value: JsonObject): Readonly<Record<string, JsonObject>> {
  const own = isJsonObject(schema.properties) ? (schema.properties as Readonly<Record<string, JsonObject>>) : {};
  if (!isJsonArray(schema.oneOf)) return own;
  for (const variant of schema.oneOf) {
    if (!isJsonObject(variant) || !isJsonObject(variant.properties)) continue;
    const type = variant.properties.type;
    if (isJsonObject(type) && type.const === value.type)
      return { ...own, ...(variant.properties as Readonly<Record<string, JsonObject>>) };
  }
  return own;
}
