/** The engine's promises on small graphs: what runs, what does not, and that no fault leaves a wrong result. */
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FileSystem, nodeFileSystem } from "../../src/platform/file-system.ts";
import { describeMachine } from "../../src/platform/machine.ts";
import { PuppetRunner, type PuppetStage } from "./puppet-run.ts";

let runner: PuppetRunner;
beforeEach(() => {
  runner = new PuppetRunner();
});
afterEach(() => runner.remove());

const chain = (text = "a"): Record<string, PuppetStage> => ({
  first: { params: { text } },
  second: { params: { text: "b" }, inputs: { from: "first" } },
  third: { params: { text: "c" }, inputs: { from: "second", also: "first" } },
});

describe("a run", () => {
  test("executes what has no trace, and the next one nothing; plan says the same before", async () => {
    expect(await runner.plan(chain())).toEqual({ first: "run", second: "pending", third: "pending" });
    expect((await runner.run(chain())).outcomes).toEqual({ first: "ran", second: "ran", third: "ran" });
    expect(runner.visible("third")).toBe("calso(a)from(bfrom(a))");
    expect(await runner.plan(chain())).toEqual({ first: "fresh", second: "fresh", third: "fresh" });
    expect((await runner.run(chain())).outcomes).toEqual({ first: "fresh", second: "fresh", third: "fresh" });
  });

  test("stops where a changed stage gives the same bytes: what follows stays fresh", async () => {
    await runner.run(chain());
    const stages = { ...chain(), first: { params: { text: "a", unused: 1 } } };
    expect((await runner.run(stages)).outcomes).toEqual({ first: "ran", second: "fresh", third: "fresh" });
  });

  test("records the root cause beside an input that changed", async () => {
    await runner.run(chain());
    const { records } = await runner.run(chain("z"));
    expect(records.map(({ reason }) => reason)).toEqual([
      'text "a" -> "z"',
      'input from changed (first: text "a" -> "z")',
      expect.stringContaining('(first: text "a" -> "z")'),
    ]);
  });

  test("does not see a param that only says how to run", async () => {
    await runner.run(chain());
    const stages = { ...chain(), first: { params: { text: "a", note: "louder" } } };
    expect((await runner.run(stages)).outcomes.first).toBe("fresh");
  });

  test("restores what an earlier run had made", async () => {
    await runner.run(chain("a"));
    await runner.run(chain("z"));
    expect((await runner.run(chain("a"))).outcomes).toEqual({
      first: "restored",
      second: "restored",
      third: "restored",
    });
    expect(runner.visible("third")).toBe("calso(a)from(bfrom(a))");
  });

  test("executes forced stages whatever the cache has", async () => {
    await runner.run(chain());
    expect((await runner.run(chain(), { force: ["second"] })).outcomes).toEqual({
      first: "fresh",
      second: "ran",
      third: "fresh",
    });
  });

  test("lets a forced stage begin at the beginning, and what comes after it go on from what that one saved", async () => {
    const stages = { steps: { params: { text: "a", remember: true }, execution: { cache: false } } };
    const began = async (force: readonly string[] = []) => {
      const { events } = await runner.run(stages, { force });
      return events.flatMap((event) => (event.type === "stage-logged" && event.line !== "wrote" ? [event.line] : []));
    };
    expect(await began()).toEqual(["began"]);
    expect(await began()).toEqual(["went on"]);
    expect(await began(["steps"])).toEqual(["began"]);
    expect(await began()).toEqual(["went on"]);
  });

  test("after a failure starts nothing more, or with keepGoing what does not depend on it", async () => {
    const stages = {
      bad: { params: { text: "", fail: true } },
      below: { params: { text: "" }, inputs: { from: "bad" } },
      other: { params: { text: "o" } },
      otherBelow: { params: { text: "p" }, inputs: { from: "other" } },
    };
    const stopped = await runner.run(stages, { jobs: 1 });
    expect(stopped.outcomes).toMatchObject({ bad: "failed", below: "skipped", otherBelow: "skipped" });
    const going = await runner.run(stages, { keepGoing: true });
    expect(going.outcomes).toEqual({ bad: "failed", below: "skipped", other: "ran", otherBelow: "ran" });
    expect(going.records.find(({ stage }) => stage === "bad")!.durationMs).toBeGreaterThan(0);
  });

  test("reports a stage whose equal key gives another result, keeps both, and enters it in the ledger", async () => {
    const stages = { dice: { params: { text: "", random: true } } };
    expect((await runner.run(stages)).warnings).toEqual([]);
    const workspace = await runner.workspace();
    const again = await runner.run(stages, { force: ["dice"], workspace });
    expect(again.warnings).toEqual([expect.stringMatching(/dice is nondeterministic/)]);
    expect(workspace.ledger.find(again.records[0]!.fingerprint!)).toEqual([
      expect.objectContaining({ foundBy: "run" }),
    ]);
  });

  test("takes a trace of another kind of machine, and says so", async () => {
    await runner.run(chain());
    const elsewhere = await runner.workspace(nodeFileSystem, { ...describeMachine(), architecture: "riscv" });
    const { records } = await runner.run(chain(), { workspace: elsewhere });
    expect(records.map(({ outcome }) => outcome)).toEqual(["fresh", "fresh", "fresh"]);
    expect(records[0]!.reason).toMatch(/another kind of machine/);
  });
});

describe("a stage that breaks the contract", () => {
  test("by changing its input fails, names the file, and stores nothing", async () => {
    const data = join(runner.folder, "data.txt");
    writeFileSync(data, "data");
    const stages = { bad: { params: { text: "x", spoilInput: "data" }, inputs: { data } } };
    const { records } = await runner.run(stages);
    expect(records[0]!.failure?.message).toContain(`${data} was changed while the stage ran`);
    expect(await runner.plan(stages)).toEqual({ bad: "run" });
  });

  test.each([
    ["by writing nothing", { text: "", silent: true }, /without writing its output out/],
    ["by referencing what is no input", { text: "", reference: "0".repeat(64) }, /references 0000/],
  ])("%s fails", async (_what, params, message) => {
    expect((await runner.run({ bad: { params } })).records[0]!.failure?.message).toMatch(message);
  });
});

test("a bundle that is not what was hashed does not run", async () => {
  const workspace = await runner.workspace();
  writeFileSync(join(runner.folder, "code", "puppet.mjs"), "export const puppet = {};");
  const { records } = await runner.run(chain(), { workspace });
  expect(records[0]!.failure?.message).toMatch(/puppet\.mjs is not the code that was built/);
});

test("an input that rotted unseen is found before it is used, made again, and the result is right", async () => {
  await runner.run(chain());
  const workspace = await runner.workspace();
  const [listed] = workspace.artifacts.listing((await runner.run(chain())).records[0]!.outputs.out!.digest)!.files;
  const path = workspace.layout.object(listed!.digest);
  chmodSync(path, 0o644);
  writeFileSync(path, "A");
  // The worst case: the memo believes that the blob is as it was.
  workspace.memo.note(path, nodeFileSystem.stat(path)!, listed!.digest, true);
  const stages = { ...chain(), second: { params: { text: "B" }, inputs: { from: "first" } } };
  const { outcomes, warnings } = await runner.run(stages, { workspace });
  expect(outcomes.second).toBe("ran");
  expect(warnings).toEqual([expect.stringMatching(/is damaged; first runs again/)]);
  expect(readFileSync(path, "utf8")).toBe("a");
  expect(runner.visible("second")).toBe("Bfrom(a)");
});

/** A file system that refuses from the n-th change on, as a full or dying disk does. */
function refusing(after: number, code: string): { files: FileSystem; changes: () => number } {
  let changes = 0;
  const guard =
    <Args extends readonly unknown[]>(change: (...args: Args) => void) =>
    (...args: Args): void => {
      changes++;
      if (changes > after) throw Object.assign(new Error(`${code}: refused`), { code, path: String(args[0]) });
      change(...args);
    };
  const { makeFolder, writeNew, append, flush, copy, rename, setMode } = nodeFileSystem;
  return {
    changes: () => changes,
    files: {
      ...nodeFileSystem,
      makeFolder: guard(makeFolder),
      writeNew: guard(writeNew),
      append: guard(append),
      flush: guard(flush),
      copy: guard(copy),
      rename: guard(rename),
      setMode: guard(setMode),
    },
  };
}

test.each(["ENOSPC", "EIO", "EROFS"])(
  "%s at any change of the disk costs a rerun, never a wrong result",
  async (code) => {
    const stages = { first: { params: { text: "a" } }, second: { params: { text: "b" }, inputs: { from: "first" } } };
    const counting = refusing(Number.POSITIVE_INFINITY, code);
    await runner.run(stages, { workspace: await runner.workspace(counting.files) });
    const total = counting.changes();
    expect(total).toBeGreaterThan(20);
    // Every third change for each kind of refusal: together they cover all, in a third of the time.
    const offset = ["ENOSPC", "EIO", "EROFS"].indexOf(code);
    for (let after = 10 + offset; after < total; after += 3) {
      runner.remove();
      runner = new PuppetRunner();
      const { files } = refusing(after, code);
      const workspace = await runner.workspace(files);
      const broken = await runner.run(stages, { workspace });
      for (const { outcome, failure } of broken.records)
        if (outcome === "failed") expect(failure!.message).toMatch(/disk|file system/);
      const whole = await runner.run(stages);
      expect(Object.values(whole.outcomes).every((outcome) => ["ran", "fresh", "restored"].includes(outcome))).toBe(
        true,
      );
      expect(runner.visible("second")).toBe("bfrom(a)");
    }
  },
);

test("on random graphs and edits exactly the stages with a new key run, and what is visible equals a clean rebuild", async () => {
  const text = fc.constantFrom("x", "y");
  const graph = fc
    .array(fc.record({ text, needs: fc.array(fc.nat(4), { maxLength: 2 }) }), { minLength: 2, maxLength: 5 })
    .map((nodes) =>
      Object.fromEntries(
        nodes.map(({ text: value, needs }, i) => {
          const earlier = [...new Set(needs)].filter((need) => need < i);
          return [
            `s${i}`,
            { params: { text: value }, inputs: Object.fromEntries(earlier.map((need) => [`p${need}`, `s${need}`])) },
          ];
        }),
      ),
    );
  const edits = fc.array(fc.tuple(fc.nat(4), text), { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(graph, edits, async (stages: Record<string, PuppetStage>, changes) => {
      const known = new Set<string>();
      const seen = new PuppetRunner();
      try {
        const check = async () => {
          const { records } = await seen.run(stages);
          // Two stages with one key are one execution.
          const executed = records.filter(({ outcome }) => outcome === "ran").map(({ fingerprint }) => fingerprint!);
          const fresh = new Set(records.map(({ fingerprint }) => fingerprint!).filter((key) => !known.has(key)));
          expect(executed.toSorted()).toEqual([...fresh].toSorted());
          for (const key of fresh) known.add(key);
        };
        await check();
        for (const [i, value] of changes) {
          const name = `s${i % Object.keys(stages).length}`;
          stages[name] = { ...stages[name]!, params: { text: value } };
          await check();
        }
        const clean = new PuppetRunner();
        try {
          await clean.run(stages);
          for (const name of Object.keys(stages)) expect(seen.visible(name)).toBe(clean.visible(name));
        } finally {
          clean.remove();
        }
      } finally {
        seen.remove();
      }
    }),
    { numRuns: 8, seed: 42 },
  );
});
