import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codeFrame, createLineTable, positionAt } from "../../src/diagnostics/code-frame.ts";

/** The frame of the first `marked` in the text. */
function frameOf(text: string, marked: string): string[] {
  const start = text.indexOf(marked);
  const frame = codeFrame(createLineTable(text), { file: "x", start, end: start + marked.length });
  return [...frame.lines, frame.mark];
}

describe("a code frame", () => {
  test("shows the line before and marks the span", () => {
    expect(frameOf("a: 1\nb: two\n", "two")).toEqual(["    1 | a: 1", "    2 | b: two", "      |    ^^^"]);
  });

  test("marks one column for an empty span, and only the first line of a long one", () => {
    const lines = createLineTable("a: 1\nb: 2");
    expect(codeFrame(lines, { file: "x", start: 3, end: 3 }).mark).toBe("      |    ^");
    expect(codeFrame(lines, { file: "x", start: 0, end: 9 }).mark).toBe("      | ^^^^");
  });

  test("holds at the end of the text", () => {
    expect(codeFrame(createLineTable("ab"), { file: "x", start: 2, end: 3 }).mark).toBe("      |   ^");
    expect(codeFrame(createLineTable(""), { file: "x", start: 0, end: 0 }).mark).toBe("      | ^");
  });

  test("leaves CR LF out of the lines", () => {
    expect(frameOf("a: 1\r\nb: 2\r\n", "2")).toEqual(["    1 | a: 1", "    2 | b: 2", "      |    ^"]);
  });

  test("opens tabs to columns of four", () => {
    expect(frameOf("\ta:\tb", "b")).toEqual(["    1 |     a:  b", "      |         ^"]);
  });

  test("gives wide characters two columns and combining ones none", () => {
    expect(frameOf("層: x", "x")).toEqual(["    1 | 層: x", "      |     ^"]);
    expect(frameOf("e\u0301: x", "x")).toEqual(["    1 | e\u0301: x", "      |    ^"]);
    expect(frameOf("🚀: x", "🚀")).toEqual(["    1 | 🚀: x", "      | ^^"]);
  });

  test("cuts a long line around the mark", () => {
    const text = `${"a".repeat(500)}WRONG${"b".repeat(500)}`;
    const [line, mark] = frameOf(text, "WRONG");
    expect(line!.length).toBeLessThan(115);
    expect(line!.indexOf("WRONG")).toBe(mark!.indexOf("^^^^^"));
    expect(line).toMatch(/^ {4}1 \| …a+WRONGb+…$/);
  });

  test("lets no control character through to the terminal", () => {
    const [line] = frameOf("a: \u001b[31mred\u0007\u009b2J\u202e", "red");
    expect(line).toBe("    1 | a: \u241b[31mred\u2407\ufffd2J\ufffd");
  });

  test("always marks the very characters of the span, whatever stands around them", () => {
    const character = fc.constantFrom(
      "a",
      " ",
      "\t",
      "層",
      "é",
      "e\u0301",
      "🚀",
      "\u001b",
      "\r",
      "\n",
      "\r\n",
      "x".repeat(70),
    );
    fc.assert(
      fc.property(fc.array(character, { maxLength: 40 }), fc.array(character, { maxLength: 40 }), (before, after) => {
        const text = `${before.join("")}[MARK]${after.join("")}`;
        const lines = frameOf(text, "[MARK]");
        const [line, mark] = [lines.at(-2)!, lines.at(-1)!];
        // Columns: wide characters are doubled, combining ones dropped.
        const columns = line
          .replaceAll(/[層🚀]/gu, "$&$&")
          .replaceAll("\u0301", "")
          .replaceAll("🚀", "r");
        expect(columns.slice(mark.indexOf("^"), mark.indexOf("^") + 6)).toBe("[MARK]");
      }),
    );
  });
});

test("positions count lines and UTF-16 columns from one", () => {
  const lines = createLineTable("ab\r\ncd\n🚀x");
  expect(positionAt(lines, 0)).toEqual({ line: 1, column: 1 });
  expect(positionAt(lines, 4)).toEqual({ line: 2, column: 1 });
  expect(positionAt(lines, 9)).toEqual({ line: 3, column: 3 });
});
