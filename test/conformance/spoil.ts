/** Ways in which a small text of the store can be wrong: cut, garbage, JSON of other types, one digit of a digest another. */

/** Each with what it is, for messages. */
export function spoilText(text: string): readonly (readonly [string, string])[] {
  return [
    ["emptied", ""],
    ["cut to one byte", text.slice(0, 1)],
    ["cut in the middle", text.slice(0, text.length >> 1)],
    ["cut by one byte", text.slice(0, -1)],
    ["garbage", "\u0000\u0001{{{ not JSON \ufffd"],
    ["null", "null"],
    ["a number", "7"],
    ["a list", "[]"],
    ["a list of nothing", "[null]"],
    ["a map", "{}"],
    ...spoilTypes(text),
  ];
}

/** JSON in which values have other types; none where the text is no JSON. */
export function spoilTypes(text: string): readonly (readonly [string, string])[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  return [null, 7, "x", [], {}].map((leaf) => [
    `every value in it ${JSON.stringify(leaf)}`,
    JSON.stringify(replaceLeaves(value, leaf)),
  ]);
}

/** Every digest in it begins with another digit. */
export function spoilDigests(text: string): string {
  return text.replaceAll(/\b[0-9a-f]{64}\b/g, (digest) => (digest.startsWith("0") ? "1" : "0") + digest.slice(1));
}

function replaceLeaves(value: unknown, leaf: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => replaceLeaves(item, leaf));
  if (typeof value !== "object" || value === null) return leaf;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaceLeaves(item, leaf)]));
}
