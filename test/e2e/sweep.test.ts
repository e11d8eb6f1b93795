// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the pipeline language's own notation.
/** Sweeps with the real program: epochs that trials agree upon are trained once, whatever happens on the way. */
import { existsSync, readdirSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SweepRecord } from "../../src/record.ts";
import type { Project } from "./project.ts";
import { createTinyProject } from "./tiny-pipeline.ts";

let project: Project;
beforeEach(async () => {
  project = await createTinyProject();
  project.edit(
    "pipelines/tiny.yaml",
    "schedule: { type: step, stepSize: 1, gamma: 0.5 }",
    'schedule: { type: multistep, milestones: "${params.milestones}", gamma: 0.1 }',
  );
  project.edit("pipelines/tiny.yaml", "epochs: 2,", "epochs: 4, milestones: [4],");
  // Two at once.
  project.edit("pipelines/tiny.yaml", "batchSize: 9", "batchSize: 9\n      trainAccuracy: none");
  project.edit("pipelines/tiny.yaml", "    uses: train\n", "    uses: train\n    resources: { cpus: 1 }\n");
});
afterEach(() => project.remove());

/** After epoch 2 the first schedule parts from the others, and after epoch 3 those: 2 epochs of all, 1 of two, 2 + 1 + 1 of one. */
const GRID = ["--grid", "milestones=[2],[3],[4]"];
const EDGES = 7;
const sweep = (...more: string[]) => ["sweep", "tiny", "evaluate", ...GRID, "--metric", "evaluate.testLoss", ...more];
interface Result {
  readonly runId: string;
  readonly sweep: SweepRecord;
}
const trained = ({ sweep: { trials } }: Result) => trials.reduce((sum, trial) => sum + trial.epochsTrained!, 0);
const epochLines = (text: string) => text.split("\n").filter((line) => / \| Epoch: \d/.test(line)).length;

test("the epochs of trials are those of the tree, two at once, killed in the middle and tidied up; then nothing is left to do", async () => {
  const running = project.start(sweep("--json", "--jobs", "2"));
  let told = "";
  await new Promise<void>((resolve) => {
    running.child.stderr!.on("data", (text: string) => {
      told += text;
      if (epochLines(told) >= 3) resolve();
    });
  });
  running.child.kill("SIGKILL");
  const killed = await running.result;
  expect(killed.signal).toBe("SIGKILL");
  const before = epochLines(killed.stderr);
  // What the others have yet to go on from stays.
  expect((await project.run(["gc"])).code).toBe(0);
  const { stdout, stderr, code } = await project.run(sweep("--json", "--jobs", "2"));
  expect(code, stderr).toBe(0);
  const result = JSON.parse(stdout) as Result;
  expect(result.sweep.trials.map(({ state }) => state)).toEqual(Array(3).fill("done"));
  // What was saved before the kill and not told any more may be as many as ran at once.
  expect(before + epochLines(stderr)).toBeLessThanOrEqual(EDGES);
  expect(before + epochLines(stderr)).toBeGreaterThanOrEqual(EDGES - 2);
  expect(result.sweep.trials.map(({ epochs }) => epochs)).toEqual(Array(3).fill(4));

  const again = await project.run(sweep("--json"));
  const same = JSON.parse(again.stdout) as Result;
  expect(epochLines(again.stderr)).toBe(0);
  expect(trained(same)).toBe(0);
  expect(same.sweep.trials.map(({ metrics }) => metrics)).toEqual(result.sweep.trials.map(({ metrics }) => metrics));
});

describe("a sweep", () => {
  test("is one run with the trials as its stages, a table, a chart and files with sane names; its best is there for the pipeline", async () => {
    const { stdout, code } = await project.run([...sweep("--name", "three-schedules"), "--jobs", "1"]);
    expect(code, stdout).toBe(0);
    expect(epochLines(stdout)).toBe(EDGES);
    expect(stdout).toContain("3 trials of tiny by evaluate.testLoss, smallest first");
    expect(stdout).toContain(`trained ${EDGES} of 12 epochs; 5 were there, from other trials or earlier runs`);
    const folders = readdirSync(project.path("artifacts", "tiny+sweep"));
    expect(folders.filter((name) => name.startsWith("model"))).toEqual(["model"]);
    expect(folders.filter((name) => name.startsWith("evaluate"))).toHaveLength(3);
    for (const name of folders) expect(name).toMatch(/^[\w.@=,~-]+$/);
    expect(folders).toEqual(
      expect.arrayContaining(["report.html", "trials.data.json", "trials.svg", "trials.vl.json"]),
    );
    expect(existsSync(project.path("artifacts", "tiny"))).toBe(false);
    const html = project.read("artifacts/tiny+sweep/report.html");
    expect(html).toContain("<h2>Sweep</h2>");
    const { stdout: runs } = await project.run(["runs", "tiny"]);
    expect(runs).toContain("three-schedules");

    const [, hint] = /from the store: pipe (.*)/.exec(stdout)!;
    const words = hint!.match(/'[^']*'|\S+/g)!.map((word) => word.replaceAll("'", ""));
    const best = await project.run([...words, "evaluate", "--json"]);
    expect(best.code, best.stderr).toBe(0);
    expect(Object.values(best.outcomes)).not.toContain("ran");
  });

  test("goes on where a trial fails, says what failed, and exits with 1", async () => {
    const random = ["--random", "learningRate=log(1e-3..1e6)", "--trials", "2", "--seed", "5", "--param", "epochs=1"];
    const args = ["sweep", "tiny", "evaluate", ...random, "--metric", "evaluate.testAccuracy"];
    const { code, stdout } = await project.run([...args, "--csv"]);
    expect(code).toBe(1);
    const [head, ...rows] = stdout.trim().split("\n");
    expect(head).toMatch(/^trial,params\.learningRate,.*evaluate\.testAccuracy,.*state,epochsTrained,epochs,failure$/);
    expect(rows).toHaveLength(2);
    expect(rows.some((row) => row.includes(",done,"))).toBe(true);
    expect(rows.some((row) => /,failed,.*is NaN/.test(row))).toBe(true);
    // The same again: what is done stays, the same values are drawn.
    const again = await project.run([...args, "--json"]);
    const { sweep: result } = JSON.parse(again.stdout) as Result;
    expect(result.seed).toBe(5);
    expect(result.trials.map(({ values }) => String(values.learningRate)).sort()).toEqual(
      rows.map((row) => row.split(",")[1]).sort(),
    );
    expect(
      result.trials.filter(({ state }) => state === "done").every(({ epochsTrained }) => epochsTrained === 0),
    ).toBe(true);
  });
});

describe("what cannot be swept is refused before anything runs", () => {
  test.each([
    [[], "a sweep needs a param to vary"],
    [["--random", "learningRate=uniform(0..1)"], "--random needs to know how often to draw"],
    [["--grid", "seed=1,2", "--metric", "evaluated.top5"], 'has no stage "evaluated"'],
    [["--grid", "learningRate=1,2", "--metric", "split.count"], "no trial changes what stage split gives"],
    [["--grid", "sed=1,2"], 'there is no param "sed"'],
  ])("%j", async (args, message) => {
    const { code, stderr } = await project.run(["sweep", "tiny", ...args]);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
    expect(existsSync(project.path("artifacts"))).toBe(false);
  });
});
