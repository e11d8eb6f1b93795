// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the pipeline language's own notation.
import { describe, expect, test } from "vitest";
import { load, loadSound, marked, problems } from "./load.ts";

const head = "name: x\nstages:\n";
const fetch = "  fetch: { uses: fetch, with: { dataset: cifar10 } }\n";
const plot = (matrix: string, rest = "") => `${head}  plot: { uses: plot, matrix: ${matrix}${rest} }\n`;
const names = (text: string) => loadSound(text).stages.map(({ name }) => name);
const model = (matrix: string) =>
  `  model: { uses: build-model, matrix: ${matrix}, with: { architecture: resnet18, numClasses: "\${matrix.classes}", seed: 1 } }\n`;

describe("a matrix of a stage", () => {
  test("makes an instance of every combination, in the order of the values", () => {
    const { stages } = loadSound(plot("{ lr: [0.1, 0.01], seed: [2, 1] }"));
    expect(stages.map(({ name }) => name)).toEqual([
      "plot@lr=0.1,seed=2",
      "plot@lr=0.1,seed=1",
      "plot@lr=0.01,seed=2",
      "plot@lr=0.01,seed=1",
    ]);
    expect(stages[1]!.instance).toEqual({ of: "plot", name: "lr=0.1,seed=1", values: { lr: 0.1, seed: 1 } });
  });

  test("gives each instance its values, with their types, and knows where they were written", () => {
    const text = `${head}${model("{ classes: [10, 100] }")}`;
    const { pipeline, texts } = load(text);
    expect(pipeline!.stages.map(({ params }) => params.numClasses)).toEqual([10, 100]);
    expect(pipeline!.stages.map(({ spans }) => marked(spans.params.numClasses!, texts))).toEqual(["10", "100"]);
  });

  test("may have lists and maps as values, whose parts can be named", () => {
    const matrix = "{ size: [{ title: small, charts: [a] }, { title: large, charts: [b, c] }] }";
    const text = plot(matrix, ', with: { title: "${matrix.size.title}", charts: "${matrix.size.charts}" }');
    expect(loadSound(text).stages.map(({ params }) => params)).toEqual([
      { title: "small", charts: ["a"] },
      { title: "large", charts: ["b", "c"] },
    ]);
    expect(problems(text.replace("title: large, ", ""))).toEqual(['bad-reference "\\"${matrix.size.title}\\""']);
  });

  test("leaves out what is excluded, by all of an entry's values, and adds what is included", () => {
    const matrix =
      "{ a: [1, 2], b: [x, y], exclude: [{ a: 1, b: x }, { a: 2 }], include: [{ b: z, a: 3 }, { a: 1, b: y }] }";
    expect(names(plot(matrix))).toEqual(["plot@a=1,b=y", "plot@a=3,b=z"]);
  });

  test("may be made of included combinations only", () => {
    expect(names(plot("{ include: [{ depth: 18, lr: 0.1 }, { depth: 34, lr: 0.5 }] }"))).toEqual([
      "plot@depth=18,lr=0.1",
      "plot@depth=34,lr=0.5",
    ]);
  });

  test("may take an axis from a param, and a profile may change one or take the matrix away", () => {
    const text = `name: x
params: { rates: [0.1, 0.2] }
stages:
  plot: { uses: plot, matrix: { lr: "\${params.rates}", seed: [1] } }
profiles:
  one: { params: { rates: [0.3] } }
  seeds: { stages: { plot: { matrix: { seed: [1, 2], lr: [0.1] } } } }
  none: { stages: { plot: { matrix: null } } }
`;
    const with_ = (profile: string) => loadSound(text, { profiles: [profile] }).stages.map(({ name }) => name);
    expect(names(text)).toEqual(["plot@lr=0.1,seed=1", "plot@lr=0.2,seed=1"]);
    expect(with_("one")).toEqual(["plot@lr=0.3,seed=1"]);
    expect(with_("seeds")).toEqual(["plot@lr=0.1,seed=1", "plot@lr=0.1,seed=2"]);
    expect(with_("none")).toEqual(["plot"]);
    expect(loadSound(text, { overrides: ["rates=[7]"] }).stages[0]!.name).toBe("plot@lr=7,seed=1");
  });

  test("tells a mistake that all instances have once, and one of a value at the value", () => {
    expect(problems(plot("{ a: [1, 2, 3] }", ", with: { titel: x }"))).toEqual(['unknown-key "titel"']);
    expect(problems(`${head}${model("{ classes: [10, 1, ten] }")}`).sort()).toEqual([
      'out-of-range "1"',
      'wrong-type "ten"',
    ]);
  });

  test("that is wrong hides what stands on it", () => {
    const text = `${head}${model("{ classes: [] }")}  plot: { uses: plot, inputs: { anything: model } }\n`;
    expect(problems(text)).toEqual(['bad-matrix "[]"']);
  });
});

describe("an instance's name", () => {
  const name = (value: string) => names(plot(`{ v: [${value}] }`))[0]!.slice("plot@v=".length);

  test("has values that are safe in file names as they are", () => {
    expect(["0.1", "-3", "true", "resnet18", "a_b+c", "1e-7", "null"].map(name)).toEqual([
      "0.1",
      "-3",
      "true",
      "resnet18",
      "a_b+c",
      "1e-7",
      "null",
    ]);
  });

  test.each(["a/b", "../x", "'a,b'", "a=b", "a@b", "ünï", "'a b'", "''", "x.", "[1, 2]", "{ a: 1 }", "a".repeat(300)])(
    "ends in a digest where the value %s is odd or long",
    (value) => {
      expect(name(value)).toMatch(/^([A-Za-z0-9._+-]{1,20}~)?[0-9a-f]{8}$/);
    },
  );

  test("does not change when other values come or go", () => {
    expect(names(plot("{ v: ['a b', x] }"))).toContain(names(plot("{ v: [y, 'a b'] }"))[1]);
  });

  test("stays short enough for a folder however many axes there are", () => {
    const axes = Array.from({ length: 40 }, (_, i) => `axis${i}: [value${i}]`).join(", ");
    const [long] = names(plot(`{ ${axes} }`));
    expect(long!.length).toBeLessThan(120);
    expect(names(plot(`{ ${axes.replace("value39", "other39")} }`))[0]).not.toBe(long);
  });
});

describe("a stage that reads one with a matrix", () => {
  const text = (reader: string) => `${head}${model("{ classes: [10, 100] }")}  plot: { uses: plot, ${reader} }\n`;

  test("is connected instance by instance where it has the same axes", () => {
    const { stages } = loadSound(text("matrix: { size: [1, 2], classes: [100, 10] }, inputs: { anything: model }"));
    const sources = stages.slice(2).map(({ name, inputs }) => [name, inputs.anything]);
    const source = (stage: string) => ({ from: "stage", stage, output: "model" });
    expect(sources).toEqual([
      ["plot@size=1,classes=100", source("model@classes=100")],
      ["plot@size=1,classes=10", source("model@classes=10")],
      ["plot@size=2,classes=100", source("model@classes=100")],
      ["plot@size=2,classes=10", source("model@classes=10")],
    ]);
  });

  test("may collect every instance where its port takes many", () => {
    const yaml = `${head}${model("{ classes: [10, 100] }")}  list: { run: "ls \${inputs.models}", inputs: { models: model@*.model }, outputs: { list: l.txt } }\n`;
    expect(loadSound(yaml).stages[2]!.inputs.models).toEqual({
      from: "instances",
      text: "model@*.model",
      members: [
        { name: "classes=10", stage: "model@classes=10", output: "model" },
        { name: "classes=100", stage: "model@classes=100", output: "model" },
      ],
    });
  });

  test("may come after its own instance, or after all", () => {
    const order = (reader: string) => loadSound(text(reader)).stages.at(-1)!.after;
    expect(order("after: model@*")).toEqual(["model@classes=10", "model@classes=100"]);
    expect(order("matrix: { classes: [10] }, after: [model]")).toEqual(["model@classes=10"]);
  });

  test("in a circle is told by the names in the file", () => {
    const yaml = `${head}  a: { uses: plot, matrix: { x: [1, 2] }, inputs: { anything: b } }\n  b: { uses: plot, matrix: { x: [1, 2] }, inputs: { anything: a } }\n`;
    expect(problems(yaml)).toEqual(['cycle "a"']);
  });
});

describe("the pipeline's matrix", () => {
  const job = (matrix: string) => `name: x
matrix: ${matrix}
stages:
${fetch}  split: { uses: split, inputs: { data: fetch.train }, with: { fractions: { train: 1 }, seed: "\${matrix.seed}" } }
  model: { uses: build-model, with: { architecture: resnet18, numClasses: 10, seed: 1 } }
  train:
    uses: train
    inputs: { model: model, train: split.train }
    with: { epochs: 1, optimizer: { type: sgd, learningRate: "\${matrix.lr}" }, seed: 1 }
  plot: { uses: plot, inputs: { history: train.history } }
  all: { uses: plot, inputs: { runs: train@*.history } }
`;

  test("fans out what refers to an axis, and what reads such a stage, over the axes that reach it", () => {
    expect(names(job("{ lr: [0.1, 0.2], seed: [1, 2] }"))).toEqual([
      "fetch",
      "split@seed=1",
      "split@seed=2",
      "model",
      "train@lr=0.1,seed=1",
      "train@lr=0.1,seed=2",
      "train@lr=0.2,seed=1",
      "train@lr=0.2,seed=2",
      "plot@lr=0.1,seed=1",
      "plot@lr=0.1,seed=2",
      "plot@lr=0.2,seed=1",
      "plot@lr=0.2,seed=2",
      "all",
    ]);
  });

  test("keeps to its combinations in stages that vary with some axes only", () => {
    const text = job("{ lr: [0.1, 0.2], seed: [1, 2], exclude: [{ seed: 2 }] }");
    const { stages } = loadSound(text);
    expect(stages.map(({ name }) => name).filter((name) => /^(split|train)/.test(name))).toEqual([
      "split@seed=1",
      "train@lr=0.1,seed=1",
      "train@lr=0.2,seed=1",
    ]);
    expect(stages.find(({ name }) => name === "train@lr=0.2,seed=1")!.inputs.train).toMatchObject({
      stage: "split@seed=1",
    });
  });

  test("may choose what a stage reads, and reaches what is read so", () => {
    const text = `name: x
matrix: { from: [fetch.train, small.train] }
stages:
${fetch}  small: { uses: split, inputs: { data: fetch.train }, with: { fractions: { train: 1 }, seed: 1 } }
  plot: { uses: plot, inputs: { anything: "\${matrix.from}" } }
`;
    const { stages } = loadSound(text);
    expect(stages.map(({ name, inputs }) => [name, inputs.anything])).toEqual([
      ["fetch", undefined],
      ["small", undefined],
      ["plot@from=fetch.train", { from: "stage", stage: "fetch", output: "train" }],
      ["plot@from=small.train", { from: "stage", stage: "small", output: "train" }],
    ]);
  });

  test("goes beside a stage's own", () => {
    const text = `name: x\nmatrix: { title: [a, b] }\nstages:\n  plot: { uses: plot, matrix: { size: [1, 2] }, with: { title: "\${matrix.title}" } }\n`;
    expect(names(text)).toEqual([
      "plot@title=a,size=1",
      "plot@title=a,size=2",
      "plot@title=b,size=1",
      "plot@title=b,size=2",
    ]);
  });

  test("that is wrong hides what stands on it", () => {
    expect(problems(job("{ lr: [], seed: [1] }"))).toEqual(['bad-matrix "[]"']);
  });

  test("does not reach params, which are one for all", () => {
    const text = 'name: x\nparams: { a: "${matrix.s}" }\nmatrix: { s: [1] }\nstages:\n  p: { uses: plot }\n';
    expect(problems(text)).toEqual(['bad-reference "\\"${matrix.s}\\""']);
  });
});

describe("a matrix without measure is refused before it is multiplied", () => {
  const list = (length: number, from = 0) => `[${Array.from({ length }, (_, i) => i + from).join(", ")}]`;
  test.each([
    ["of many axes", plot(`{ ${Array.from({ length: 60 }, (_, i) => `a${i}: [1, 2]`).join(", ")} }`)],
    ["of long axes", plot(`{ a: ${list(100_000)}, b: ${list(100_000)} }`)],
    ["of one long axis", plot(`{ a: ${list(2_001)} }`)],
    ["with many exclusions", plot(`{ a: ${list(2_000)}, exclude: [${"{ a: 1 }, ".repeat(1_001)}] }`)],
    [
      "of the pipeline, times that of a stage",
      `name: x\nmatrix: { a: ${list(150)} }\nstages:\n  p: { uses: plot, matrix: { b: ${list(150)} }, with: { title: "\${matrix.a}" } }\n`,
    ],
    [
      "in many stages",
      `${head}${Array.from({ length: 20 }, (_, i) => `  p${i}: { uses: plot, matrix: { a: ${list(1_001)} } }\n`).join("")}`,
    ],
    ["of a stage that holds much", plot(`{ a: ${list(2_000)} }`, `, with: { charts: ${list(2_000)} }`)],
  ])("%s", (_, text) => {
    expect(problems(text).map((problem) => problem.split(" ")[0])).toEqual(["too-large"]);
  });
});
