/** `pipe export` with the real program: what is written, what stock TensorFlow.js makes of it, and what is refused. */
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import "@tensorflow/tfjs-backend-cpu";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readModelFiles } from "../../src/ml/checkpoint/model-files.ts";
import { openSafetensors } from "../../src/ml/checkpoint/safetensors.ts";
import { createReferenceEngine } from "../../src/ml/engine/cpu/cpu-engine.ts";
import { createNetwork } from "../../src/ml/nn/create-network.ts";
import { loadExported, runExported } from "../ml/export/load-exported.ts";
import { draw } from "../parity/draw.ts";
import type { Project } from "./project.ts";
import { createTinyProject } from "./tiny-pipeline.ts";

let project: Project;
const exportModel = (...args: string[]) => project.run(["export", "tiny", ...args]);

beforeAll(async () => {
  project = await createTinyProject();
});
afterAll(() => project.remove());

test("a stage that never ran has nothing to export, and is named with the command that runs it", async () => {
  const { code, stderr } = await exportModel("train", "--to", "tfjs");
  expect(code).toBe(2);
  expect(stderr).toBe("error: stage train has not run yet\n  help: run it with: pipe run pipelines/tiny.yaml train\n");
  expect(readdirSync(project.folder)).not.toContain("tiny-train-tfjs");
});

describe("after a run", () => {
  beforeAll(async () => {
    const { code, stderr } = await project.run(["run", "tiny", "evaluate", "--json"]);
    expect(code, stderr).toBe(0);
  });

  test("safetensors: the model's own bytes, with names, normalisation and classes beside them", async () => {
    const { code, stdout, stderr } = await exportModel("train", "--to", "safetensors");
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^exported train\.model to tiny-train-safetensors\/ \(3 files/);
    const at = (file: string) => project.path("tiny-train-safetensors", file);
    const own = readFileSync(project.path("artifacts/tiny/train/model/model.safetensors"));
    expect(own.equals(readFileSync(at("model.safetensors")))).toBe(true);
    expect(openSafetensors(at("model.safetensors")).metadata).toEqual({ format: "pt" });
    const { mean, std, ...rest } = JSON.parse(readFileSync(at("preprocessing.json"), "utf8"));
    expect(rest).toEqual({
      architecture: { block: "basic", imageChannels: 3, layers: [1, 1, 1, 1], numClasses: 3, ...rest.architecture },
      classNames: ["amber", "green", "violet"],
      imageChannels: 3,
      imageSize: [12, 12],
      transforms: [{ resize: 14 }, { centerCrop: 12 }],
    });
    const statistics = JSON.parse(project.read("artifacts/tiny/normalize/stats/statistics.json"));
    expect([mean, std]).toEqual([statistics.train.mean, statistics.train.std]);
    expect(readFileSync(at("README.md"), "utf8")).toContain(
      "model = resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1], num_classes=3)",
    );
  });

  test("tfjs: stock TensorFlow.js gives the logits of our engine", async () => {
    const { code, stderr } = await exportModel("train.model", "--to", "tfjs", "--out", "web/model");
    expect(stderr).toBe("");
    expect(code).toBe(0);
    const model = await loadExported((file) => readFileSync(project.path("web/model", file)));
    const { description, state } = readModelFiles((file) => project.path("artifacts/tiny/train/model", file));
    const engine = createReferenceEngine();
    const network = createNetwork(engine, description);
    network.loadStateDict(state);
    const images = Float32Array.from(draw("image", 2 * 12 * 12 * 3));
    const expected = engine.downloadFloat64(network.evaluate(engine.upload(images, [2, 12, 12, 3])));
    const logits = runExported(model, images, [2, 12, 12, 3]);
    const scale = Math.max(...expected.map(Math.abs));
    // Float32 against double: see test/ml/export.
    expect(logits).toEqual([...expected].map((value) => expect.closeTo(value, 5 - Math.log10(scale))));
    expect(project.read("web/model/README.md")).toContain('tf.loadGraphModel("model.json")');
    expect(readdirSync(project.path("web"))).toEqual(["model"]);
  });

  test("--json says what was written where", async () => {
    const { stdout } = await exportModel("model", "--to", "tfjs", "--json");
    const said = JSON.parse(stdout);
    expect(said).toMatchObject({ stage: "model", output: "model", target: "tfjs", folder: "tiny-model-tfjs" });
    expect(said.files.toSorted()).toEqual(readdirSync(project.path("tiny-model-tfjs")).toSorted());
  });

  test("what exists is replaced only with --force, and only the files of the export", async () => {
    writeFileSync(project.path("tiny-train-safetensors", "notes.txt"), "mine");
    writeFileSync(project.path("tiny-train-safetensors", "README.md"), "mine");
    const refused = await exportModel("train", "--to", "safetensors");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toBe(
      "error: tiny-train-safetensors exists and is not empty\n  help: --force replaces files in it, --out names another folder\n",
    );
    expect(project.read("tiny-train-safetensors/README.md")).toBe("mine");
    expect((await exportModel("train", "--to", "safetensors", "--force")).code).toBe(0);
    expect(project.read("tiny-train-safetensors/README.md")).toContain("load_state_dict");
    expect(project.read("tiny-train-safetensors/notes.txt")).toBe("mine");
  });

  test("a file in the place of the folder is left alone", async () => {
    const { code, stderr } = await exportModel("train", "--to", "tfjs", "--out", "package.json", "--force");
    expect(code).toBe(2);
    expect(stderr).toContain("package.json is not a folder");
    expect(project.read("package.json")).toBe("{}\n");
  });

  test("a pipeline that has changed since is exported as it last ran, and that is said", async () => {
    const { code, stderr, stdout } = await exportModel(
      "train",
      "--to",
      "safetensors",
      "--out",
      "old",
      "--param",
      "epochs=3",
    );
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^note: stage train is not up to date \(.*epochs.*\); this is what run \S+ made\n {2}help: pipe run/,
    );
    expect(stdout).toContain("exported train.model to old/");
  });

  test.each([
    [["evaluate", "--to", "tfjs"], "stage evaluate makes no model\n  help: models are made by model, train\n"],
    [["train.history", "--to", "tfjs"], "train.history is no model but history\n"],
    [["train.weights", "--to", "tfjs"], "stage train has no output weights\n  help: it has "],
    [["--to", "tfjs"], "export takes one stage\n  help: name one that makes a model: model, train\n"],
    [["training", "--to", "tfjs"], 'pipeline tiny has no stage "training"'],
    [["train", "--to", "onnx"], "argument 'onnx' is invalid. Allowed choices are tfjs, safetensors."],
    [["train"], "required option '--to <target>' not specified"],
  ])("%j is refused: %s", async (args, message) => {
    const { code, stderr } = await exportModel(...args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  test("a model whose bytes are damaged in the store is not exported", async () => {
    const { stdout } = await project.run(["show", "tiny", "train", "--path", "model/model.safetensors"]);
    const path = stdout.trim();
    chmodSync(path, 0o644);
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
    const { code, stderr } = await exportModel("train", "--to", "safetensors", "--out", "damaged");
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /in the store is damaged.*\n.*\nerror: object \w+ in the store is damaged\n {2}help: run again/,
    );
    expect(existsSync(project.path("damaged"))).toBe(false);
  });
});
