/**
 * The two weights of the one bundled font: how wide a text is, which characters it lacks, and a subset to embed.
 *
 * Widths come from the font's own advances and kerning, as every renderer that we feed applies them, so that layout is
 * the same on every machine and no system font is ever asked.
 */
import { readFileSync } from "node:fs";
import type { Font } from "fontkit";

/** Absolute paths of the TrueType files. */
export interface ChartFontFiles {
  readonly regular: string;
  readonly semiBold: string;
}

export type FontWeight = 400 | 600;

export interface ChartFonts {
  readonly files: ChartFontFiles;
  /** Advance width of one line in pixels. */
  measure(text: string, fontSize: number, weight: FontWeight): number;
  /** Characters of `text` without a glyph, each once. */
  missing(text: string): readonly string[];
  /** A WOFF2 file with the glyphs of `text`. */
  subset(text: string, weight: FontWeight): Promise<Uint8Array>;
}

/** What shaping applies unasked; the stylistic sets, which nobody asks for, would make a subset ten times as large. */
const FEATURES = ["calt", "ccmp", "kern", "liga", "locl", "mark", "mkmk"];

/** Throws where a file is no font. */
export async function openChartFonts(files: ChartFontFiles): Promise<ChartFonts> {
  const { create } = await import("fontkit");
  const { default: subsetFont } = await import("subset-font");
  const bytes = { 400: readFileSync(files.regular), 600: readFileSync(files.semiBold) };
  const open = (weight: FontWeight): Font => {
    const font = create(bytes[weight]);
    if (!("layout" in font)) throw new Error("a font collection cannot be used here, only a single font");
    return font;
  };
  const fonts = { 400: open(400), 600: open(600) };
  const emWidths = { 400: new Map<string, number>(), 600: new Map<string, number>() };
  return {
    files,
    measure(text, fontSize, weight) {
      let width = emWidths[weight].get(text);
      if (width === undefined) {
        width = fonts[weight].layout(text).advanceWidth / fonts[weight].unitsPerEm;
        emWidths[weight].set(text, width);
      }
      return width * fontSize;
    },
    missing: (text) =>
      [...new Set(text)].filter((character) => !fonts[400].hasGlyphForCodePoint(character.codePointAt(0)!)),
    subset: (text, weight) =>
      subsetFont(bytes[weight], text, { targetFormat: "woff2", keepFeatures: FEATURES, noHinting: true }),
  };
}
