/**
 * Finds a key that one object of a JSON text says twice. `JSON.parse` keeps the last one silently; a format that is
 * shared with other readers must not leave it to them which one counts.
 */

/** The first repeated key, or undefined. `text` is valid JSON. */
export function repeatedKey(text: string): string | undefined {
  /** Keys of the objects that are open here; arrays are undefined. */
  const open: (Set<string> | undefined)[] = [];
  // Strings whole, so that a brace or colon inside one counts for nothing.
  for (const [token, colon] of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/gs)) {
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(undefined);
    else if (token === "}" || token === "]") open.pop();
    else if (colon !== undefined) {
      const key = JSON.parse(token.slice(0, token.length - colon.length)) as string;
      const keys = open.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}
