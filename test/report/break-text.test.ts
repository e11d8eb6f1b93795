import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { breakText } from "../../src/report/break-text.ts";
import { renderTable } from "../../src/report/render-table.ts";
import { textWidth } from "../../src/report/text-width.ts";

describe("broken text", () => {
  it("breaks at spaces, and within a word only where it must", () => {
    expect(breakText("one two three", 8)).toEqual(["one two", "three"]);
    expect(breakText("one pipelines/resnet34.yaml", 10, 2)).toEqual(["one", "  pipeline", "  s/resnet", "  34.yaml"]);
    expect(breakText("changed  0123 -> 456789", 10, 2)).toEqual(["changed", "  0123 ->", "  456789"]);
    expect(breakText("a\n\nb", 10, 2)).toEqual(
      ["a", "", "b"].map((line, index) => (index === 0 || line === "" ? line : `  ${line}`)),
    );
  });

  it("never exceeds the width, and loses nothing but spaces", () => {
    const words = fc.array(fc.string({ unit: "grapheme", minLength: 0, maxLength: 30 }), { maxLength: 12 });
    fc.assert(
      fc.property(words, fc.integer({ min: 12, max: 60 }), fc.integer({ min: 0, max: 4 }), (parts, width, hanging) => {
        const text = parts.join(" ").replace(/[\s\p{C}]/gu, " ");
        const lines = breakText(text, width, hanging);
        for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(width);
        expect(lines.join("").replaceAll(" ", "")).toBe(text.replaceAll(" ", ""));
      }),
    );
  });
});

describe("a table", () => {
  const table = {
    columns: [
      { title: "stage" },
      { title: "took", align: "right" as const },
      { title: "reason", flexible: true as const },
    ],
    rows: [
      ["normalize", "4 m 05 s", "optimizer.learningRate 0.1 -> 0.05"],
      ["fetch", "", "up to date"],
    ],
    paintTitle: (text: string) => text,
  };

  it("becomes blocks in a window that has no room for its columns", () => {
    expect(renderTable(table, 30).join("\n")).toMatchInlineSnapshot(`
      "normalize
        took    4 m 05 s
        reason  optimizer.learningRa
                te 0.1 -> 0.05
      fetch
        reason  up to date"
    `);
    expect(renderTable(table, 60).join("\n")).toMatchInlineSnapshot(`
      "stage          took  reason
      normalize  4 m 05 s  optimizer.learningRate 0.1 -> 0.05
      fetch                up to date"
    `);
  });

  it("keeps within every window", () => {
    for (let width = 12; width < 80; width++)
      for (const line of renderTable(table, width)) expect(textWidth(line), line).toBeLessThanOrEqual(width);
  });
});
