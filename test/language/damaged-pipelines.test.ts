// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the pipeline language's own notation.
/** Whatever is done to a pipeline file, the language answers with a pipeline or with diagnostics inside the text. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { renderDiagnostics } from "../../src/diagnostics/render-diagnostic.ts";
import { loadPipeline } from "../../src/language/load-pipeline.ts";
import { registry } from "../../stages/registry.ts";

const text = readFileSync(new URL("../../pipelines/resnet34.yaml", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => !/^\s*#/.test(line))
  .join("\n");
const tokens = text.match(/[A-Za-z0-9.]+|\s+|[^\sA-Za-z0-9.]/g)!;
const junk = fc.constantFrom(
  "",
  "null",
  "-1",
  "[]",
  "{}",
  "x",
  "train",
  "stages",
  "${params.crop}",
  "${",
  "*a",
  "&a ",
  ":",
  "\n",
  "  ",
  "constructor",
  "true",
  "1e999",
);

test("a damaged pipeline never makes it throw, and every diagnostic points into the text", () => {
  let refused = 0;
  const edits = fc.array(fc.tuple(fc.nat(tokens.length - 1), junk), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(edits, fc.constantFrom([], ["quick"], ["local", "quick"]), (changes, profiles) => {
      const damaged = [...tokens];
      for (const [at, replacement] of changes) damaged[at] = replacement;
      const source = { file: "p.yaml", folder: "/project", text: damaged.join("") };
      const { pipeline, diagnostics, texts } = loadPipeline(source, { profiles, overrides: [] }, registry);
      if (pipeline === undefined) refused++;
      expect(pipeline === undefined).toBe(diagnostics.length > 0);
      for (const { span, notes } of diagnostics) {
        for (const { file, start, end } of [span, ...notes.map((note) => note.span)]) {
          expect(start).toBeGreaterThanOrEqual(0);
          expect(end).toBeGreaterThanOrEqual(start);
          expect(end).toBeLessThanOrEqual(texts.get(file)!.length);
        }
      }
      renderDiagnostics(diagnostics, texts, { color: true });
    }),
    { numRuns: 200 },
  );
  expect(refused).toBeGreaterThan(50);
});
