/** Text in lines that never exceed their width: broken at spaces where that is possible, within a word where it is not. */
import { textWidth } from "./text-width.ts";

/** Uncoloured text in lines of at most `width` cells; those after the first begin with `hanging` spaces. Line breaks stay. */
export function breakText(text: string, width: number, hanging = 0): string[] {
  const indent = " ".repeat(Math.max(0, Math.min(hanging, width - 8)));
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    const margin = () => (lines.length === 0 ? "" : indent);
    let line: string | undefined;
    let broken = false;
    for (const word of paragraph.split(" ")) {
      if (line !== undefined && textWidth(line) + 1 + textWidth(word) > width) {
        lines.push(line.trimEnd());
        line = undefined;
        broken = true;
      }
      // Spaces that a line was broken at do not begin the next one.
      if (line === undefined && word === "" && broken) continue;
      line = line === undefined ? `${margin()}${word}` : `${line} ${word}`;
      while (textWidth(line) > width) {
        const kept = cut(line, width);
        lines.push(kept);
        line = margin() + line.slice(kept.length);
      }
    }
    lines.push((line ?? "").trimEnd());
  }
  return lines;
}

/** The longest beginning of `line` that fits, of one character at least. */
function cut(line: string, width: number): string {
  let kept = "";
  for (const { segment } of new Intl.Segmenter().segment(line)) {
    if (kept.trim() !== "" && textWidth(kept + segment) > width) break;
    kept += segment;
  }
  return kept;
}
