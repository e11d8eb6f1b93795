// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the pipeline language's own notation.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SweepWords } from "../../src/language/sweep-words.ts";
import { load, loadSound, marked, paramsOf, problems } from "./load.ts";

const words = (given: Partial<SweepWords>): { readonly sweep: SweepWords } => ({
  sweep: { grid: [], random: [], trials: 1, seed: 0, ...given },
});
const grid = (...given: string[]) => words({ grid: given });

const PIPELINE = `name: x
params: { lr: 0.1, seed: 1, epochs: 2, title: t, opt: { type: sgd, learningRate: "\${params.lr}" }, unused: 0 }
stages:
  fetch: { uses: fetch, with: { dataset: cifar10 } }
  model: { uses: build-model, with: { architecture: resnet18, numClasses: 10, seed: "\${params.seed}" } }
  train:
    uses: train
    inputs: { model: model, train: fetch.train }
    with: { epochs: "\${params.epochs}", batchSize: 2, seed: 1, optimizer: "\${params.opt}" }
  plot: { uses: plot, inputs: { history: train.history }, with: { title: "\${params.title}" } }
`;
const names = (options: { readonly sweep: SweepWords }, text = PIPELINE) =>
  loadSound(text, options).stages.map(({ name }) => name);

describe("a grid", () => {
  test("fans out what the params come to, directly and by way of others, and what reads that, and nothing else", () => {
    expect(names(grid("lr=0.1,0.01"))).toEqual([
      "fetch",
      "model",
      "train@lr=0.1",
      "train@lr=0.01",
      "plot@lr=0.1",
      "plot@lr=0.01",
    ]);
    expect(names(grid("title=a,b"))).toEqual(["fetch", "model", "train", "plot@title=a", "plot@title=b"]);
  });

  test("gives each trial its values in all places, and the others those of the file", () => {
    const pipeline = loadSound(PIPELINE, grid("lr=0.1,0.01", "seed=1,2"));
    expect(paramsOf(pipeline, "train@lr=0.01,seed=2").optimizer).toMatchObject({ type: "sgd", learningRate: 0.01 });
    expect(paramsOf(pipeline, "model@seed=2")).toMatchObject({ seed: 2 });
    expect(pipeline.stages.find(({ name }) => name === "train@lr=0.01,seed=2")!.inputs.model).toMatchObject({
      stage: "model@seed=2",
    });
    expect(pipeline.params).toMatchObject({ lr: 0.1, seed: 1 });
    expect(pipeline.sweep).toEqual({
      params: ["lr", "seed"],
      trials: [
        { name: "lr=0.1,seed=1", values: { lr: 0.1, seed: 1 } },
        { name: "lr=0.1,seed=2", values: { lr: 0.1, seed: 2 } },
        { name: "lr=0.01,seed=1", values: { lr: 0.01, seed: 1 } },
        { name: "lr=0.01,seed=2", values: { lr: 0.01, seed: 2 } },
      ],
    });
  });

  test("reaches into maps, and takes lists, maps and quoted values", () => {
    const inMap = loadSound(PIPELINE, grid("opt.learningRate=0.5,0.25"));
    expect(paramsOf(inMap, "train@opt.learningRate=0.25").optimizer).toMatchObject({ learningRate: 0.25 });
    const { sweep } = loadSound(
      PIPELINE,
      grid('title="a, b",c', "opt={type: sgd, learningRate: 1},{ learningRate: 2 }"),
    );
    expect(sweep!.trials.map(({ values }) => values)).toEqual([
      { title: "a, b", opt: { type: "sgd", learningRate: 1 } },
      { title: "a, b", opt: { learningRate: 2 } },
      { title: "c", opt: { type: "sgd", learningRate: 1 } },
      { title: "c", opt: { learningRate: 2 } },
    ]);
  });

  test("multiplies a pipeline's own matrix", () => {
    const text = `${PIPELINE.replace('title: "${params.title}"', 'title: "${params.title}-${matrix.fold}"')}matrix: { fold: [1, 2] }\n`;
    const { stages, sweep } = loadSound(text, grid("title=a,b"));
    expect(stages.map(({ name }) => name)).toEqual([
      "fetch",
      "model",
      "train",
      ...["1,title=a", "1,title=b", "2,title=a", "2,title=b"].map((name) => `plot@fold=${name}`),
    ]);
    expect(stages.map(({ params }) => params.title).slice(3)).toEqual(["a-1", "b-1", "a-2", "b-2"]);
    expect(sweep!.trials).toHaveLength(4);
    expect(sweep!.params).toEqual(["title"]);
  });

  test("may choose the engine of the whole pipeline, and what a stage reads", () => {
    const engine = `${PIPELINE.replace("lr: 0.1", "lr: 0.1, engine: cpu, which: model")}engine: "\${params.engine}"\n`;
    const { stages } = loadSound(engine, grid("engine=cpu,wasm"));
    expect(
      stages.filter(({ engine: own }) => own !== undefined).map(({ name, engine: own }) => [name, own!.name]),
    ).toEqual([
      ["train@engine=cpu", "cpu"],
      ["train@engine=wasm", "wasm"],
    ]);
    const other = engine
      .replace("model: model,", 'model: "${params.which}",')
      .replace(
        "  train:\n",
        "  second: { uses: build-model, with: { architecture: resnet18, numClasses: 10, seed: 9 } }\n  train:\n",
      );
    const chosen = loadSound(other, grid("which=model,second")).stages;
    expect(chosen.map(({ inputs }) => inputs.model).filter((input) => input !== undefined)).toMatchObject([
      { stage: "model" },
      { stage: "second" },
    ]);
  });

  test("knows where each value was given", () => {
    const { pipeline, texts } = load(PIPELINE, grid("seed=5,6", "lr=0.1,0.01"));
    const { spans } = pipeline!.stages.find(({ name }) => name === "model@seed=6")!;
    expect(marked(spans.params.seed!, texts)).toBe("6");
    expect(spans.params.seed!.file).toBe("--grid");
  });
});

describe("random draws", () => {
  const random = (trials: number, seed: number, ...given: string[]) =>
    loadSound(PIPELINE, words({ random: given, trials, seed })).sweep!.trials.map(({ values }) => values);

  test("are the same for the same seed, begin with the ones before where there are more, and do not depend on their neighbours", () => {
    const seeds = fc.integer({ min: 0, max: 2 ** 40 });
    fc.assert(
      fc.property(seeds, fc.integer({ min: 2, max: 12 }), (seed, count) => {
        const both = random(count, seed, "lr=log(1e-3..1e-1)", "epochs=int(1..1000000)");
        expect(random(count, seed, "lr=log(1e-3..1e-1)", "epochs=int(1..1000000)")).toEqual(both);
        expect(random(count + 3, seed, "lr=log(1e-3..1e-1)", "epochs=int(1..1000000)").slice(0, count)).toEqual(both);
        expect(random(count, seed, "epochs=int(1..1000000)").map(({ epochs }) => epochs)).toEqual(
          both.map(({ epochs }) => epochs),
        );
      }),
      { numRuns: 10 },
    );
  });

  test("lie where they should, spread over their range", () => {
    const values = (text: string) =>
      random(300, 1, `opt.momentum=${text}`).map((drawn) => drawn["opt.momentum"] as number);
    const log = values("log(1e-4..1)");
    expect(Math.min(...log)).toBeGreaterThanOrEqual(1e-4);
    expect(Math.max(...log)).toBeLessThanOrEqual(1);
    // Of four decades each has about a quarter.
    for (const decade of [-4, -3, -2, -1])
      expect(log.filter((value) => Math.floor(Math.log10(value)) === decade).length / log.length).toBeCloseTo(
        0.25,
        0.9,
      );
    const uniform = values("uniform(-2..2)");
    expect(uniform.filter((value) => value < 0).length / uniform.length).toBeCloseTo(0.5, 0.9);
    expect(uniform.every((value) => value >= -2 && value <= 2)).toBe(true);
    expect(new Set(values("int(3..5)"))).toEqual(new Set([3, 4, 5]));
  });

  test("of the same values are one trial", () => {
    const trials = random(40, 3, 'title=choice(a, "b, c", d)');
    expect(trials.map(({ title }) => title).sort()).toEqual(["a", "b, c", "d"]);
  });

  test("are each tried under each combination of the grids beside them", () => {
    const { sweep } = loadSound(
      PIPELINE,
      words({ grid: ["seed=1,2"], random: ["lr=uniform(0..1)"], trials: 3, seed: 4 }),
    );
    const rates = sweep!.trials.map(({ values }) => values.lr);
    expect(sweep!.trials.map(({ values }) => values.seed)).toEqual([1, 1, 1, 2, 2, 2]);
    expect(rates.slice(0, 3)).toEqual(rates.slice(3));
    expect(new Set(rates).size).toBe(3);
  });
});

describe("is refused", () => {
  test.each([
    [["rl=1,2"], 'unknown-param "rl"'],
    [["lr"], 'bad-sweep "lr"'],
    [["lr="], 'bad-sweep "lr="'],
    [["=1"], 'bad-sweep "=1"'],
    [["lr=1,,2"], 'bad-sweep ","'],
    [["lr=1,2", "lr=3"], 'bad-sweep "lr"'],
    [["opt.learningRate=1,2", "opt={}"], 'bad-sweep "opt"'],
    [["lr=1,1.0"], 'bad-matrix "1.0"'],
    [["title=a,A"], 'bad-matrix "A"'],
    [["unused=1,2"], 'bad-sweep "unused"'],
    [["opt.__proto__=1,2"], 'bad-sweep "opt.__proto__"'],
    [["lr=[1"], 'yaml-syntax "1"'],
  ])("a grid of %j", (given, problem) => {
    expect(problems(PIPELINE, grid(...given))[0]).toBe(problem);
  });

  test.each(["normal(0..1)", "log(0..1)", "log(1e-1..1e-3)", "uniform(0,1)", "int(0.5..2)", "log(1e-3..1e-1"])(
    "a distribution of %s",
    (text) => {
      expect(problems(PIPELINE, words({ random: [`lr=${text}`], trials: 2 }))).toEqual([
        `bad-sweep ${JSON.stringify(text)}`,
      ]);
    },
  );

  test("what decides over a matrix, what is an axis already, and what makes too many", () => {
    const own = PIPELINE.replace("plot: { uses: plot,", 'plot: { uses: plot, matrix: { n: ["${params.title}"] },');
    expect(problems(own, grid("title=a,b"))).toContain('bad-sweep "title"');
    const axis = `${PIPELINE}matrix: { lr: [1] }\n`;
    expect(problems(axis, grid("lr=1,2"))).toContain('bad-sweep "lr"');
    const many = Array.from({ length: 50 }, (_, i) => i).join(",");
    expect(problems(PIPELINE, grid(`lr=${many}`, `seed=${many}`))).toEqual(['too-large "lr"']);
  });

  test("anything else with words, never with an error of ours", () => {
    const part = fc.constantFrom(
      "lr",
      "opt.__proto__",
      "=",
      ",",
      "(",
      ")",
      "[",
      "{",
      '"',
      "..",
      "log",
      "int",
      "choice",
      "1",
      "-1e9",
      " ",
      "\n",
    );
    const word = fc.oneof(
      fc.string(),
      fc.array(part, { maxLength: 8 }).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 3 }), fc.array(word, { maxLength: 3 }), (given, random) => {
        const { pipeline, diagnostics } = load(PIPELINE, words({ grid: given, random, trials: 2 }));
        expect(pipeline === undefined).toBe(diagnostics.some(({ severity }) => severity === "error"));
      }),
      { numRuns: 300 },
    );
  });

  test("what is wrong with one value, at that value", () => {
    expect(problems(PIPELINE, grid("epochs=1,none"))).toEqual(['wrong-type "none"']);
  });
});
