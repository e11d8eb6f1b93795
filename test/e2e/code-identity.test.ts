/**
 * What an edit of tfpipe's own code runs again, for every file there is, against a table written by hand: the stages that
 * each source file belongs to. A change of what a stage cannot reach moves nothing; a change of what it can moves its key.
 *
 * Nothing runs here. Keys are made in a copy of the sources as a checkout's own program makes them.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Checkout, type MovedKeys, markOf, openCheckout } from "./checkout-code.ts";

/**
 * Stages, then their files. A stage that computes has one key per engine: `train` means it on each of them, `on wasm`
 * both `train` and `evaluate` on that one. A file that is in no line belongs to no stage: the program around the stages,
 * its own checks, what installs and tests engines, exports, and files that only declare types.
 */
const TABLE: readonly (readonly [stages: string, files: string])[] = [
  // What the stages' edge itself needs: ports, canonical text, and opening a data set with its transforms' sizes.
  [
    "fetch split normalize build-model train evaluate plot",
    `src/{contract,json}.ts src/ml/checkpoint/safetensors.ts src/ml/data/{data-error,dataset}.ts
     src/ml/transforms/{pick-pixels,resample,resize}.ts`,
  ],
  ["fetch build-model train evaluate plot", "src/rng.ts"],

  // Getting data.
  [
    "fetch",
    `stages/fetch.ts src/platform/{file-system,process-tree,wait-for,work-lock}.ts
     src/ml/data/{archive,byte-reader,cifar,crc32,csv-table,decode-image,decode-worker,decoder,download,file-tree}.ts
     src/ml/data/{idx,image-folder,image-split,locate,npy,numpy-arrays,pixel-values,synthetic}.ts`,
  ],
  ["fetch split normalize", "src/ml/data/dataset-writer.ts"],
  ["split", "stages/split.ts src/ml/data/{numpy-random,split-indices}.ts"],
  ["normalize", "stages/normalize.ts src/ml/data/channel-statistics.ts"],
  // Whoever opens a data set can be given one with transforms.
  [
    "split normalize build-model train evaluate plot",
    `src/ml/checkpoint/repeated-key.ts src/ml/data/pixel-file.ts
     src/ml/transforms/{blend,center-crop,color-jitter,compiled-transform,crop,cutout,erase,erased-value,fill,flip}.ts
     src/ml/transforms/{hue,random-box,random-crop,random-erasing,random-flip,random-resized-crop,random-rotation}.ts
     src/ml/transforms/{range,resize-to,rotate,round-half-to-even,size-setting,transform-list}.ts`,
  ],

  // Models.
  [
    "build-model",
    "stages/build-model.ts src/ml/models/{patch-whitening,pretrained-state}.ts src/ml/nn/initial-state.ts",
  ],
  [
    "build-model train evaluate",
    `src/ml/checkpoint/model-files.ts src/ml/models/{architecture,describe-model,resnet,resnet9,vgg}.ts
     src/ml/nn/{layer,read-state,state-entry}.ts`,
  ],
  ["build-model train", "src/ml/nn/layer-table.ts"],

  // Training and evaluation; the loader is a worker-thread module of both.
  [
    "train",
    `stages/train.ts src/platform/memory-limit.ts src/ml/checkpoint/{history-file,training-checkpoint}.ts
     src/ml/optim/{gradient-sink,optimizer-step,optimizer,weight-average}.ts
     src/ml/schedule/{epoch-rates,exact-cosine,one-cycle,plateau,recurrent-rates}.ts
     src/ml/train/{epoch-chain,history,keep-checkpoints,mixup,out-of-memory,resume-point}.ts
     src/ml/train/{soft-targets,train-model,training-diverged}.ts
     src/ml/train/{training-lines,training-memory,training-session,training-speed,training-state}.ts`,
  ],
  ["evaluate", "stages/evaluate.ts src/ml/checkpoint/evaluation-files.ts src/ml/metrics/prediction-collector.ts"],
  [
    "train evaluate",
    `src/ml/data/{batch-source,loader-worker,loader,worker-ring}.ts src/ml/engine/{engine,unsupported-setting}.ts
     src/ml/metrics/ranks.ts src/ml/nn/{activation,create-network,refuse-unsupported,state-layout}.ts
     src/ml/train/{evaluate-network,event-loop-turn,image-source,model-fit}.ts`,
  ],
  ["train evaluate plot", "src/ml/data/fill-batch.ts"],

  // Charts, with their fonts.
  [
    "plot",
    `stages/plot.ts assets/fonts/{Inter-Regular,Inter-SemiBold}.ttf
     src/ml/charts/{accuracy-chart,chart-fonts,chart-sources,chart,confusion-chart,examples-chart,image-tile}.ts
     src/ml/charts/{loss-chart,plot-charts,read-examples,render-chart,svg-to-pdf,svg-to-png}.ts`,
  ],
  ["evaluate plot", "src/ml/metrics/confusion-matrix.ts"],

  // Engines: each is in the keys of what computes on it, and in no other.
  [
    "on native",
    `src/ml/engine/native/{binding,composed-cross-entropy,group-norm,native-convolution,native-engine,native-memory,native-pooling}.ts
     src/ml/engine/native/{native-updates,tensorflow-ops,window,winograd-matrices,winograd}.ts`,
  ],
  [
    "on webgpu",
    `src/ml/engine/webgpu/{device,gpu-convolution,gpu-memory,gpu-normalisation,gpu-pooling,gpu-update,programs}.ts
     src/ml/engine/webgpu/webgpu-engine.ts`,
  ],
  ["on wasm", "src/ml/engine/wasm/wasm-engine.ts"],
  ["on cpu", "src/ml/engine/cpu/{cpu-engine,product}.ts"],
  [
    "on wasm, on cpu",
    `src/ml/engine/plain/{convolution,dense,loss,matrix,normalisation,patches,plain-engine,pointwise,pooling}.ts
     src/ml/engine/plain/{reached-taps,storage,update}.ts`,
  ],
  ["on webgpu, on wasm, on cpu", "src/ml/engine/plain/shapes.ts"],
];

const ENGINES = ["native", "webgpu", "wasm", "cpu"] as const;
const COMPUTING = ["train", "evaluate"];

/** `"train, on cpu"` -> the names of keys, in order. */
function keyNames(stages: string): readonly string[] {
  const names = stages.split(/,? (?!(?:native|webgpu|wasm|cpu)\b)/).flatMap((name) => {
    if (name.startsWith("on ")) return COMPUTING.map((stage) => `${stage} ${name}`);
    return COMPUTING.includes(name) ? ENGINES.map((engine) => `${name} on ${engine}`) : [name];
  });
  return [...names].sort();
}

/** `a/{b,c}.ts d.ts` -> the paths. */
function paths(files: string): readonly string[] {
  return files
    .trim()
    .split(/\s+/)
    .flatMap((path) => {
      const [, before, inside, after] = /^([^{]*)\{([^}]*)\}(.*)$/.exec(path) ?? [];
      return inside === undefined ? [path] : inside.split(",").map((name) => `${before}${name}${after}`);
    });
}

let checkout: Checkout;
beforeAll(async () => {
  checkout = await openCheckout();
});
afterAll(() => checkout.remove());

const names = (moved: MovedKeys) => [...moved.keys()].sort();

describe("the table", () => {
  const listed = TABLE.flatMap(([, files]) => paths(files));

  test("names files that are there, each once", () => {
    expect(listed.filter((path) => !checkout.sources.includes(path))).toEqual([]);
    expect(listed.filter((path, index) => listed.indexOf(path) !== index)).toEqual([]);
  });

  test("says of every source which stages have something of it in the code that runs", async () => {
    const expected = new Map(
      TABLE.flatMap(([stages, files]) => paths(files).map((path) => [path, keyNames(stages)] as const)),
    );
    const wrong: string[] = [];
    const found = await checkout.stagesWithEach();
    for (const [path, stages] of found) {
      const wanted = expected.get(path) ?? [];
      const has = [...stages].sort();
      if (has.join() !== wanted.join())
        wrong.push(`${path}: in the table ${wanted.join(", ") || "no stage"}; in fact ${has.join(", ") || "none"}`);
    }
    expect(wrong).toEqual([]);
    expect(found.size).toBeGreaterThan(300);
  });

  test.each(TABLE)(
    "an edit in a file of %s moves the keys of those stages, and names the file",
    async (stages, files) => {
      const all = paths(files);
      // Fonts are read, not imported: each is changed on its own.
      for (const path of [all[0]!, ...all.filter((file) => !file.endsWith(".ts"))]) {
        const moved = await checkout.after(
          path,
          (text) => `${text}\n${path.endsWith(".ts") ? `${markOf(path)};\n` : ""}`,
        );
        expect(names(moved), path).toEqual(keyNames(stages));
        for (const differences of moved.values())
          expect(differences).toEqual([expect.objectContaining({ part: "code", name: path })]);
      }
    },
  );
});

/** Adds a statement to a function that changes what it does, if only for the compiler. */
const inFunction = (name: string) => (text: string) => {
  const at = text.indexOf("{\n", text.indexOf(`function ${name}`)) + 2;
  expect(at, name).toBeGreaterThan(text.indexOf(`function ${name}`));
  return `${text.slice(0, at)}  if (Number.isNaN(0)) throw new Error("never");\n${text.slice(at)}`;
};

describe("keys move with what is really used", () => {
  test.each([
    ["a comment", "stages/train.ts", (text: string) => `// a comment\n${text}`, ""],
    ["a comment in a module that all stages have", "src/json.ts", (text: string) => `${text}\n/* more */\n`, ""],
    ["white space", "src/ml/optim/optimizer.ts", (text: string) => text.replaceAll("\n", "\n\n"), ""],
    ["a type", "src/contract.ts", (text: string) => `${text}\nexport interface Another { readonly a: 1 }\n`, ""],
    [
      "a new function that nobody calls",
      "src/rng.ts",
      (text: string) => `${text}\nexport function f() { return 1; }\n`,
      "",
    ],
    ["a function that no stage calls", "src/platform/process-tree.ts", inFunction("killTree"), ""],
    ["a function that one stage calls", "src/json.ts", inFunction("isJsonObject"), "train"],
    [
      "a function that some of the module's users call",
      "src/ml/checkpoint/safetensors.ts",
      inFunction("writeSafetensors"),
      "split build-model train evaluate",
    ],
    [
      "another function of it",
      "src/ml/checkpoint/safetensors.ts",
      inFunction("openSafetensors"),
      "split normalize build-model train evaluate plot",
    ],
    [
      "a function that all stages call",
      "src/json.ts",
      inFunction("canonicalJson"),
      "fetch split normalize build-model train evaluate plot",
    ],
    [
      "a worker thread's module",
      "src/ml/data/loader-worker.ts",
      (text: string) => `${text}\n${markOf("x")};\n`,
      "train evaluate",
    ],
    [
      "what a plan says of a training",
      "src/ml/train/foresee-training.ts",
      (text: string) => text.replace("trains none", "has them all"),
      "",
    ],
    ["how long one is expected to take", "stages/train-outlook.ts", inFunction("estimateTraining"), ""],
    [
      "what TensorFlow is told",
      "src/ml/engine/native/binding.ts",
      (text: string) => text.replace("TF_DETERMINISTIC_OPS", "TF_OTHER"),
      "on native",
    ],
    ["the program around the stages", "src/execute/executor.ts", (text: string) => `${text}\n${markOf("x")};\n`, ""],
    ["the font's licence", "assets/fonts/Inter-LICENSE.txt", (text: string) => `${text}.`, ""],
  ] as const)("%s", async (_what, path, edit, stages) => {
    expect(names(await checkout.after(path, edit))).toEqual(stages === "" ? [] : keyNames(stages));
  });
});

describe("another version of a package", () => {
  test.each([
    ["csv-parse", "fetch"],
    ["sharp", "fetch plot"],
    ["vega", "plot"],
    // What a package needs counts like the package.
    ["d3-scale", "plot"],
    ["@tensorflow/tfjs-core", "on webgpu, on wasm"],
    // Used by the program, by no stage.
    ["p-graph", ""],
  ])("%s", async (name, stages) => {
    const moved = await checkout.afterVersion(name, "99.0.0");
    expect(names(moved)).toEqual(stages === "" ? [] : keyNames(stages));
    for (const differences of moved.values())
      expect(differences).toEqual([expect.objectContaining({ part: "package", name, after: "99.0.0" })]);
  });
});
