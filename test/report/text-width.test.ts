import fc from "fast-check";
import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import { createPalette } from "../../src/report/ansi.ts";
import { padEnd, printableLine, textWidth, truncate, wrapText } from "../../src/report/text-width.ts";

describe("text in cells", () => {
  it("counts wide characters twice, combining ones and colour codes not at all", () => {
    const { red } = createPalette(true);
    expect(["abc", "学習", "é", red("abc"), "👩‍💻", "✓…━"].map(textWidth)).toEqual([3, 4, 1, 3, 2, 3]);
  });

  it("is as wide as string-width says, but for signs that only a variation selector makes pictures", () => {
    const character = fc.oneof(
      fc.constantFrom(..."·…←↑→↓─━│✓✗⠋é学Ａ｡한", "👩‍💻", "🇩🇪", "e\u0301", "\u200b", "\u00ad", "\u0627", "\u0e33", "❤️"),
      fc
        .string({ minLength: 1, maxLength: 1, unit: "binary" })
        .filter((text) => /^(?!\p{Emoji})[\p{L}\p{N}\p{P}\p{S}]$/u.test(text)),
      fc
        .integer({ min: 0x20, max: 0x24f })
        .map((code) => String.fromCodePoint(code))
        .filter((text) => !/[©®]|\p{Control}/u.test(text)),
    );
    const text = fc.array(character, { maxLength: 8 }).map((parts) => parts.join(" "));
    fc.assert(
      fc.property(text, (words) => {
        expect(textWidth(words)).toBe(stringWidth(words));
      }),
      { numRuns: 500 },
    );
  });

  it("is cut between characters and never wider than asked", () => {
    expect(truncate("normalize", 9)).toBe("normalize");
    expect(truncate("normalize", 6)).toBe("norma…");
    expect(truncate("学習する", 6)).toBe("学習…");
    expect(truncate("学習", 0)).toBe("");
    for (let width = 0; width < 12; width++)
      expect(textWidth(truncate("a学b👩‍💻é習c d", width))).toBeLessThanOrEqual(width);
  });

  it("is padded by cells", () => {
    expect(padEnd("学習", 6)).toBe("学習  ");
    expect(padEnd("longer", 3)).toBe("longer");
  });

  it("wraps at spaces, keeps its own breaks and leaves long words whole", () => {
    expect(wrapText("one two three\nfour /a/very/long/path end", 8)).toEqual([
      "one two",
      "three",
      "four",
      "/a/very/long/path",
      "end",
    ]);
  });

  it("is made printable: escape codes and control characters go, the last state of a progress line stays", () => {
    expect(printableLine("\u001b[1mbold\u001b[0m\tx\u0007")).toBe("bold    x");
    expect(printableLine("10%\r 50%\r100%\r")).toBe("100%");
    expect(printableLine("\u001b]0;title\u0007text")).toBe("text");
  });
});
