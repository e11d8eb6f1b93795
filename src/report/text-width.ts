/**
 * Text measured and cut in terminal cells: a wide character takes two, a combining one none, a colour code none.
 * Everything that aligns or truncates goes through here; `length` counts something else.
 */
import { stripVTControlCharacters } from "node:util";
import stringWidth from "string-width";

/** Cells that `text` takes. Colour codes take none. */
export function textWidth(text: string): number {
  // Plain ASCII is nearly everything, and needs no table.
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  return stringWidth(text);
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
  for (const { segment } of new Intl.Segmenter().segment(text)) {
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
