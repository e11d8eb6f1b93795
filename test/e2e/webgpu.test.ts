/** A whole pipeline trained on the webgpu engine, where there is a GPU or one in software (which takes half a minute). */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDevice } from "../../src/ml/engine/webgpu/device.ts";
import { Project, writeImages } from "./project.ts";
import { TINY_PIPELINE } from "./tiny-pipeline.ts";

const missing = await openDevice().then(
  (device) => device.close(),
  (error: Error) => error.message,
);
const skip = missing !== undefined && process.env.TFPIPE_TEST_WEBGPU !== "required";
const WASM = "engine: { name: wasm, threads: 1 }";

describe.skipIf(skip)(skip ? `on the webgpu engine: not checked, ${missing}` : "on the webgpu engine", () => {
  let project: Project;
  beforeAll(async () => {
    project = new Project();
    project.write(
      "pipelines/tiny.yaml",
      TINY_PIPELINE.replace(WASM, "engine: webgpu").replace("epochs: 2", "epochs: 1"),
    );
    await writeImages(project, { train: 8, test: 2, size: 16 });
  });
  afterAll(() => project.remove());

  test("the tiny pipeline trains, its record says on what, and its losses are those of wasm", async () => {
    const run = await project.run(["run", "pipelines/tiny.yaml", "--json"]);
    expect([run.code, run.stderr], run.stdout).toEqual([0, ""]);
    expect(run.stage("train").engine).toMatchObject({ name: "webgpu", version: "TensorFlow.js webgpu 4.22.0" });
    const here = losses(project);

    project.edit("pipelines/tiny.yaml", "engine: webgpu", WASM);
    const other = await project.run(["run", "pipelines/tiny.yaml", "--json"]);
    expect(other.outcomes).toMatchObject({ normalize: "fresh", model: "fresh", train: "ran", evaluate: "ran" });
    // Two steps: what float32 rounds differently has not grown yet.
    for (const [step, loss] of losses(project).entries()) expect(here[step]).toBeCloseTo(loss, 4);
  }, 300_000);
});

function losses(project: Project): readonly number[] {
  const { loss } = JSON.parse(project.read("artifacts/tiny/train/history/history.json")) as { loss: readonly number[] };
  expect(loss).toHaveLength(2);
  return loss;
}
