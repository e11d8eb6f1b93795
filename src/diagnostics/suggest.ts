/** "Did you mean": the closest known name, exactly and cheaply. */

/** Names longer than this are never compared: the distance costs the product of the lengths. */
const LONGEST_NAME = 64;
/** Beyond this many the rest is not compared, so that thousands of wrong names among thousands cost no square of time. */
const MOST_COMPARED = 1_000;

/**
 * Edits between two names: insertions, deletions, replacements and swaps of neighbours (optimal string alignment,
 * Damerau 1964).
 */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(replaced, last[j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, beforeLast[j - 2]! + 1);
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}

/**
 * The known name that `name` was probably meant to be, or undefined: at most a third of its letters may differ.
 * Case and the separators `_` and `-` do not count, so `learning_rate` finds `learningRate`; nor does abbreviation to
 * initials, so `lr` finds it too. The first of equally close names wins.
 */
export function closestName(name: string, known: Iterable<string>): string | undefined {
  if (name.length > LONGEST_NAME) return undefined;
  const plain = plainName(name);
  const limit = Math.max(1, Math.floor(plain.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  let compared = 0;
  for (const candidate of known) {
    if (compared++ === MOST_COMPARED) break;
    if (candidate === name) continue;
    const other = plainName(candidate);
    if (plain.length > 1 && plain === initials(candidate)) return candidate;
    if (Math.abs(other.length - plain.length) >= bestDistance || other.length > LONGEST_NAME) continue;
    const distance = editDistance(plain, other);
    // A name with every letter replaced was not mistyped.
    if (distance < bestDistance && distance < Math.max(plain.length, other.length)) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

const plainName = (name: string): string => name.replaceAll(/[_-]/g, "").toLowerCase();

const initials = (name: string): string =>
  /[A-Z]/.test(name) ? (name[0] + name.slice(1).replaceAll(/[^A-Z]/g, "")).toLowerCase() : "";
