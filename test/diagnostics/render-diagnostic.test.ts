import { describe, expect, test } from "vitest";
import { diagnose } from "../../src/diagnostics/diagnostic.ts";
import { renderDiagnostics } from "../../src/diagnostics/render-diagnostic.ts";

const texts = new Map([
  ["a.yaml", "one: 1\ntwo: 2\n"],
  ["--param", "x=1"],
]);
const missing = (file: string, start: number) =>
  diagnose("language/missing-path", { text: `at ${start}`, path: "/nowhere" }, { file, start, end: start + 3 });

describe("rendered diagnostics", () => {
  test("follow the order of the text, file by file, and end in a count", () => {
    const screen = renderDiagnostics([missing("--param", 0), missing("a.yaml", 7), missing("a.yaml", 0)], texts, {
      color: false,
    });
    expect([...screen.matchAll(/^ {2}(\S+:\d+:\d+)$/gm)].map((match) => match[1])).toEqual([
      "a.yaml:1:1",
      "a.yaml:2:1",
      "--param:1:1",
    ]);
    expect(screen.endsWith("\n\n3 errors\n")).toBe(true);
  });

  test("count errors and warnings apart", () => {
    const warning = { ...missing("a.yaml", 0), severity: "warning" as const };
    expect(renderDiagnostics([warning], texts, { color: false })).toMatch(/^warning\[.*\n\n1 warning\n$/s);
    expect(renderDiagnostics([warning, missing("a.yaml", 0)], texts, { color: false })).toMatch(
      /\n1 error, 1 warning\n$/,
    );
  });

  test("stop after fifty, and say so", () => {
    const many = Array.from({ length: 60 }, () => missing("a.yaml", 0));
    const screen = renderDiagnostics(many, texts, { color: false });
    expect(screen.match(/^error/gm)).toHaveLength(50);
    expect(screen).toMatch(/\n60 errors, the first 50 shown\n$/);
  });

  test("name a file whose text is not at hand", () => {
    expect(renderDiagnostics([missing("gone.yaml", 5)], texts, { color: false })).toContain("\n  gone.yaml\n");
  });

  test("have colour only when asked, and the same words with it", () => {
    const plain = renderDiagnostics([missing("a.yaml", 0)], texts, { color: false });
    const colored = renderDiagnostics([missing("a.yaml", 0)], texts, { color: true });
    expect(plain).not.toContain("\u001b");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colour is made of control characters.
    expect(colored.replaceAll(/\u001b\[[\d;]*m/g, "")).toBe(plain);
    expect(colored).not.toBe(plain);
  });

  test("keep a huge value out of the message", () => {
    const screen = renderDiagnostics(
      [
        diagnose(
          "language/unknown-stage",
          { stage: "x".repeat(100_000), known: [] },
          { file: "a.yaml", start: 0, end: 3 },
        ),
      ],
      texts,
      { color: false },
    );
    expect(screen.length).toBeLessThan(400);
  });
});
