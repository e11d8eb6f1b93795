/**
 * `pipelines/tiny.yaml` on the images that come with the repository, on the native engine where it is installed, else on
 * wasm: killed with SIGKILL at a random step it ends in the bits of a training that was not, and what it made verifies.
 */
import { cpSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { engineRoot, findInstalled } from "../../src/ml/engine/engine-folder.ts";
import { createRng } from "../../src/rng.ts";
import { outputsOf } from "./killed-training.ts";
import { Project, type RunResult } from "./project.ts";

const pipelines = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "pipelines");
const profile = findInstalled(engineRoot()) === undefined ? [] : ["--profile", "native"];
const engine = profile.length === 0 ? "wasm, since native is not installed" : "native";
const SEED = 11;
const EPOCHS = 3;
/** 100 images in batches of 20. */
const STEPS = EPOCHS * 5;

let project: Project;
let straight: RunResult;
const run = (...args: string[]) => ["run", "tiny", "--json", ...profile, "--param", `epochs=${EPOCHS}`, ...args];
beforeAll(async () => {
  project = new Project();
  cpSync(join(pipelines, "tiny.yaml"), project.path("pipelines/tiny.yaml"));
  cpSync(join(pipelines, "data"), project.path("pipelines/data"), { recursive: true });
  straight = await project.run(run());
});
afterAll(() => project.remove());

test(`on ${engine}: every stage runs on 6,000 real images, and runs no second time`, async () => {
  expect([straight.code, straight.stderr]).toEqual([0, ""]);
  expect(new Set(Object.values(straight.outcomes))).toEqual(new Set(["ran"]));
  const folder = profile.length === 0 ? "tiny" : "tiny@native";
  const countOf = (part: string) => JSON.parse(project.read(`artifacts/${folder}/fetch/${part}/card.json`)).count;
  expect([countOf("train"), countOf("test")]).toEqual([5000, 1000]);
  expect(straight.stage("train").engine?.name).toBe(profile.length === 0 ? "wasm" : "native");
  const again = await project.run(run());
  expect(new Set(Object.values(again.outcomes))).toEqual(new Set(["fresh"]));
});

test(`killed with SIGKILL at a random step (seed ${SEED}) it ends in the same bits: weights, history, predictions, charts`, async () => {
  const elsewhere = ["--artifacts", "killed"];
  const step = 1 + createRng(SEED, "kill").integer(STEPS - 1);
  const running = project.start(run(...elsewhere));
  await running.event(
    (event) => event.type === "stage-progressed" && event.stage === "train" && event.progress.done >= step,
  );
  running.child.kill("SIGKILL");
  expect((await running.result).signal).toBe("SIGKILL");
  const after = await project.run(run(...elsewhere));
  expect(after.stage("train").outcome).toBe("ran");
  expect(outputsOf(after)).toEqual(outputsOf(straight));
});

test("every stage comes out again, and of the training an epoch that was drawn", async () => {
  const epochs = ["--param", `epochs=${EPOCHS}`];
  const whole = await project.run(["verify", "tiny", ...profile, ...epochs]);
  expect(whole.code, whole.stdout + whole.stderr).toBe(0);
  expect(whole.stdout).toContain("8 identical");
  const sample = await project.run([
    "verify",
    "tiny",
    "train",
    ...profile,
    ...epochs,
    "--sample",
    "100%",
    "--seed",
    "1",
  ]);
  expect(sample.code, sample.stdout + sample.stderr).toBe(0);
  expect(sample.stdout).toMatch(/train +identical +epoch \d alone, from the checkpoint of epoch \d/);
});
