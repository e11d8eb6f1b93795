// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the pipeline language's own notation.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { Diagnostic } from "../../src/diagnostics/diagnostic.ts";
import { type Located, toJson } from "../../src/language/located.ts";
import { parseYaml } from "../../src/language/parse-yaml.ts";
import { load } from "./load.ts";

function parse(text: string): { readonly value: Located | undefined; readonly codes: readonly string[] } {
  const diagnostics: Diagnostic[] = [];
  const value = parseYaml({ file: "x", text }, (diagnostic) => diagnostics.push(diagnostic));
  return { value, codes: diagnostics.map(({ code }) => code) };
}

/** The text of every scalar as its span marks it. */
function scalarTexts(text: string): string[] {
  const found: string[] = [];
  const visit = (node: Located): void => {
    if (node.kind === "scalar") found.push(text.slice(node.span.start, node.span.end));
    if (node.kind === "list") node.items.forEach(visit);
    if (node.kind === "map") for (const { value } of node.entries.values()) visit(value);
  };
  visit(parse(text).value!);
  return found;
}

describe("spans mark exactly what was written", () => {
  test.each([
    ["block style", "a: one\nb:\n  - two\n  - three\n", ["one", "two", "three"]],
    ["flow style", "{ a: one, b: [two, three] }", ["one", "two", "three"]],
    ["comments", "# head\na: one # tail\n# between\nb: two\n", ["one", "two"]],
    ["CR LF", "a: one\r\nb:\r\n  c: two\r\n", ["one", "two"]],
    ["quotes", "a: 'one'\nb: \"two\"\n", ["'one'", '"two"']],
    ["tabs between", "a:\tone\nb: [\ttwo\t]\n", ["one", "two"]],
    ["other scripts", "名: 値\n🚀: ünï\n", ["値", "ünï"]],
    ["a byte order mark", "\ufeffa: one\n", ["one"]],
    ["an anchor and its alias", "a: &x one\nb: *x\n", ["one", "one"]],
    ["a tag", "a: !!str 12\n", ["12"]],
    ["an empty value, by its key", "a:\nb: two\n", ["a", "two"]],
    ["a block scalar", "a: |\n  one\n  two\nb: three\n", ["|\n  one\n  two\n", "three"]],
  ])("in %s", (_, text, expected) => {
    expect(scalarTexts(text)).toEqual(expected);
  });

  test("an alias also says where it was used", () => {
    const text = "a: &x { n: 1 }\nb: *x\n";
    const { value } = parse(text);
    const b = value?.kind === "map" ? value.entries.get("b")!.value : undefined;
    expect(b!.usedAt!.map(({ start, end }) => text.slice(start, end))).toEqual(["*x"]);
  });
});

test("any JSON value comes back as it was written", () => {
  const key = fc.string().filter((name) => name !== "__proto__" && name !== "<<");
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      tie("leaf"),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }),
    ),
    leaf: fc.oneof(
      fc.string(),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Number.isInteger(n)),
      fc.boolean(),
      fc.constant(null),
    ),
  }));
  fc.assert(
    fc.property(value, (written) => {
      const { value: read, codes } = parse(stringify(written));
      expect(codes).toEqual([]);
      expect(toJson(read!)).toEqual(written);
    }),
  );
});

test("YAML 1.2 it is: yes, on and 012 are what they look like", () => {
  expect(toJson(parse("a: yes\nb: on\nc: 0o14\nd: 012\ne: 1e-4\nf: ~\n").value!)).toEqual({
    a: "yes",
    b: "on",
    c: 12,
    d: 12,
    e: 1e-4,
    f: null,
  });
});

test("keys that look like numbers or booleans are taken as written", () => {
  expect(toJson(parse("1: a\n0x10: b\ntrue: c\n").value!)).toEqual({ "1": "a", "0x10": "b", true: "c" });
});

describe("a hostile text is refused, quickly and without harm", () => {
  const bomb = Array.from(
    { length: 20 },
    (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(", ")}]`,
  ).join("\n");
  test.each([
    ["an alias bomb", `a0: &a0 [x]\n${bomb}\n`, "language/too-large"],
    ["an anchor that holds itself", "a: &a { b: [*a] }\n", "language/unsupported-yaml"],
    ["deep flow nesting", "[".repeat(100_000), "language/too-large"],
    ["closed deep nesting", `${"[".repeat(50_000)}${"]".repeat(50_000)}`, "language/too-large"],
    ["deep block nesting", "- ".repeat(20_000), "language/too-large"],
    ["deep maps", Array.from({ length: 1_500 }, (_, i) => `${" ".repeat(i)}a:\n`).join(""), "language/too-large"],
    ["a text of many megabytes", `a: ${"x".repeat(9 * 2 ** 20)}`, "language/too-large"],
    ["the key __proto__", "a: { __proto__: { polluted: true } }\n", "language/bad-name"],
    ["a YAML 1.1 document", "%YAML 1.1\n---\na: yes\n", "language/unsupported-yaml"],
    ["a tag of another language", "a: !!python/object/apply:os.system ['ls']\n", "language/unsupported-yaml"],
    ["a merge key", "a: &a { b: 1 }\nc: { <<: *a }\n", "language/unsupported-yaml"],
    ["a key that is a list", "? [a]\n: 1\n", "language/unsupported-yaml"],
    ["NaN", "a: .nan\n", "language/unsupported-yaml"],
  ])("%s", (_, text, code) => {
    const { value, codes } = parse(text);
    expect(value).toBeUndefined();
    expect(codes).toContain(code);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test("a huge scalar stays out of the message", () => {
    const { diagnostics } = load(`name: x\nstages:\n  a: { uses: ${"x".repeat(2 ** 20)} }\n`);
    expect(diagnostics).toHaveLength(1);
    expect(diagnostics[0]!.message.length).toBeLessThan(200);
  });

  test("many duplicate keys cost no square of time", () => {
    const text = Array.from({ length: 50_000 }, (_, i) => `k${i % 49_999}: 1`).join("\n");
    expect(parse(text).codes).toEqual(["language/duplicate-key"]);
  });

  test("a file made of mistakes stops at some thousands", () => {
    const inputs = Array.from({ length: 50_000 }, (_, i) => `s${i}: t${i}`).join(", ");
    const stages = Array.from({ length: 1_500 }, (_, i) => `  u${i}: { uses: plot }\n`).join("");
    expect(load(`name: x\nstages:\n${stages}  p: { run: x, inputs: { ${inputs} } }\n`).diagnostics).toHaveLength(5_000);
  });

  test("a shell stage with very many outputs costs no square of time", () => {
    const outputs = Array.from({ length: 50_000 }, (_, i) => `o${i}: f${i}`).join(", ");
    const { diagnostics } = load(`name: x\nstages:\n  p: { run: x, outputs: { ${outputs} } }\n`);
    expect(diagnostics.map(({ code }) => code)).toEqual(["language/too-large"]);
  });

  test("names of objects' own members are names like any other, but of no stage, input or output", () => {
    const { diagnostics } = load(
      "name: x\nenv: [constructor]\nparams: { toString: 1 }\nstages:\n  a: { run: 'x ${params.toString}', inputs: { b: valueOf }, outputs: { c: a } }\n",
    );
    expect(diagnostics.map(({ code }) => code)).toEqual(["language/unset-environment", "language/unknown-stage"]);
    const names = load(
      "name: x\nstages:\n  constructor: { run: 'x', inputs: { valueOf: ./a }, outputs: { toString: a } }\n",
    );
    expect(names.diagnostics.map(({ code }) => code)).toEqual(Array(3).fill("language/bad-name"));
  });

  test("no text makes it throw", () => {
    const piece = fc.constantFrom(
      "a",
      ":",
      " ",
      "\n",
      "- ",
      "[",
      "]",
      "{",
      "}",
      ",",
      "&a",
      "*a",
      "!t",
      "|",
      ">",
      "'",
      '"',
      "#",
      "?",
      "%",
      "\t",
      "\r",
      "---",
      "...",
      "${",
      "\\",
      "\0",
      "é",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const { value, codes } = parse(pieces.join(""));
        expect(value === undefined).toBe(codes.length > 0);
      }),
      { numRuns: 1_000 },
    );
  });
});
