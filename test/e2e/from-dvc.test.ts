/** The guide for DVC users: its ported pipeline is the one of the example, runs, and reruns what DVC's would. */
import { cpSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { Project } from "./project.ts";

const root = resolve(import.meta.dirname, "..", "..");
const example = join(root, "examples", "from-dvc");

let project: Project;
beforeEach(() => {
  project = new Project();
  cpSync(example, project.folder, { recursive: true });
});
afterEach(() => project.remove());

const run = (...args: string[]) => project.run(["run", "points.yaml", "--json", ...args]);

test("the guide shows stages of the two files as they are", () => {
  const guide = readFileSync(join(root, "docs", "from-dvc.md"), "utf8");
  const shown = [...guide.matchAll(/```yaml\n# (\S+)\n([^`]*)```/g)];
  expect(shown.map(([, file]) => file)).toEqual(["dvc.yaml", "points.yaml"]);
  for (const [, file, text] of shown) {
    const whole = parse(project.read(file!)) as { stages: Record<string, unknown> };
    const { stages } = parse(text!) as typeof whole;
    for (const [name, stage] of Object.entries(stages)) expect(stage).toEqual(whole.stages[name]);
  }
});

test("every stage, param and dependency of the dvc.yaml has its counterpart", () => {
  const dvc = parse(project.read("dvc.yaml")) as { stages: Record<string, { deps: string[]; params?: string[] }> };
  const ours = parse(project.read("points.yaml")) as {
    params: unknown;
    stages: Record<string, { inputs: Record<string, string>; run: string }>;
  };
  expect(ours.params).toEqual(parse(project.read("params.yaml")));
  expect(Object.keys(ours.stages)).toEqual(Object.keys(dvc.stages));
  for (const [name, { deps, params = [] }] of Object.entries(dvc.stages)) {
    expect(Object.keys(ours.stages[name]!.inputs)).toHaveLength(deps.length);
    for (const param of params) expect(ours.stages[name]!.run).toContain(`\${params.${param}}`);
  }
});

test("what is locked of the example follows from its files, and is what it comes to here", async () => {
  const { code, stdout } = await project.run(["check", "--frozen", "points.yaml"]);
  expect([code, stdout]).toEqual([0, expect.stringContaining("points.lock.yaml follows from the files here")]);
  expect((await project.run(["run", "--frozen", "points.yaml"])).code).toBe(0);
});

test("the ported pipeline runs, and then only what changed", async () => {
  const first = await run();
  expect(first.stderr).toBe("");
  expect(first.outcomes).toEqual({ prepare: "ran", train: "ran", evaluate: "ran" });
  expect(JSON.parse(project.read("artifacts/points/evaluate/metrics/metrics.json"))).toEqual({
    accuracy: 52 / 60,
    points: 60,
  });

  expect((await run()).outcomes).toEqual({ prepare: "fresh", train: "fresh", evaluate: "fresh" });
  const longer = await run("--param", "train.epochs=200");
  expect(longer.outcomes).toEqual({ prepare: "fresh", train: "ran", evaluate: "ran" });
  // Both models classify as many points rightly, so the metrics that are there are those of either.
  const back = await run();
  expect(back.outcomes).toEqual({ prepare: "fresh", train: "restored", evaluate: "fresh" });

  // The same model by another text: what reads it does not run.
  project.edit("src/train.py", "Fits a logistic regression", "Fits, by hand, a logistic regression");
  expect((await run()).outcomes).toEqual({ prepare: "fresh", train: "ran", evaluate: "fresh" });
});
