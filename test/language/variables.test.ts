// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the pipeline language's own notation.
import { describe, expect, test } from "vitest";
import { load, loadSound, marked, paramsOf, problems } from "./load.ts";

const text = (params: string, title: string) =>
  `name: x\nparams: ${params}\nstages:\n  plot: { uses: plot, with: { title: ${title} } }\n`;
const title = (params: string, written: string) => paramsOf(loadSound(text(params, written)), "plot").title;

describe("${params.x}", () => {
  test("alone keeps the type of what it names", () => {
    expect(title("{ a: hello }", '"${params.a}"')).toBe("hello");
    expect(title("{ a: null }", '"${params.a}"')).toBeNull();
    expect(problems(text("{ a: 3 }", '"${params.a}"'))).toEqual(['wrong-type "3"']);
  });

  test("inside a text is written into it", () => {
    expect(title("{ a: 3, b: { c: true } }", '"a ${params.a}, b ${params.b.c}!"')).toBe("a 3, b true!");
    expect(title("{ a: 0.1 }", '"${ params.a }${params.a}"')).toBe("0.10.1");
  });

  test("can be escaped", () => {
    expect(title("{ a: 3 }", '"$${params.a} is ${params.a}"')).toBe("${params.a} is 3");
    expect(title("{ a: 3 }", "5$")).toBe("5$");
  });

  test("stands for lists and maps too", () => {
    const yaml =
      'name: x\nparams: { charts: [a, b] }\nstages:\n  plot: { uses: plot, with: { charts: "${params.charts}" } }\n';
    expect(paramsOf(loadSound(yaml), "plot").charts).toEqual(["a", "b"]);
  });

  test("may stand for all settings of a stage", () => {
    const yaml = (params: string) =>
      `name: x\nparams: { own: ${params} }\nstages:\n  plot: { uses: plot, with: "\${params.own}" }\n`;
    expect(paramsOf(loadSound(yaml("{ title: a }")), "plot")).toEqual({ title: "a", charts: [] });
    expect(paramsOf(loadSound(yaml("null")), "plot")).toEqual({ title: null, charts: [] });
    expect(problems(yaml("3"))).toEqual(['wrong-type "3"']);
    expect(problems(yaml("{ titel: a }"))).toEqual(['unknown-key "titel"']);
    expect(problems(yaml("{ title: a }").replace("params.own", "params.onw"))).toEqual([
      expect.stringMatching(/^unknown-param/),
    ]);
  });

  test("may be in params, in any order, and reach into what a reference stands for", () => {
    const params = '{ a: "${params.b.c}", b: "${params.d}", d: { c: "deep ${params.e}", e: x }, e: 5 }';
    expect(loadSound(text(params, '"${params.b.c}"')).params).toEqual({
      a: "deep 5",
      b: { c: "deep 5", e: "x" },
      d: { c: "deep 5", e: "x" },
      e: 5,
    });
  });

  test("may name a neighbour in its own map", () => {
    expect(loadSound(text('{ o: { base: 2, copy: "${params.o.base}" } }', "x")).params).toEqual({
      o: { base: 2, copy: 2 },
    });
  });

  test.each([
    ["itself", '{ a: "${params.a}" }'],
    ["what holds it", '{ a: { b: "${params.a}" } }'],
    ["what it holds", '{ a: "${params.a.b}" }'],
    ["each other", '{ a: { x: "${params.b.y}" }, b: { y: "${params.a.x}" } }'],
    ["each other in a text", '{ a: "1 ${params.b}", b: "2 ${params.c}", c: "3 ${params.a}" }'],
  ])("that leads to %s is a circle, told once", (_, params) => {
    const codes = problems(text(params, "x")).map((problem) => problem.split(" ")[0]);
    expect(codes).toEqual(["param-cycle"]);
  });

  test("that grows without measure is refused", () => {
    const doubling = Array.from({ length: 30 }, (_, i) => `p${i + 1}: "\${params.p${i}}\${params.p${i}}"`).join(", ");
    expect(problems(text(`{ p0: xxxxxxxx, ${doubling} }`, "x"))[0]).toMatch(/^too-large/);
  });

  test("that is wrong is pointed at where the value was written, noting where it was used", () => {
    const yaml =
      'name: x\nparams: { a: { b: -1 } }\nstages:\n  m: { uses: build-model, with: { architecture: vgg16, numClasses: 3, seed: "${params.a.b}" } }\n';
    const { diagnostics, texts } = load(yaml);
    expect(marked(diagnostics[0]!.span, texts)).toBe("-1");
    expect(diagnostics[0]!.notes.map(({ span }) => marked(span, texts))).toEqual(['"${params.a.b}"']);
  });

  test("of another kind than params, matrix and env, or without a name, is refused", () => {
    expect(problems(text("{}", '"${stages.plot}"'))).toEqual([expect.stringMatching(/^unknown-variable/)]);
    expect(problems(text("{}", '"${a b}"'))).toEqual([expect.stringMatching(/^unknown-variable/)]);
    expect(problems(text("{ a: 1 }", '"${params.}"'))).toEqual([expect.stringMatching(/^bad-reference/)]);
    expect(problems(text("{ a: 1 }", '"${params.a"'))).toEqual([expect.stringMatching(/^bad-reference/)]);
    expect(problems(text("{ a: 1 }", '"${params.toString}"'))).toEqual([expect.stringMatching(/^unknown-param/)]);
  });
});
