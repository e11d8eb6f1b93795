/** Why stages run, found in real stores: one stage, chains of stages, other runs and pipelines, traces that are gone. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createRunStore } from "../../src/cache/run-store.ts";
import { createExplainer, type Explainer } from "../../src/execute/explain.ts";
import { type KeyReference, keysOfPipeline, keysOfRun, lastSuccesses } from "../../src/execute/key-reference.ts";
import type { Workspace } from "../../src/execute/workspace.ts";
import type { ExplainedDifference, Explanation } from "../../src/identity/explanation.ts";
import type { RunRecord, StageRecord } from "../../src/record.ts";
import { runRecord } from "../report/recorded-run.ts";
import { PuppetRunner, type PuppetStage } from "./puppet-run.ts";

type Stages = Readonly<Record<string, PuppetStage>>;

let runner: PuppetRunner;
let workspace: Workspace;
beforeEach(async () => {
  runner = new PuppetRunner();
  workspace = await runner.workspace();
});
afterEach(() => runner.remove());

/** `a` makes what `b` reads, and that `c`. */
const chain = (texts: { a?: string; b?: string; c?: string } = {}): Stages => ({
  a: { params: { text: texts.a ?? "a" } },
  b: { params: { text: texts.b ?? "b" }, inputs: { in: "a" } },
  c: { params: { text: texts.c ?? "c" }, inputs: { in: "b" } },
});

/** As the command leaves it behind; `id` is its own only where nothing ran. */
async function run(stages: Stages, id: string, more: Partial<RunRecord> = {}): Promise<RunRecord> {
  const { records } = await runner.run(stages, { workspace });
  const ran = records.find(({ outcome }) => outcome === "ran")?.fingerprint;
  return keep(records, ran === undefined ? id : workspace.traces.find(ran)[0]!.runId, more);
}

function keep(records: readonly StageRecord[], id: string, more: Partial<RunRecord> = {}): RunRecord {
  const record = runRecord(records, { id, pipeline: "puppets", profiles: [], ...more });
  mkdirSync(workspace.layout.run(id), { recursive: true });
  writeFileSync(join(workspace.layout.run(id), "run.json"), JSON.stringify(record));
  return record;
}

async function explainer(stages: Stages, reference?: KeyReference, name?: string): Promise<Explainer> {
  const pipeline = runner.pipeline(stages, name);
  return createExplainer(workspace, {
    pipeline,
    texts: new Map(),
    engines: new Map(),
    plan: await runner.planned(stages, { workspace, ...(name === undefined ? {} : { name }) }),
    reference: reference ?? lastSuccesses(workspace, createRunStore(workspace), pipeline),
  });
}

/** `b: [in <- a: [text "a" -> "x"]]`: an explanation in one line. */
function sketch({ stage, differences, repeated, incomparable }: Explanation): string {
  const one = ({ part, name, before, after, undecided, because = [] }: ExplainedDifference) => {
    const values = part === "param" ? ` ${before ?? "-"} -> ${after ?? "-"}` : undecided ? "?" : "";
    return `${name}${values}${because.length === 0 ? "" : ` <- ${because.map(sketch).join(" & ")}`}`;
  };
  return `${stage}: ${repeated ? "above" : (incomparable ?? `[${differences.map(one).join(", ")}]`)}`;
}

const explain = async (stages: Stages, stage: string, reference?: KeyReference) =>
  sketch(await (await explainer(stages, reference)).explain(stage));
const reasons = async (stages: Stages) => {
  const named = await (await explainer(stages)).nameCauses();
  return Object.fromEntries(named.map(({ stage, decision, reason }) => [stage, `${decision}: ${reason}`]));
};

describe("against its last success, a stage", () => {
  test("that never ran has nothing to be compared with", async () => {
    expect(await explain(chain(), "a")).toBe("a: it has never run");
    expect(await reasons(chain())).toEqual({
      a: "run: never run",
      b: "pending: never run; waits for a",
      c: "pending: never run; waits for b",
    });
  });

  test("that is fresh differs in nothing", async () => {
    await run(chain(), "r1");
    expect(await explain(chain(), "c")).toBe("c: []");
    expect(await (await explainer(chain())).rootCausesOf("c")).toEqual([]);
  });

  test("whose param changed says from what to what, and from which run", async () => {
    await run(chain(), "r1", { name: "first" });
    const explanation = await (await explainer(chain({ a: "x" }))).explain("a");
    expect(explanation.differences).toEqual([{ part: "param", name: "text", before: '"a"', after: '"x"' }]);
    expect(explanation.against).toMatchObject({ pipeline: "puppets", runName: "first" });
  });

  test("that waits is followed to what the user changed, two stages up", async () => {
    await run(chain(), "r1");
    const changed = chain({ a: "x" });
    expect(await explain(changed, "c")).toBe('c: [in? <- b: [in? <- a: [text "a" -> "x"]]]');
    expect(await (await explainer(changed)).rootCausesOf("c")).toEqual([
      expect.objectContaining({ stage: "a", text: 'text "a" -> "x"' }),
    ]);
    expect(await reasons(changed)).toEqual({
      a: 'run: text "a" -> "x"',
      b: 'pending: runs only if a changes its output (a: text "a" -> "x")',
      c: 'pending: runs only if b changes its output (a: text "a" -> "x")',
    });
  });

  test("that waits and was changed itself says both", async () => {
    await run(chain(), "r1");
    const changed = chain({ a: "x", c: "z" });
    expect(await explain(changed, "c")).toBe('c: [text "c" -> "z", in? <- b: [in? <- a: [text "a" -> "x"]]]');
    expect((await reasons(changed)).c).toBe('pending: text "c" -> "z"; waits for b');
  });

  test("knows why its input changed also when what makes it has run since", async () => {
    await run(chain(), "r1");
    const changed = chain({ a: "x" });
    const { c: _, ...some } = changed;
    await run(some, "r2");
    expect(await explain(changed, "c")).toBe('c: [in <- b: [in <- a: [text "a" -> "x"]]]');
    expect((await reasons(changed)).c).toBe('run: input in changed (a: text "a" -> "x")');
  });

  test("says so where nobody knows what its input was made of", async () => {
    const first = await run(chain(), "r1");
    const changed = chain({ a: "x" });
    const { c: _, ...some } = changed;
    await run(some, "r2");
    rmSync(workspace.layout.run(first.id), { recursive: true });
    expect(await explain(changed, "c")).toMatch(/^c: \[in <- b: what it had when its reader ran is not known any more/);
    expect((await reasons(changed)).c).toBe("run: input in changed (b)");
  });

  test("reads what a killed run had from its events", async () => {
    const first = await run(chain(), "r1");
    rmSync(join(workspace.layout.run(first.id), "run.json"));
    const events = first.stages.map((record) => ({ type: "stage-finished", atMs: 1, stage: record.stage, record }));
    const lines = [...events.map((event) => JSON.stringify(event)), '{"type":"stage-fini'];
    writeFileSync(join(workspace.layout.run(first.id), "events.ndjson"), lines.join("\n"));
    const changed = chain({ a: "x" });
    const { c: _, ...some } = changed;
    await run(some, "r2");
    expect(await explain(changed, "c")).toBe('c: [in <- b: [in <- a: [text "a" -> "x"]]]');
  });

  test("names two roots where there are two, and each stage once", async () => {
    const diamond = (a: string, b: string): Stages => ({
      a: { params: { text: a } },
      b: { params: { text: b }, inputs: { in: "a" } },
      c: { params: { text: "c" }, inputs: { left: "a", right: "b" } },
    });
    await run(diamond("a", "b"), "r1");
    const changed = diamond("x", "y");
    expect(await explain(changed, "c")).toBe(
      'c: [left? <- a: [text "a" -> "x"], right? <- b: [text "b" -> "y", in? <- a: above]]',
    );
    expect((await (await explainer(changed)).rootCausesOf("c")).map(({ stage }) => stage)).toEqual(["a", "b"]);
    expect((await reasons(changed)).c).toBe(
      'pending: runs only if a or b changes its output (a: text "a" -> "x", and more)',
    );
  });

  test("at the end of a long chain is followed so far, and to the root cause all the same", async () => {
    const long = (text: string): Stages =>
      Object.fromEntries(
        Array.from({ length: 60 }, (_, index) => [
          `s${index}`,
          { params: { text: index === 0 ? text : "" }, ...(index === 0 ? {} : { inputs: { in: `s${index - 1}` } }) },
        ]),
      );
    await run(long("a"), "r1");
    const made = await explainer(long("x"));
    let links = 0;
    let last: Explanation | undefined = await made.explain("s59");
    for (let next: Explanation | undefined = last; next !== undefined; next = next.differences[0]?.because?.[0]) {
      last = next;
      links++;
    }
    expect([links, last!.cut]).toEqual([41, true]);
    expect((await made.rootCausesOf("s59")).map(({ stage, text }) => `${stage}: ${text}`)).toEqual([
      's0: text "a" -> "x"',
    ]);
  });

  test("whose file of the user's changed names the file", async () => {
    const file = join(runner.folder, "words.txt");
    writeFileSync(file, "one");
    const stages: Stages = {
      a: { params: { text: "a" }, inputs: { words: file } },
      b: { params: { text: "b" }, inputs: { in: "a" } },
    };
    await run(stages, "r1");
    writeFileSync(file, "two");
    const explanation = await (await explainer(stages)).explain("a");
    expect(explanation.differences).toEqual([expect.objectContaining({ part: "input", name: "words", origin: file })]);
    expect((await reasons(stages)).b).toBe(
      `pending: runs only if a changes its output (a: input words changed (${file}))`,
    );
  });

  test("of a forced upstream stage says that it was forced", async () => {
    await run(chain(), "r1");
    const stages = chain();
    const plan = await runner.planned(stages, { workspace, force: ["a"] });
    const reference = lastSuccesses(workspace, createRunStore(workspace), runner.pipeline(stages));
    const request = { pipeline: runner.pipeline(stages), texts: new Map(), engines: new Map(), plan, reference };
    const named = await createExplainer(workspace, request).nameCauses();
    expect(named[1]!.reason).toBe("runs only if a changes its output (a: forced)");
  });

  test("that was connected to another stage says so", async () => {
    await run(chain(), "r1");
    const more: Stages = { ...chain(), c: { params: { text: "c" }, inputs: { in: "b", more: "a" } } };
    const explanation = await (await explainer(more)).explain("c");
    expect(explanation.differences).toEqual([
      expect.objectContaining({ part: "input", name: "more", origin: "a.out" }),
    ]);
    expect(explanation.differences[0]!.before).toBeUndefined();
  });

  test("that is frozen shows what has changed all the same", async () => {
    await run(chain(), "r1");
    const { b, ...rest } = chain({ b: "y" });
    const frozen: Stages = { a: rest.a!, b: { ...b!, execution: { frozen: true } }, c: rest.c! };
    const explanation = await (await explainer(frozen)).explain("b");
    expect(explanation).toMatchObject({ decision: "fresh", frozen: true, reason: 'frozen: text "b" -> "y"' });
    expect(sketch(explanation)).toBe('b: [text "b" -> "y"]');
    expect((await reasons(frozen)).c).toBe("fresh: up to date");
  });

  test("whose trace was removed says that it cannot be compared", async () => {
    await run(chain(), "r1");
    removeTraces();
    expect(await explain(chain({ a: "x" }), "a")).toBe(
      "a: its trace was removed from the store (pipe gc), so what it had is not known any more",
    );
  });
});

/** As `gc` may. */
function removeTraces(): void {
  const traces = join(workspace.layout.root, "traces");
  for (const name of readdirSync(traces)) rmSync(join(traces, name), { recursive: true });
}

describe("against a run, a stage", () => {
  test("that is fresh now says what it had then, through every stage in between", async () => {
    const first = await run(chain({ a: "x" }), "r1");
    await run(chain(), "r2");
    const reference = keysOfRun(workspace, createRunStore(workspace), first);
    expect(await explain(chain(), "c", reference)).toBe('c: [in <- b: [in <- a: [text "x" -> "a"]]]');
  });

  test("that was not part of it, failed in it or was skipped in it says so", async () => {
    const { a } = chain();
    const alone = await run({ a: a! }, "r1");
    const failing: Stages = { a: { params: { text: "a", fail: true } }, b: chain().b! };
    const failed = await run(failing, "r2");
    const runs = createRunStore(workspace);
    expect(await explain(chain(), "b", keysOfRun(workspace, runs, alone))).toBe("b: it was not part of that run");
    expect(await explain(chain(), "a", keysOfRun(workspace, runs, failed))).toBe(
      "a: it failed in that run, so its key was not kept",
    );
    expect(await explain(chain(), "b", keysOfRun(workspace, runs, failed))).toBe("b: it was skipped in that run");
  });

  test("that had nothing to do is compared with what it found; where that record is gone, it says so", async () => {
    const first = await run(chain({ a: "x" }), "r1");
    const nothing = keep([], "r2", { sameAs: first.id });
    const runs = createRunStore(workspace);
    expect(await explain(chain(), "a", keysOfRun(workspace, runs, nothing))).toBe('a: [text "x" -> "a"]');
    rmSync(workspace.layout.run(first.id), { recursive: true });
    expect(await explain(chain(), "a", keysOfRun(workspace, runs, nothing))).toBe(
      `a: that run found everything done by ${first.id}, whose record is gone`,
    );
  });

  test("whose traces are gone says so", async () => {
    const first = await run(chain(), "r1");
    removeTraces();
    expect(await explain(chain({ c: "z" }), "c", keysOfRun(workspace, createRunStore(workspace), first))).toBe(
      "c: its trace was removed from the store (pipe gc), so what it had is not known any more",
    );
  });
});

describe("against another pipeline, a stage", () => {
  const other = async (stages: Stages) => {
    const pipeline = runner.pipeline(stages, "others");
    const there = await explainer(stages, undefined, "others");
    const successes = lastSuccesses(workspace, createRunStore(workspace), pipeline);
    return keysOfPipeline(successes, pipeline, (name) => there.currentKey(name));
  };

  test("is compared with its last success there", async () => {
    await run(chain(), "r1");
    const stages = chain({ a: "x" });
    await runner.run(stages, { workspace, name: "others" });
    expect(await explain(chain(), "c", await other(stages))).toBe('c: [in <- b: [in <- a: [text "x" -> "a"]]]');
  });

  test("is compared with what would run there where nothing has", async () => {
    await run(chain(), "r1");
    expect(await explain(chain(), "c", await other(chain({ a: "x", c: "z" })))).toBe(
      'c: [text "z" -> "c", in? <- b: [in? <- a: [text "x" -> "a"]]]',
    );
  });

  test("that it has not says so", async () => {
    await run(chain(), "r1");
    expect(await explain(chain(), "c", await other({ a: chain().a! }))).toBe("c: others has no such stage");
  });
});
