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

/** What a fingerprint has of params, completed by what is in none: how `current` is run. */
export function completeParams(keyed: JsonObject, current: JsonObject, root: JsonObject, schema = root): JsonObject {
  const properties = propertiesOf(schema, keyed, root);
  const whole: Record<string, JsonValue | undefined> = { ...keyed };
  for (const [name, member] of Object.entries(current)) {
    const property = properties[name];
    if (property === undefined || member === undefined) continue;
    const own = keyed[name];
    const target = follow(property, root);
    if ((property["x-role"] ?? target["x-role"]) === "execution") whole[name] = member;
    else if (isJsonObject(member) && isJsonObject(own)) whole[name] = completeParams(own, member, root, target);
  }
  return whole;
}

function withoutRoles(value: JsonObject, root: JsonObject, roles: readonly string[], schema = root): JsonObject {
  const properties = propertiesOf(schema, value, root);
  const kept: Record<string, JsonValue> = {};
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const property = properties[name];
    const role = property?.["x-role"] ?? (property === undefined ? undefined : follow(property, root)["x-role"]);
    if (typeof role === "string" && roles.includes(role)) continue;
    kept[name] =
      property !== undefined && isJsonObject(member)
        ? withoutRoles(member, root, roles, follow(property, root))
        : member;
  }
  return kept;
}

/** The properties of an object schema; of a discriminated one, those of the variant that `value` names too. */
function propertiesOf(schema: JsonObject, value: JsonObject, root: JsonObject): Readonly<Record<string, JsonObject>> {
  const own = membersOf(schema.properties);
  if (!isJsonArray(schema.oneOf)) return own;
  for (const candidate of schema.oneOf) {
    const variant = isJsonObject(candidate) ? follow(candidate, root) : {};
    const properties = membersOf(variant.properties);
    if (properties.type !== undefined && follow(properties.type, root).const === value.type)
      return { ...own, ...properties };
  }
  return own;
}

/** What a local `$ref` points to; the schema itself where it is none. */
function follow(schema: JsonObject, root: JsonObject): JsonObject {
  if (typeof schema.$ref !== "string") return schema;
  let target: JsonValue | undefined = root;
  for (const name of schema.$ref.replace(/^#\//, "").split("/"))
    target = isJsonObject(target) ? target[name] : undefined;
  return isJsonObject(target) ? follow(target, root) : {};
}

function membersOf(properties: JsonValue | undefined): Readonly<Record<string, JsonObject>> {
  return isJsonObject(properties) ? (properties as Readonly<Record<string, JsonObject>>) : {};
}
