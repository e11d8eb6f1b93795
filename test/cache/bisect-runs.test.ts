/** Where two runs of puppets part, and by what class of cause: one test for each class there is. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Bisection, bisectRuns } from "../../src/cache/bisect-runs.ts";
import { createContentComparer } from "../../src/compose-comparison.ts";
import type { Workspace } from "../../src/execute/workspace.ts";
import type { ResolvedCode } from "../../src/identity/code-library.ts";
import { fingerprintOf } from "../../src/identity/fingerprint.ts";
import type { NumericsKey } from "../../src/identity/key-manifest.ts";
import type { StageRecord } from "../../src/record.ts";
import { PuppetRunner, type PuppetStage } from "../execute/puppet-run.ts";
import { runRecord } from "../report/recorded-run.ts";

let puppets: PuppetRunner;
let workspace: Workspace;
beforeEach(async () => {
  puppets = new PuppetRunner();
  workspace = await puppets.workspace();
});
afterEach(() => puppets.remove());

type Stages = Readonly<Record<string, PuppetStage>>;
const run = async (stages: Stages, changed: Partial<Workspace> = {}, force: readonly string[] = []) =>
  (await puppets.run(stages, { workspace: { ...workspace, ...changed }, force })).records;

async function bisect(before: readonly StageRecord[], after: readonly StageRecord[]): Promise<Bisection> {
  const parts = { ...workspace, runs: { read: () => undefined }, comparer: createContentComparer() };
  return bisectRuns(parts, runRecord(before, { id: "before" }), runRecord(after, { id: "after" }));
}

/** `second` reads what `first` makes. */
const chain = (text = "b", note = "a"): Stages => ({
  first: { params: { text: note } },
  second: { params: { text }, inputs: { in: "first" } },
});
const dice: Stages = { dice: { params: { text: "", random: true } } };

/** Every stage's code with other facts of it. */
function otherCode(change: (code: ResolvedCode) => Partial<ResolvedCode>): Pick<Workspace, "code"> {
  const { code } = workspace;
  const resolve: typeof code.resolve = (...asked) => {
    const resolved = code.resolve(...asked);
    return { ...resolved, ...change(resolved) };
  };
  return { code: { ...code, resolve } };
}

const causesOf = ({ partings }: Bisection) =>
  partings.map(({ stage, causes }) => [stage, causes.map((cause) => [cause.class, cause.difference?.name])]);

describe("runs part because of", () => {
  test("data: a file of the user's", async () => {
    const path = join(puppets.folder, "data.txt");
    const stages: Stages = {
      reads: { params: { text: "r" }, inputs: { data: path } },
      next: { params: { text: "t" }, inputs: { in: "reads" } },
    };
    writeFileSync(path, "one");
    const before = await run(stages);
    writeFileSync(path, "two");
    const bisection = await bisect(before, await run(stages));
    expect(causesOf(bisection)).toEqual([["reads", [["data", "data"]]]]);
    expect(bisection.following).toEqual(["next"]);
    expect(bisection.partings[0]!.differences).toMatchObject([
      { output: "out", differing: [{ how: "bytes", path: "out.txt", firstByte: 6 }] },
    ]);
  });

  test("params, at the stage that has them and not where they lead to", async () => {
    const bisection = await bisect(await run(chain("b", "a")), await run(chain("b", "A")));
    expect(causesOf(bisection)).toEqual([["first", [["params", "text"]]]]);
    expect(bisection).toMatchObject({ following: ["second"], same: [] });
  });

  test("code that was edited", async () => {
    const before = await run(dice);
    const edited = otherCode(() => ({ digest: "e".repeat(64), listing: { modules: { puppet: "e".repeat(64) } } }));
    expect(causesOf(await bisect(before, await run(dice, edited)))).toEqual([["dice", [["code", "puppet"]]]]);
  });

  test("a package of another version", async () => {
    const before = await run(
      dice,
      otherCode(() => ({ packages: { numbers: "1.0.0" } })),
    );
    const after = await run(
      dice,
      otherCode(() => ({ packages: { numbers: "1.0.1" } })),
    );
    expect(causesOf(await bisect(before, after))).toEqual([["dice", [["package", "numbers"]]]]);
  });

  test("the engine, in its threads", async () => {
    const numerics: NumericsKey = {
      engine: "wasm",
      version: "4",
      threads: 1,
      precision: "float32",
      convolution: "auto",
    };
    const computed = async (threads: number): Promise<StageRecord> => {
      const [record] = await run(dice, {}, ["dice"]);
      const [trace] = workspace.traces.find(record!.fingerprint!);
      const manifest = { ...trace!.manifest, numerics: { ...numerics, threads } };
      const fingerprint = fingerprintOf(manifest);
      workspace.traces.add({ ...trace!, manifest, fingerprint });
      return { ...record!, fingerprint };
    };
    const bisection = await bisect([await computed(1)], [await computed(2)]);
    expect(causesOf(bisection)).toEqual([["dice", [["engine", "threads"]]]]);
  });

  test("the platform, where one key ran on two classes of machines", async () => {
    const before = await run(dice);
    const machine = { ...workspace.machine, instructions: "another" };
    const bisection = await bisect(before, await run(dice, { machine }, ["dice"]));
    expect(bisection.partings).toMatchObject([{ causes: [{ class: "platform" }] }]);
    expect(bisection.partings[0]!.causes[0]!.text).toMatch(/ -> .*another$/);
  });

  test("nondeterminism, where one key gave two results on one class of machines", async () => {
    const bisection = await bisect(await run(dice), await run(dice, {}, ["dice"]));
    expect(causesOf(bisection)).toEqual([["dice", [["nondeterminism", undefined]]]]);
  });

  test("what is not known any more, and of that what the records still tell", async () => {
    const [before, after] = [await run(chain("b")), await run(chain("c"))];
    rmSync(join(workspace.layout.root, "traces"), { recursive: true });
    expect(causesOf(await bisect(before, after))).toEqual([
      [
        "second",
        [
          ["params", "text"],
          ["unknown", undefined],
        ],
      ],
    ]);
  });
});

test("where a stage differs by itself and by what it reads, both are told", async () => {
  const bisection = await bisect(await run(chain("b", "a")), await run(chain("c", "A")));
  expect(causesOf(bisection)).toEqual([
    ["first", [["params", "text"]]],
    ["second", [["params", "text"]]],
  ]);
  expect(bisection.partings[1]!.reads).toEqual(["first"]);
});

test("runs of equal results do not part", async () => {
  const [before, after] = [await run(chain()), await run(chain())];
  expect(await bisect(before, after)).toMatchObject({ partings: [], following: [], same: ["first", "second"] });
});
