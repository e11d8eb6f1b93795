// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the pipeline language's own notation.
import { describe, expect, test } from "vitest";
import { load, loadSound, marked, paramsOf, problems } from "./load.ts";

const JOB = `
name: job
params: { seed: 7, epochs: 3, data: null }
stages:
  fetch: { uses: fetch, inputs: { source: "\${params.data}" }, with: { dataset: cifar10 } }
  split:
    uses: split
    inputs: { data: fetch.train }
    with: { fractions: { train: 0.9, valid: 0.1 }, seed: "\${params.seed}" }
  model: { uses: build-model, with: { architecture: resnet18, numClasses: 10, seed: 1 } }
  train:
    uses: train
    inputs: { model: model, train: split.train, valid: split.valid }
    with: { epochs: "\${params.epochs}", seed: "\${params.seed}" }
  plot: { uses: plot, inputs: { history: train.history, anything: train }, after: [fetch] }
profiles:
  quick: { params: { epochs: 1 }, stages: { train: { with: { batchSize: 8 } } } }
  adam: { stages: { train: { with: { optimizer: { type: adam } } } } }
`;

describe("a sound pipeline", () => {
  test("comes out whole: params resolved, inputs connected, outputs and facts known", () => {
    const pipeline = loadSound(JOB);
    expect(pipeline.name).toBe("job");
    expect(pipeline.params).toEqual({ seed: 7, epochs: 3, data: null });
    expect(pipeline.stages.map(({ name }) => name)).toEqual(["fetch", "split", "model", "train", "plot"]);
    const [fetch, split, , train, plot] = pipeline.stages;
    expect(fetch!.inputs).toEqual({});
    expect(Object.keys(split!.outputs)).toEqual(["train", "valid"]);
    expect(split!.facts).toEqual({ train: { classes: 10 }, valid: { classes: 10 } });
    expect(train!.inputs).toEqual({
      model: { from: "stage", stage: "model", output: "model" },
      train: { from: "stage", stage: "split", output: "train" },
      valid: { from: "stage", stage: "split", output: "valid" },
    });
    expect(plot!.inputs.anything).toEqual({ from: "stage", stage: "train", output: "model" });
    expect(plot!.after).toEqual(["fetch"]);
  });

  test("has defaults filled, also inside the default of a variant", () => {
    expect(paramsOf(loadSound(JOB), "train")).toEqual({
      epochs: 3,
      batchSize: 32,
      optimizer: { type: "sgd", learningRate: 0.1, momentum: 0 },
      dropLast: true,
      seed: 7,
    });
  });

  test("gives the default engine to stages that compute, and none to others", () => {
    const engines = loadSound(JOB).stages.flatMap(({ name, engine }) => (engine === undefined ? [] : [[name, engine]]));
    expect(engines).toEqual([["train", { name: "auto", threads: 2, precision: "float32", convolution: "auto" }]]);
  });

  test("takes stages in any order", () => {
    const text =
      "name: x\nstages:\n  b: { uses: plot, inputs: { anything: a.train } }\n  a: { uses: fetch, with: { dataset: cifar10 } }\n";
    expect(loadSound(text).stages.map(({ name }) => name)).toEqual(["b", "a"]);
  });

  test("says where each setting was written, through profiles and --param", () => {
    const result = load(JOB, { profiles: ["quick"], overrides: ["epochs=5"] });
    const { params, inputs, name } = result.pipeline!.stages.find((stage) => stage.name === "train")!.spans;
    expect(marked(name, result.texts)).toBe("train");
    expect(params.epochs!.file).toBe("--param");
    expect(marked(params.epochs!, result.texts)).toBe("5");
    expect(marked(params.batchSize!, result.texts)).toBe("8");
    expect(marked(params.seed!, result.texts)).toBe("7");
    expect(marked(inputs.valid!, result.texts)).toBe("split.valid");
  });
});

describe("the engine", () => {
  const text = (engine: string) =>
    JOB.replace("  train:\n    uses: train", `  train:\n    engine: ${engine}\n    uses: train`);
  const engineOf = (yaml: string) => loadSound(yaml).stages.find(({ name }) => name === "train")!.engine;

  test("can be a bare name", () => {
    expect(engineOf(text("wasm"))).toEqual({ name: "wasm", threads: 2, precision: "float32", convolution: "auto" });
  });

  test("of a stage is laid over that of the pipeline", () => {
    expect(engineOf(`engine: { name: native, threads: 4 }${text("{ name: cpu }")}`)).toMatchObject({
      name: "cpu",
      threads: 4,
    });
  });

  test("has the precision and the convolutions that are asked for, and knows where each was written", () => {
    const yaml = text("{ precision: bfloat16, convolution: direct }");
    const { engine, spans } = loadSound(yaml).stages.find(({ name }) => name === "train")!;
    expect(engine).toEqual({ name: "auto", threads: 2, precision: "bfloat16", convolution: "direct" });
    const written = Object.entries(spans.engineSettings!).map(([name, { start, end }]) => [
      name,
      yaml.slice(start, end),
    ]);
    expect(written).toEqual([
      ["precision", "bfloat16"],
      ["convolution", "direct"],
    ]);
  });

  test("of the pipeline is judged once, however many stages compute on it", () => {
    const twice = `${JOB.replace("profiles:", "  again: { uses: train, inputs: { model: model, train: split.train }, with: { epochs: 1, seed: 1 } }\nprofiles:")}`;
    expect(problems(`engine: { thread: 4 }${twice}`)).toEqual(['unknown-key "thread"']);
  });
});

describe("an input", () => {
  const source = (input: string, options = {}) =>
    load(
      `name: x\nparams: { data: ./a.tgz, none: null }\nstages:\n  fetch: { uses: fetch, inputs: { source: ${input} }, with: { dataset: images } }\n`,
      options,
    ).pipeline?.stages[0]?.inputs.source;

  test("that starts with ./ or ../ or / is a path, relative to the pipeline's file", () => {
    expect(source("./x.tgz")).toEqual({ from: "path", path: "/project/pipelines/x.tgz", text: "./x.tgz" });
    expect(source("../x")).toMatchObject({ path: "/project/x" });
    expect(source("/data/x")).toMatchObject({ path: "/data/x" });
  });

  test("may be a param that holds a path, and from --param it is relative to the working folder", () => {
    expect(source('"${params.data}"')).toMatchObject({ path: "/project/pipelines/a.tgz" });
    expect(source('"${params.data}"', { overrides: ["data=./b.tgz"] })).toMatchObject({ path: "/project/b.tgz" });
    expect(source('"./${params.data}"')).toMatchObject({ path: "/project/pipelines/a.tgz" });
  });

  test("that is null, or a param that is, stays unconnected", () => {
    expect(source("null")).toBeUndefined();
    expect(source('"${params.none}"')).toBeUndefined();
    expect(
      problems(
        'name: x\nparams: { none: null }\nstages:\n  s: { uses: split, inputs: { data: "${params.none}" }, with: { fractions: { a: 1 }, seed: 1 } }\n',
      ),
    ).toEqual(['missing-input "s"']);
  });

  test("that does not exist is a problem where existence can be asked", () => {
    const text =
      'name: x\nparams: { data: ./a.tgz }\nstages:\n  fetch: { uses: fetch, inputs: { source: "${params.data}" }, with: { dataset: images } }\n';
    const asked: string[] = [];
    const exists = (path: string) => {
      asked.push(path);
      return false;
    };
    expect(problems(text, { exists })).toEqual(['missing-path "./a.tgz"']);
    expect(asked).toEqual(["/project/pipelines/a.tgz"]);
    expect(problems(text, { exists: () => true })).toEqual([]);
  });
});

describe("all problems of a file", () => {
  test("are reported at once, and one mistake only once", () => {
    const text = `
name: x
params: { rate: high }
stages:
  fetch: { uses: fetchh, with: {} }
  model: { uses: build-model, with: { architecture: resnet18, numClasses: 10, seed: "\${params.sed}" } }
  train:
    uses: train
    inputs: { model: model, train: fetch.train, valid: nowhere.valid }
    with: { epochs: 0, optimizer: { type: sgd, learningRate: "\${params.rate}" }, seed: 1 }
`;
    expect(problems(text).sort()).toEqual([
      'out-of-range "0"',
      'unknown-param "\\"${params.sed}\\""',
      'unknown-stage "nowhere.valid"',
      'unknown-stage-type "fetchh"',
      'wrong-type "high"',
    ]);
  });

  test("are found in reasonable time however many there are", () => {
    const stages = Array.from({ length: 3_000 }, (_, i) => `  s${i}: { uses: plot, inputs: { anything: t${i} } }\n`);
    expect(problems(`name: x\nstages:\n${stages.join("")}`)).toHaveLength(3_000);
  });

  test("stop at syntax: what the text says is not known", () => {
    expect(problems("name: [x\nstages: 3\n").every((problem) => problem.startsWith("yaml-syntax"))).toBe(true);
  });

  test("of a stage's own check are not asked for while its settings are wrong", () => {
    const text =
      "name: x\nstages:\n  fetch: { uses: fetch, with: { dataset: cifar10 } }\n  s: { uses: split, inputs: { data: fetch.train }, with: { fractions: { a: 2 }, seed: 1 } }\n";
    expect(problems(text)).toEqual(['out-of-range "2"']);
  });
});

test("circles are found in every part of the graph, each told once", () => {
  const stage = (name: string, input: string) =>
    `  ${name}: { uses: normalize, inputs: { train: ${input}.train }, with: { seed: 1 } }\n`;
  const text = `name: x\nstages:\n${stage("a", "b")}${stage("b", "a")}${stage("c", "a")}${stage("d", "e")}${stage("e", "f")}${stage("f", "d")}`;
  expect(problems(text)).toEqual(['cycle "a"', 'cycle "d"']);
});

test("a pipeline of 7,000 stages loads in reasonable time", () => {
  const stages = Array.from(
    { length: 7_000 },
    (_, i) =>
      `  s${i}:\n    uses: normalize\n    inputs: { train: ${i === 0 ? "fetch" : `s${i - 1}`}.train }\n    with: { train: [{ resize: ${i + 1} }], seed: "\${params.seed}" }\n`,
  );
  const text = `name: x\nparams: { seed: 1 }\nstages:\n  fetch: { uses: fetch, with: { dataset: cifar10 } }\n${stages.join("")}`;
  expect(loadSound(text).stages).toHaveLength(7_001);
});
