/**
 * Text measured and cut in terminal cells: a wide character takes two, a combining one none, a colour code none.
 * Everything that aligns or truncates goes through here; `length` counts something else.
 */
import { stripVTControlCharacters } from "node:util";
import { eastAsianWidth } from "get-east-asian-width";

/** ASCII, Latin letters and the signs that our views draw with: nearly everything, and one cell each. */
const NARROW = /^[\x20-\x7e\u00b7\u00c0-\u024f\u2026\u2190-\u2193\u2500-\u257f\u2713\u2717\u2800-\u28ff]*$/;

/** Cells that `text` takes. Colour codes take none. */
export function textWidth(text: string): number {
  if (NARROW.test(text)) return text.length;
  let cells = 0;
  for (const { segment } of segmenter().segment(stripVTControlCharacters(text))) cells += widthOf(segment);
  return cells;
}

/** Of what is read as one character. */
function widthOf(character: string): number {
  if (emoji().test(character)) return 2;
  return INVISIBLE.test(character) ? 0 : eastAsianWidth(character.codePointAt(0)!);
}

const INVISIBLE = /^[\p{Control}\p{Mark}\p{Surrogate}\p{Default_Ignorable_Code_Point}]/u;

// Their tables take as long to load as all else that a short command does.
const segmenter = onceAsked(() => new Intl.Segmenter());
// biome-ignore lint/complexity/useRegexLiterals: as a literal it needs a language newer than the one we compile for.
const emoji = onceAsked(() => new RegExp("^\\p{RGI_Emoji}", "v"));

function onceAsked<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** `text` followed by spaces up to `width` cells. Longer text stays as it is. */
export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - textWidth(text)));
}

/** Spaces up to `width` cells, then `text`. */
export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - textWidth(text))) + text;
}

/** At most `width` cells of uncoloured `text`; where something is cut off, the last cell is `…`. */
export function truncate(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  if (width <= 0) return "";
  let kept = "";
  let used = 0;
  for (const { segment } of segmenter().segment(text)) {
    const next = used + textWidth(segment);
    if (next > width - 1) break;
    kept += segment;
    used = next;
  }
  return `${kept.trimEnd()}…`;
}

/**
 * `text` broken at spaces into lines of at most `width` cells. A word longer than a line is not broken, so that paths
 * and commands can still be copied. Line breaks in `text` stay.
 */
export function wrapText(text: string, width: number): string[] {
  return text.split("\n").flatMap((paragraph) => {
    const lines: string[] = [];
    let line = "";
    for (const word of paragraph.split(" ")) {
      if (line !== "" && textWidth(line) + 1 + textWidth(word) > width) {
        lines.push(line);
        line = word;
      } else line = line === "" ? word : `${line} ${word}`;
    }
    lines.push(line);
    return lines;
  });
}

/** One printable line out of what a program wrote: no escape codes, no control characters, the last state of a `\r` progress line. */
export function printableLine(line: string): string {
  const lastState = stripVTControlCharacters(line).replace(/\r+$/, "").split("\r").at(-1) ?? "";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the point.
  return lastState.replaceAll("\t", "    ").replace(/[\u0000-\u001f\u007f-\u009f]/g, "");
}
