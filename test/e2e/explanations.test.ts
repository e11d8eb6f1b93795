/**
 * Looking back, with the real program and stages that take no training: names of runs, the list of them, what differs
 * between two, why a stage runs, down to the line and through every stage in between.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunComparison } from "../../src/cache/compare-runs.ts";
import type { Explanation, RootCause } from "../../src/identity/explanation.ts";
import type { RunRecord } from "../../src/record.ts";
import type { ListedRun } from "../../src/report/render-runs.ts";
import { Project, writeImages } from "./project.ts";
import { createWordsProject } from "./words-pipeline.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

const PIPELINE = `name: data
params: { seed: 1, share: 0.25 }
stages:
  fetch:
    uses: fetch
    inputs: { source: ../data }
    with: { dataset: imageFolder }
  split:
    uses: split
    inputs: { data: fetch.train }
    with: { fractions: { train: 0.75, valid: "\${params.share}" }, shuffle: numpy, seed: "\${params.seed}" }
  normalize:
    uses: normalize
    inputs: { train: split.train, valid: split.valid, test: fetch.test }
    with:
      train: [{ resize: 14 }]
      eval: [{ resize: 14 }]
      seed: 3
profiles:
  other: { params: { seed: 7 } }
`;

let project: Project;
beforeAll(async () => {
  project = new Project();
  project.write("pipelines/data.yaml", PIPELINE);
  await writeImages(project, { train: 8, test: 2, size: 16 });
  expect((await project.run(["run", "--name", "first"])).code).toBe(0);
  project.edit("pipelines/data.yaml", "seed: 1", "seed: 2");
});
afterAll(() => project.remove());

type Why = Explanation & { readonly rootCauses: readonly RootCause[] };
const json = async <T>(...args: readonly string[]): Promise<T> => {
  const { stdout, stderr, code } = await project.run([...args, "--json"]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as T;
};
const lines = async <T>(...args: readonly string[]): Promise<readonly T[]> => {
  const { stdout } = await project.run([...args, "--json"]);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
};

describe("before the second run", () => {
  test("plan names the param that changed, for the stages that wait for it too", async () => {
    const plan = await lines<{ stage: string; decision: string; reason: string }>("plan");
    expect(plan.map(({ stage, decision, reason }) => [stage, decision, reason])).toEqual([
      ["fetch", "fresh", "up to date"],
      ["split", "run", "seed 1 -> 2"],
      ["normalize", "pending", "runs only if split changes its output (split: seed 1 -> 2)"],
    ]);
  });

  test("why follows the input to the stage and its line", async () => {
    const { stdout } = await project.run(["why", "normalize"]);
    expect(stdout.replaceAll(/\(\w{6}, [\d :-]{16}\)/g, "(ID, WHEN)")).toBe(`\
normalize waits: runs only if split changes its output (split: seed 1 -> 2)
against the run first (ID, WHEN):
  input train may change (split.train)
    split will run:
      param seed 1 -> 2 (pipelines/data.yaml:2)
  input valid may change (split.valid)
    split: as above
root cause: split: seed 1 -> 2 (pipelines/data.yaml:2)
`);
    const why = await json<Why>("why", "normalize");
    expect(why.differences[0]!.because![0]!.differences).toEqual([
      { part: "param", name: "seed", before: "1", after: "2", origin: "pipelines/data.yaml:2" },
    ]);
    expect(why.rootCauses).toEqual([expect.objectContaining({ stage: "split", text: "seed 1 -> 2" })]);
    expect(why.against).toMatchObject({ runName: "first", pipeline: "data" });
  });

  test("why of a fresh stage says that nothing counts, and against a profile that never ran, what would", async () => {
    expect((await project.run(["why", "fetch"])).stdout).toContain("fetch is fresh: up to date");
    const why = await json<Why>("why", "split", "--against-profile", "other");
    expect(why.against).toEqual({ pipeline: "data", profiles: ["other"] });
    expect(why.differences).toEqual([expect.objectContaining({ name: "seed", before: "7", after: "2" })]);
  });
});

describe("after the second run", () => {
  beforeAll(async () => {
    const run = await project.run(["run", "--name", "second"]);
    expect(run.code).toBe(0);
    expect(run.stdout).toMatch(/run +second \(\w{6}\)/);
    expect((await project.run(["run"])).code).toBe(0);
  });

  test("runs lists all three, newest first", async () => {
    const runs = await lines<ListedRun>("runs");
    expect(runs.map(({ name, outcome, stages }) => [name, outcome, stages])).toEqual([
      [undefined, "fresh", { fresh: 3 }],
      ["second", "done", { fresh: 1, ran: 2 }],
      ["first", "done", { ran: 3 }],
    ]);
    expect(await lines("runs", "data", "--limit", "1")).toHaveLength(1);
    const { stdout } = await project.run(["runs", "data"]);
    for (const word of ["first", "second", "2 ran, 1 fresh"]) expect(stdout).toContain(word);
  });

  test("diff of last~1 and last is that of the two that did something", async () => {
    const comparison = await json<RunComparison>("diff", "last~1", "last");
    expect(comparison.params).toEqual([{ name: "seed", before: "1", after: "2" }]);
    expect(comparison.stageParams).toEqual([{ stage: "split", name: "seed", before: "1", after: "2" }]);
    expect(comparison.artifacts.map(({ stage }) => stage)).toContain("normalize");
    expect(comparison.unknown).toEqual([]);
    expect(comparison.code).toEqual([]);
    const { stdout } = await project.run(["diff", "data", "first", "second"]);
    expect(stdout).toContain("seed  1 -> 2");
    expect(stdout).toContain("the same:");
  });

  test("why --run says of a fresh stage what it had then", async () => {
    const why = await json<Why>("why", "normalize", "--run", "first");
    expect(why).toMatchObject({ decision: "fresh", against: { runName: "first" } });
    expect(why.rootCauses).toEqual([expect.objectContaining({ stage: "split", text: "seed 1 -> 2" })]);
  });

  test("show has a run as a whole, and what a stage had in it", async () => {
    const whole = await project.run(["show", "--run", "first"]);
    expect(whole.stdout).toMatch(/name +first/);
    const stage = await json<{ params: { seed: number }; outcome: string }>("show", "split", "--run", "first");
    expect(stage).toMatchObject({ params: { seed: 1 }, outcome: "ran" });
    const now = await project.run(["show", "split"]);
    expect(now.stdout).toContain("made by the run second (");
  });

  test("metrics have one shape in every format", async () => {
    expect(await json("metrics")).toMatchObject({ pipeline: "data", profiles: [] });
    expect((await project.run(["metrics", "--csv"])).stdout.split("\n")[0]).toBe("stage,metric,value");
    expect((await project.run(["metrics", "diff", "last~1", "last", "--md"])).stdout.split("\n")[0]).toBe(
      "| stage | metric | before | after | difference |",
    );
    expect((await json<{ before: { name: string } }>("metrics", "diff", "first", "second")).before.name).toBe("first");
  });

  test("a word that is no run, a name that cannot be one, and a name that is taken are said to be so", async () => {
    const wrong = await project.run(["diff", "first", "nobody"]);
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      'error: there is no run "nobody"\n  help: `pipe runs` lists them\n',
    ]);
    const name = await project.run(["run", "--name", "last"]);
    expect(name.code).toBe(2);
    expect(name.stderr).toContain('"last" already means a run');
    const taken = await project.run(["run", "--name", "first"]);
    expect(taken.stderr).toMatch(/note: the run first \(\w{6}, [\d :-]+\) has that name too/);
  });

  test("a run that finds everything done refers to the run that did it, and one of a part lists that part", async () => {
    const record = async (...args: readonly string[]) => {
      const { record: given } = await project.run(["run", "--json", ...args]);
      return JSON.parse(project.read(`artifacts/.store/runs/${given!.id}/run.json`)) as RunRecord;
    };
    const second = (await lines<ListedRun>("runs")).find(({ name }) => name === "second")!;
    expect(await record()).toMatchObject({ stages: [], sameAs: second.id, params: { seed: 2 } });
    expect((await record("split")).stages.map(({ stage }) => stage)).toEqual(["fetch", "split"]);
    expect(await record()).toMatchObject({ stages: [], sameAs: second.id });
    // What was done last is a part of the pipeline: then the whole is listed once.
    expect((await project.run(["run", "split", "--force", "split"])).code).toBe(0);
    const whole = await record();
    expect(whole.stages).toHaveLength(3);
    expect(await record()).toMatchObject({ stages: [], sameAs: whole.id });
  });

  test("the beginning of an id that two runs have is asked to be longer", async () => {
    const { code, stderr } = await project.run(["diff", "2", "second"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/"2" may be \d+ runs: .*\n {2}help: give more of the id\n/);
  });

  test("what was removed from the store is said to be gone", async () => {
    const traces = project.path("artifacts", ".store", "traces");
    for (const folder of readdirSync(traces)) rmSync(`${traces}/${folder}`, { recursive: true });
    // The name "first" was given to a run that had nothing to do, too: this is the one that did something.
    const first = (await lines<ListedRun>("runs")).find(({ name, outcome }) => name === "first" && outcome === "done")!;
    expect((await project.run(["why", "split", "--run", "second"])).stdout).toContain(
      "its trace was removed from the store",
    );
    const { unknown, params } = await json<RunComparison>("diff", first.id, "second");
    expect(params).toHaveLength(1);
    expect(unknown.map(({ stage }) => stage)).toContain("split");
  });
});

describe("of shell stages", () => {
  let words: Project;
  beforeAll(async () => {
    words = createWordsProject();
    expect((await words.run(["run", "words.yaml"])).code).toBe(0);
  });
  afterAll(() => words.remove());

  test("plan and why name the param by what the file calls it, with its line", async () => {
    words.edit("words.yaml", 'times: "2"', 'times: "3"');
    const { stdout } = await words.run(["plan", "words.yaml", "--json"]);
    const reasons = stdout
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { reason: string }).reason);
    expect(reasons).toContain("params.times 2 -> 3");
    expect(reasons).toContain("runs only if twice changes its output (twice: params.times 2 -> 3)");
    const why = await words.run(["why", "words.yaml", "count"]);
    expect(why.stdout).toContain("      command params.times 2 -> 3 (words.yaml:2)\n");
    expect(why.stdout).toContain("root cause: twice: params.times 2 -> 3 (words.yaml:2)\n");
    expect(why.stdout).not.toContain("name of input");
  });

  test("an input that collects instances is followed to those that changed, and to those that are new", async () => {
    const matrix = new Project();
    matrix.write(
      "m.yaml",
      `name: m
params: { tail: x }
stages:
  make:
    matrix: { n: [1, 2] }
    outputs: { out: o.txt }
    run: echo "\${matrix.n}" "\${params.tail}" > "\${outputs.out}"
  all:
    inputs: { runs: make@* }
    outputs: { out: all.txt }
    run: ls -R "\${inputs.runs}" > "\${outputs.out}"
`,
    );
    const why = async (...args: readonly string[]) => {
      const { stdout } = await matrix.run(["why", "m.yaml", "all", "--json", ...args]);
      const { because = [] } = (JSON.parse(stdout) as Why).differences[0]!;
      return because.map(({ stage, differences, incomparable }) => [
        stage,
        differences.map(({ name, before, after }) => `${name} ${before} -> ${after}`).join() || incomparable,
      ]);
    };
    try {
      expect((await matrix.run(["run", "m.yaml", "--name", "two"])).code).toBe(0);
      matrix.edit("m.yaml", "[1, 2]", "[1, 3]");
      expect(await why()).toEqual([["make@n=3", "it has never run"]]);
      expect((await matrix.run(["run", "m.yaml"])).code).toBe(0);
      expect(await why("--run", "two")).toEqual([["make@n=3", "it was not part of that run"]]);
      matrix.edit("m.yaml", "tail: x", "tail: y");
      expect(await why()).toEqual([
        ["make@n=1", "params.tail x -> y"],
        ["make@n=3", "params.tail x -> y"],
      ]);
    } finally {
      matrix.remove();
    }
  });

  test("a run that was killed is listed as unfinished", async () => {
    const start = { type: "run-started", runId: "x", pipeline: "words", profiles: [], params: {}, stages: [], atMs: 0 };
    words.write("artifacts/.store/runs/29990101T101112-abcdef/events.ndjson", `${JSON.stringify(start)}\n`);
    const { stdout } = await words.run(["runs", "--json", "--limit", "1"]);
    expect(JSON.parse(stdout)).toMatchObject({
      id: "29990101T101112-abcdef",
      outcome: "unfinished",
      startedAt: "2999-01-01T10:11:12.000Z",
    });
    expect((await words.run(["show", "words.yaml", "--run", "29990101"])).stderr).toContain(
      "it was killed, or has not ended yet",
    );
  });
});

describe("after an edit of a stage's source, in a copy of this checkout", () => {
  let checkout: string;
  let edited: Project;
  beforeAll(async () => {
    checkout = mkdtempSync(join(tmpdir(), "checkout-"));
    for (const part of ["src", "stages", "schemas", "assets", "dist", "package.json", "tsconfig.json"])
      cpSync(join(root, part), join(checkout, part), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(checkout, "node_modules"));
    edited = new Project(join(checkout, "dist", "pipe.js"));
    edited.write("pipelines/data.yaml", PIPELINE);
    await writeImages(edited, { train: 8, test: 2, size: 16 });
    expect((await edited.run(["run"])).code).toBe(0);
    const file = join(checkout, "stages", "split.ts");
    const text = readFileSync(file, "utf8");
    const at = text.indexOf("{\n", text.indexOf("async run(")) + 2;
    writeFileSync(file, `${text.slice(0, at)}    if (Number.isNaN(0)) throw new Error("never");\n${text.slice(at)}`);
  });
  afterAll(() => {
    edited.remove();
    rmSync(checkout, { recursive: true });
  });

  test("plan and why name the file, for the stages that read what it makes too", async () => {
    const { stdout } = await edited.run(["plan"]);
    expect(stdout).toContain("stages/split.ts was edited");
    const why = await edited.run(["why", "normalize"]);
    expect(why.stdout).toContain("code stages/split.ts was edited (the stage)");
    expect(why.stdout).toContain("root cause: split: stages/split.ts was edited");
  });

  test("it runs again alone: what it makes is the same", async () => {
    expect((await edited.run(["run", "--json"])).outcomes).toEqual({
      fetch: "fresh",
      split: "ran",
      normalize: "fresh",
    });
    const diff = await edited.run(["diff", "last~1", "last"]);
    expect(diff.stdout).toContain("stages/split.ts edited  (split)");
    expect(diff.stdout).toMatch(/the same: .*artifacts/s);
  });
});
