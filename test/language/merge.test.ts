// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the pipeline language's own notation.
import { describe, expect, test } from "vitest";
import { loadSound, paramsOf, problems } from "./load.ts";

const TEXT = `
name: x
params: { seed: 1, title: plain, sgd: { type: sgd, learningRate: 0.5 }, list: [a, b], nothing: null }
stages:
  fetch: { uses: fetch, with: { dataset: cifar10 } }
  model: { uses: build-model, with: { architecture: resnet18, numClasses: 10, seed: 1 } }
  train:
    uses: train
    inputs: { model: model, train: fetch.train, valid: fetch.test }
    with: { epochs: 3, batchSize: 64, optimizer: { type: sgd, learningRate: 0.5, momentum: 0.9 }, seed: "\${params.seed}" }
  plot: { uses: plot, with: { title: "\${params.title}", charts: [a, b] } }
profiles:
  short: { params: { seed: 2 }, stages: { train: { with: { epochs: 1, optimizer: { momentum: 0.5 } } } } }
  adam: { stages: { train: { with: { optimizer: { type: adam } } } } }
  bare: { stages: { train: { inputs: { valid: null }, with: { batchSize: null, optimizer: { momentum: null } } }, plot: null } }
  lists: { stages: { plot: { with: { charts: [c] } } } }
  other: { stages: { plot: { uses: split, inputs: { data: fetch.train }, with: { fractions: { a: 1 }, seed: 3 } } } }
  more: { stages: { extra: { uses: plot, after: train } } }
  empty:
`;
const train = (profiles: readonly string[], overrides: readonly string[] = []) =>
  paramsOf(loadSound(TEXT, { profiles, overrides }), "train");

describe("a profile", () => {
  test("merges maps, and the rest stays", () => {
    expect(train(["short"])).toMatchObject({
      epochs: 1,
      batchSize: 64,
      optimizer: { type: "sgd", learningRate: 0.5, momentum: 0.5 },
      seed: 2,
    });
  });

  test("replaces an object whose type changes: the old settings mean nothing to the new one", () => {
    expect(train(["adam"]).optimizer).toEqual({ type: "adam", learningRate: 0.001, betas: [0.9, 0.999] });
  });

  test("replaces a stage whose stage type changes", () => {
    const plot = loadSound(TEXT, { profiles: ["other"] }).stages.find(({ name }) => name === "plot")!;
    expect(plot.type).toBe("split");
    expect(plot.params).toEqual({ fractions: { a: 1 }, shuffle: "numpy", seed: 3 });
  });

  test("deletes with null: a setting falls back to its default, an input is cut, a stage is gone", () => {
    const pipeline = loadSound(TEXT, { profiles: ["bare"] });
    expect(paramsOf(pipeline, "train")).toMatchObject({
      batchSize: 32,
      optimizer: { type: "sgd", learningRate: 0.5, momentum: 0 },
    });
    expect(Object.keys(pipeline.stages.find(({ name }) => name === "train")!.inputs)).toEqual(["model", "train"]);
    expect(pipeline.stages.map(({ name }) => name)).toEqual(["fetch", "model", "train"]);
  });

  test("replaces lists", () => {
    expect(paramsOf(loadSound(TEXT, { profiles: ["lists"] }), "plot").charts).toEqual(["c"]);
  });

  test("can add a stage, and can be empty", () => {
    expect(loadSound(TEXT, { profiles: ["more"] }).stages.at(-1)!.name).toBe("extra");
    expect(loadSound(TEXT, { profiles: ["empty"] }).profiles).toEqual(["empty"]);
  });

  test("is laid over those given before it, and --param over all", () => {
    expect(train(["short", "adam"])).toMatchObject({ epochs: 1, optimizer: { type: "adam" } });
    expect(problems(TEXT, { profiles: ["adam", "short"] })).toEqual(['unknown-key "momentum"']);
    expect(train(["short"], ["seed=9"]).seed).toBe(9);
  });

  test("that is not chosen must have the right shape too", () => {
    expect(problems(`${TEXT}  odd: { stages: { train: { wiht: {} } }, parms: {} }\n  wrong: 3\n`)).toEqual([
      'unknown-key "parms"',
      'unknown-key "wiht"',
      'wrong-type "3"',
    ]);
  });
});

describe("--param", () => {
  const params = (...overrides: string[]) => loadSound(TEXT, { overrides }).params;

  test.each([
    ["seed=2", { seed: 2 }],
    ["nothing=1e-4", { nothing: 1e-4 }],
    ["title=two words", { title: "two words" }],
    ["title=a: b # c", { title: "a: b # c" }],
    ["title=", { title: "" }],
    ["title='7'", { title: "7" }],
    ["title=*star", { title: "*star" }],
    ["nothing=true", { nothing: true }],
    ["title=a=b", { title: "a=b" }],
    ["title=null", { title: null }],
    ["list=[1, x]", { list: [1, "x"] }],
    ["sgd={ learningRate: 1 }", { sgd: { type: "sgd", learningRate: 1 } }],
    ["sgd={ type: adam }", { sgd: { type: "adam" } }],
    ["sgd.learningRate=0.25", { sgd: { type: "sgd", learningRate: 0.25 } }],
    ["sgd.momentum=0.9", { sgd: { type: "sgd", learningRate: 0.5, momentum: 0.9 } }],
    ["nothing=./x", { nothing: "./x" }],
  ])("%s is read as YAML reads a value", (override, expected) => {
    expect(params(override)).toMatchObject(expected);
  });

  test("the last of two wins", () => {
    expect(params("seed=2", "seed=3").seed).toBe(3);
  });

  test("sets only what the file declares", () => {
    expect(problems(TEXT, { overrides: ["sed=1", "seed.x=1", "sgd.a.b=1", "list.0=x"] })).toEqual([
      'unknown-param "sed"',
      'unknown-param "seed.x"',
      'unknown-param "sgd.a.b"',
      'unknown-param "list.0"',
    ]);
  });

  test("needs a name and a value, and sound YAML", () => {
    expect(problems(TEXT, { overrides: ["seed", "=1", "list=[1", "__proto__.x=1"] })).toEqual([
      'bad-override "seed"',
      'bad-override "=1"',
      expect.stringMatching(/^yaml-syntax/),
      'bad-override "__proto__.x=1"',
    ]);
  });

  test("is pointed at where its value is wrong, with a note at the place that uses it", () => {
    expect(problems(TEXT, { overrides: ["title=x", "seed=-1"] })).toEqual(['out-of-range "-1"']);
  });
});
