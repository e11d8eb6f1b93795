/** Precision and convolutions of a pipeline's engine, from its file to its keys and records. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engineRoot, findInstalled } from "../../src/ml/engine/engine-folder.ts";
import type { Project } from "./project.ts";
import { createTinyProject } from "./tiny-pipeline.ts";

const WASM = "engine: { name: wasm, threads: 1 }";
const BFLOAT16 = "engine: { name: native, threads: 1, precision: bfloat16 }";
const WINOGRAD = "engine: { name: native, threads: 1, convolution: winograd }";

let project: Project;
beforeAll(async () => {
  project = await createTinyProject();
});
afterAll(() => project.remove());

const train = async (engine: string) => {
  project.edit("pipelines/tiny.yaml", /^engine: .*$/m, engine);
  const run = await project.run(["run", "tiny", "train", "--json"]);
  expect([run.code, run.stderr], run.stdout).toEqual([0, ""]);
  return run;
};
const firstLoss = () =>
  (JSON.parse(project.read("artifacts/tiny/train/history/history.json")) as { loss: number[] }).loss[0]!;

test("`auto` that turns out to be wasm is refused what wasm does not have, with what would help", async () => {
  project.edit("pipelines/tiny.yaml", WASM, "engine: { threads: 1, precision: bfloat16 }");
  const plan = await project.run(["plan", "tiny"], { TFPIPE_HOME: project.path("no-engines") });
  project.edit("pipelines/tiny.yaml", "engine: { threads: 1, precision: bfloat16 }", WASM);
  expect(plan.code).toBe(2);
  expect(plan.stderr).toMatch(
    /the wasm engine cannot do bfloat16 arithmetic; native can\n +pipelines\/tiny\.yaml:4:34/,
  );
  expect(plan.stderr).toContain('the engine "auto" is wasm here: install native with `npx pipe engine install`');
  expect(plan.stderr.match(/error\[/g)).toHaveLength(1);
});

describe.skipIf(findInstalled(engineRoot()) === undefined)("on the native engine", () => {
  test("a training in bfloat16 says so, starts where float32 does, and one with other convolutions is another", async () => {
    const mixed = await train(BFLOAT16);
    expect(mixed.stage("train").engine).toMatchObject({ name: "native", precision: "bfloat16", convolution: "auto" });
    const inBfloat16 = firstLoss();

    const why = await train(WINOGRAD);
    expect(why.outcomes).toMatchObject({ normalize: "fresh", model: "fresh", train: "ran" });
    expect(why.stage("train")).toMatchObject({
      reason: "numerics convolution auto -> winograd; numerics precision bfloat16 -> float32",
      engine: { precision: "float32", convolution: "winograd" },
    });
    expect(firstLoss()).not.toBe(inBfloat16);
    expect(Math.abs(firstLoss() - inBfloat16)).toBeLessThan(0.05);
    const shown = await project.run(["show", "tiny", "train"]);
    expect(shown.stdout).toMatch(/engine native TensorFlow [\d.]+, 1 thread, float32, winograd convolutions/);

    // What was trained before is there again, and `why` points at the line.
    project.edit("pipelines/tiny.yaml", WINOGRAD, BFLOAT16);
    expect((await project.run(["why", "tiny", "train"])).stdout).toMatch(
      /precision float32 -> bfloat16 \(pipelines\/tiny\.yaml:4\)/,
    );
    expect((await project.run(["run", "tiny", "train", "--json"])).outcomes).toMatchObject({ train: "restored" });
  });
});
