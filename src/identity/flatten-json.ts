/** Settings as dotted paths with the canonical text of their values: what is compared and shown one by one. */
import { canonicalJson, isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "../json.ts";

/** `{optimizer: {learningRate: 0.1}}` -> `{"optimizer.learningRate": "0.1"}`. Lists of plain values stay whole. */
export function flattenJson(settings: JsonObject): Readonly<Record<string, string>> {
  const flat: Record<string, string> = {};
  const visit = (value: JsonValue, path: string): void => {
    if (isJsonObject(value) && Object.keys(value).length > 0)
      for (const [key, member] of Object.entries(value)) {
        if (member !== undefined) visit(member, path === "" ? key : `${path}.${key}`);
      }
    else if (isJsonArray(value) && value.some((item) => typeof item === "object" && item !== null))
      value.forEach((item, i) => {
        visit(item, `${path}.${i}`);
      });
    else if (path !== "") flat[path] = canonicalJson(value);
  };
  visit(settings, "");
  return flat;
}
