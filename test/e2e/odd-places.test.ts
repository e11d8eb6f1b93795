/** A project may lie anywhere, its pipelines too, and the program may be started from any folder of it. */
import { existsSync, mkdirSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Project, writeImages } from "./project.ts";
import { TINY_PIPELINE } from "./tiny-pipeline.ts";

const PIPELINE = "erste versuche/größe 1.yaml";
const STAGES = ["fetch", "split", "normalize", "model"];

let project: Project;
beforeEach(async () => {
  project = new Project(undefined, "l'été à 東京 (#1) 100%");
  project.write(PIPELINE, TINY_PIPELINE);
  await writeImages(project, { train: 8, test: 2, size: 16 });
  mkdirSync(project.path("notizen/mai"), { recursive: true });
});
afterEach(() => project.remove());

const fromBelow = (...args: string[]) => project.run(args, {}, "notizen/mai");

test("names with spaces and letters of any script, a pipeline elsewhere, a start from below", async () => {
  const plan = await fromBelow("plan", `../../${PIPELINE}`);
  expect(plan.stderr).toBe("");
  expect(plan.code).toBe(0);
  for (const stage of [...STAGES, "train", "evaluate", "plot"])
    expect(plan.stdout).toMatch(new RegExp(`\\b${stage}\\b`));
  expect(existsSync(project.path("artifacts/tiny"))).toBe(false);

  const first = await fromBelow("run", `../../${PIPELINE}`, ...STAGES, "--json");
  expect(first.stderr).toBe("");
  expect(first.code).toBe(0);
  expect(first.outcomes).toEqual(Object.fromEntries(STAGES.map((stage) => [stage, "ran"])));
  // At the project's root, not where the program was started or the pipeline lies.
  expect(project.read("artifacts/tiny/model/layers/layers.txt")).toContain("224 x 224 x 3 images, 3 classes");
  expect(JSON.parse(project.read("artifacts/tiny/normalize/train/card.json"))).toMatchObject({
    count: 18,
    height: 12,
    width: 12,
  });
  for (const folder of ["notizen/mai", "notizen", "erste versuche"])
    expect(existsSync(project.path(folder, "artifacts"))).toBe(false);

  // The same from the root, named otherwise: the same project.
  const again = await project.run(["run", PIPELINE, ...STAGES, "--json"]);
  expect(again.outcomes).toEqual(Object.fromEntries(STAGES.map((stage) => [stage, "fresh"])));

  // What is wrong is framed by the path as it is from here.
  project.edit(PIPELINE, "numClasses: 3", "numClases: 3");
  const wrong = await fromBelow("plan", `../../${PIPELINE}`);
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toMatch(new RegExp(`^ *\\.\\./\\.\\./${PIPELINE}:\\d+:\\d+$`, "m"));
});
