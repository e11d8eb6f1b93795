/** How stages are run, and what that leaves unchanged: retries, timeouts, order, `cache: false`, `frozen`, locks, shared results. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunEvent } from "../../src/events.ts";
import type { Workspace } from "../../src/execute/workspace.ts";
import { waitFor } from "../../src/platform/wait-for.ts";
import type { PuppetRunResult } from "./puppet-run.ts";
import { PuppetRunner, type PuppetStage } from "./puppet-run.ts";

let runner: PuppetRunner;
beforeEach(() => {
  runner = new PuppetRunner();
});
afterEach(() => runner.remove());

/** A clock on which pauses that fit pass at once, or when the test says so; the others are real. */
async function withPauses(pass: (ms: number) => Promise<void> | undefined): Promise<Workspace> {
  const workspace = await runner.workspace();
  const wait = (ms: number, signal?: AbortSignal) => pass(ms) ?? waitFor(ms, signal);
  return { ...workspace, clock: { ...workspace.clock, wait } };
}

const reasonOf = ({ records }: PuppetRunResult, name: string) => records.find(({ stage }) => stage === name)!.reason;
const failureOf = ({ records }: PuppetRunResult, name: string) => records.find(({ stage }) => stage === name)!.failure;
const startsIn = (events: readonly RunEvent[]) =>
  events.flatMap((event) => (event.type === "stage-started" ? [event.stage] : []));

describe("a stage that may be tried again", () => {
  test("runs again after a pause, says so, and what follows it runs once", async () => {
    const workspace = await withPauses((ms) => (ms === 1_000 ? Promise.resolve() : undefined));
    const stages = {
      flaky: { params: { text: "a", failUntil: join(runner.folder, "tried") }, execution: { retries: 2 } },
      below: { params: { text: "b" }, inputs: { from: "flaky" } },
    };
    const { outcomes, events } = await runner.run(stages, { workspace });
    expect(outcomes).toEqual({ flaky: "ran", below: "ran" });
    expect(startsIn(events)).toEqual(["flaky", "flaky", "below"]);
    expect(events.filter(({ type }) => type === "stage-retrying")).toEqual([
      expect.objectContaining({
        stage: "flaky",
        attempt: 1,
        attempts: 3,
        pauseMs: 1_000,
        failure: { message: "not yet", lastOutput: [] },
      }),
    ]);
    expect(events.find((event) => event.type === "stage-started" && event.attempt === 2)).toBeDefined();
  });

  test("fails with the last attempt's failure where none succeeds", async () => {
    const workspace = await withPauses((ms) => (ms === 1_000 ? Promise.resolve() : undefined));
    const result = await runner.run(
      { bad: { params: { text: "", fail: true }, execution: { retries: 1 } } },
      { workspace },
    );
    expect(startsIn(result.events)).toEqual(["bad", "bad"]);
    expect(failureOf(result, "bad")?.message).toBe("told to fail");
  });

  test("is not tried again where its input moved: its key is another one by now", async () => {
    const data = join(runner.folder, "data.txt");
    writeFileSync(data, "data");
    const bad = { params: { text: "x", spoilInput: "data" }, inputs: { data }, execution: { retries: 3 } };
    expect(startsIn((await runner.run({ bad })).events)).toEqual(["bad"]);
  });
});

describe("a stage that does not end", () => {
  test("is ended by its timeout, which is no part of its key", async () => {
    let pass = () => {};
    const timeout = new Promise<void>((resolve) => {
      pass = resolve;
    });
    const workspace = await withPauses((ms) => (ms === 90_000 ? timeout : undefined));
    const slow: PuppetStage = { params: { text: "a", hang: true, tell: true }, execution: { timeoutMs: 90_000 } };
    const result = await runner.run(
      { slow },
      { workspace, onEvent: (event) => event.type === "stage-logged" && pass() },
    );
    expect(failureOf(result, "slow")?.message).toBe("it ran longer than its timeout of 90 s, and was killed");
    const before = (await runner.planned({ slow }))[0]!.fingerprint;
    const after = (await runner.planned({ slow: { ...slow, execution: { timeoutMs: 1, retries: 4, cpus: 1 } } }))[0]!;
    expect(after.fingerprint).toBe(before);
  });

  test("although it was asked to stop is ended after a while", async () => {
    const abort = new AbortController();
    const workspace = await withPauses((ms) => (ms === 60_000 ? Promise.resolve() : undefined));
    const result = await runner.run(
      { deaf: { params: { text: "a", hang: true, tell: true } }, next: { params: { text: "b" }, after: ["deaf"] } },
      { workspace, signal: abort.signal, onEvent: (event) => event.type === "stage-logged" && abort.abort() },
    );
    expect(failureOf(result, "deaf")?.message).toMatch(/was asked to stop and did not within 60 s/);
    expect(result.outcomes.next).toBe("skipped");
  });
});

test.each(["SIGKILL", "SIGSEGV"])(
  "a stage whose process dies of %s leaves nothing, and runs the next time",
  async (die) => {
    const result = await runner.run(
      { bad: { params: { text: "a", die } }, other: { params: { text: "o" } } },
      { keepGoing: true },
    );
    expect(result.outcomes).toEqual({ bad: "failed", other: "ran" });
    expect(failureOf(result, "bad")?.message).toContain(die);
    expect(existsSync(join(runner.folder, "artifacts", "puppets", "bad"))).toBe(false);
    const { files, layout } = await runner.workspace();
    expect(files.list(join(layout.root, "tmp"))).toEqual([]);
    expect(files.list(join(layout.root, "locks"))).toEqual([]);
  },
);

describe("a stage that only comes after another", () => {
  const stages = (text: string) => ({
    first: { params: { text } },
    second: { params: { text: "b" }, after: ["first"] },
  });

  test("begins when that has ended, and does not run again when that does", async () => {
    const flag = join(runner.folder, "flag");
    const waiting = {
      second: { params: { text: "b" }, after: ["first"] },
      first: { params: { text: "a", waitFor: flag, tell: true } },
    };
    const { events } = await runner.run(waiting, {
      onEvent: (event) => event.type === "stage-logged" && writeFileSync(flag, ""),
    });
    const finished = events.findIndex((event) => event.type === "stage-finished" && event.stage === "first");
    const started = events.findIndex((event) => event.type === "stage-started" && event.stage === "second");
    expect(started).toBeGreaterThan(finished);
    await runner.run(stages("a"));
    expect(await runner.plan(stages("other"))).toEqual({ first: "run", second: "fresh" });
    expect((await runner.run(stages("other"))).outcomes).toEqual({ first: "ran", second: "fresh" });
  });

  test("and reads a path waits: the other one may write there", async () => {
    const data = join(runner.folder, "data.txt");
    writeFileSync(data, "data");
    const withPath = { ...stages("a"), second: { ...stages("a").second, inputs: { data } } };
    expect(await runner.plan(withPath)).toEqual({ first: "run", second: "pending" });
  });
});

describe("a stage that is not cached", () => {
  const stages: Record<string, PuppetStage> = {
    clock: { params: { text: "t" }, execution: { cache: false } },
    below: { params: { text: "b" }, inputs: { from: "clock" } },
  };

  test("runs each time, and what follows it only where it gives other bytes", async () => {
    await runner.run(stages);
    const [clock, below] = await runner.planned(stages);
    expect(clock).toMatchObject({ decision: "run", reason: "runs each time (cache: false)" });
    expect(below).toMatchObject({ decision: "pending", reason: "runs only if clock changes its output" });
    const again = await runner.run(stages);
    expect(again.outcomes).toEqual({ clock: "ran", below: "fresh" });
    const dice = { ...stages, clock: { params: { text: "t", random: true }, execution: { cache: false } } };
    await runner.run(dice);
    const other = await runner.run(dice);
    expect(other.outcomes).toEqual({ clock: "ran", below: "ran" });
    // Giving another result each time is what it is for.
    expect(other.warnings).toEqual([]);
  });
});

describe("a frozen stage", () => {
  const stages = (text: string, source: string, frozen = true): Record<string, PuppetStage> => ({
    source: { params: { text: source } },
    kept: { params: { text }, inputs: { from: "source" }, execution: { frozen } },
    below: { params: { text: "c" }, inputs: { from: "kept" } },
  });

  test("keeps its last result whatever changed, and says what did", async () => {
    await runner.run(stages("b", "a", false));
    const result = await runner.run(stages("B", "A"));
    expect(result.outcomes).toEqual({ source: "ran", kept: "fresh", below: "fresh" });
    expect(runner.visible("below")).toBe("cfrom(bfrom(a))");
    expect(reasonOf(await runner.run(stages("B", "A")), "kept")).toBe(
      'frozen: text "b" -> "B"; input from changed (source)',
    );
    expect(reasonOf(await runner.run(stages("b", "a")), "kept")).toBe("frozen: nothing changed");
  });

  test("runs when it is thawed, with what changed since", async () => {
    await runner.run(stages("b", "a", false));
    await runner.run(stages("B", "A"));
    const thawed = await runner.run(stages("B", "A", false));
    expect(thawed.outcomes).toMatchObject({ kept: "ran", below: "ran" });
    expect(runner.visible("below")).toBe("cfrom(Bfrom(A))");
  });

  test("is restored where somebody edited what is visible", async () => {
    await runner.run(stages("b", "a", false));
    writeFileSync(join(runner.folder, "artifacts", "puppets", "kept", "out", "out.txt"), "edited");
    const result = await runner.run(stages("B", "a"));
    expect(result.outcomes.kept).toBe("restored");
    expect(runner.visible("kept")).toBe("bfrom(a)");
  });

  test("that never ran is refused with what to do", async () => {
    const planned = (await runner.planned(stages("b", "a"))).find(({ stage }) => stage === "kept")!;
    expect(planned.refusal).toEqual({
      message: "stage kept is frozen, and it never ran: there is nothing to keep",
      help: "run it once without `frozen: true`, or with --force kept",
    });
    expect((await runner.run(stages("b", "a"), { force: ["kept"] })).outcomes.kept).toBe("ran");
  });
});

describe("a plan", () => {
  const chain = (text: string, below: string): Record<string, PuppetStage> => ({
    first: { params: { text } },
    second: { params: { text: below }, inputs: { from: "first" } },
    third: { params: { text: "c" }, inputs: { from: "second" } },
  });
  const reasons = async (stages: Record<string, PuppetStage>) =>
    Object.fromEntries((await runner.planned(stages)).map(({ stage, reason }) => [stage, reason]));

  test("says of what waits whether it runs only if its input changes, or whatever that will be", async () => {
    await runner.run(chain("a", "b"));
    expect(await reasons(chain("A", "b"))).toEqual({
      first: 'text "a" -> "A"',
      second: "runs only if first changes its output",
      third: "runs only if second changes its output",
    });
    expect(await reasons(chain("A", "B"))).toMatchObject({ second: 'text "b" -> "B"; waits for first' });
  });

  test("says of what never ran that it will", async () => {
    expect(await reasons(chain("a", "b"))).toMatchObject({
      first: "never run",
      second: "never run; waits for first",
    });
  });

  test("does not read what the run will not need before its time", async () => {
    const planned = await runner.planned({
      first: { params: { text: "a" } },
      second: { params: { text: "b" }, inputs: { from: "first", data: join(runner.folder, "not there") } },
    });
    expect(planned[1]).toMatchObject({ decision: "pending", reason: "never run; waits for first" });
  });
});

describe("another pipeline", () => {
  test("takes what one has made, and stops where a stage of its own gives the same bytes", async () => {
    const below = {
      second: { params: { text: "b" }, inputs: { from: "first" } },
      third: { params: { text: "c" }, inputs: { from: "second" } },
    };
    await runner.run({ first: { params: { text: "a" } }, ...below }, { name: "one" });
    const other = await runner.run({ first: { params: { text: "a", unused: 1 } }, ...below }, { name: "two" });
    expect(other.outcomes).toEqual({ first: "ran", second: "restored", third: "restored" });
    expect(runner.visible("third", "two")).toBe("cfrom(bfrom(a))");
  });
});

describe("two who would do the same", () => {
  test("in one run: one executes and the other takes its result", async () => {
    const same = { params: { text: "a" } };
    const result = await runner.run({ one: same, two: same });
    expect(Object.values(result.outcomes).sort()).toEqual(["ran", "restored"]);
    expect(result.records.find(({ outcome }) => outcome === "restored")!.reason).toBe(
      "made by a stage with the same key",
    );
  });

  test("in two processes: the second waits, says for whom, and takes the first one's result", async () => {
    const stages = { one: { params: { text: "a" } } };
    const workspace = await runner.workspace();
    let held = true;
    let first: PuppetRunResult | undefined;
    const result = await runner.run(stages, {
      workspace: {
        ...workspace,
        locks: {
          ...workspace.locks,
          tryAcquire: (fingerprint) =>
            held
              ? { holder: { pid: 4711, identity: "1", host: "elsewhere" } }
              : workspace.locks.tryAcquire(fingerprint),
        },
        clock: {
          ...workspace.clock,
          async wait(ms, signal) {
            if (!held) return waitFor(ms, signal);
            first ??= await runner.run(stages);
            held = false;
          },
        },
      },
    });
    expect(first!.outcomes).toEqual({ one: "ran" });
    expect(result.outcomes).toEqual({ one: "restored" });
    expect(reasonOf(result, "one")).toBe("made by another run meanwhile");
    expect(result.events.find(({ type }) => type === "stage-waiting")).toMatchObject({
      holder: "process 4711 on elsewhere",
    });
    expect(startsIn(result.events)).toEqual([]);
  });

  test("where the first one died: the second goes on at once", async () => {
    const workspace = await runner.workspace();
    const stages = { one: { params: { text: "a" } } };
    const { fingerprint } = (await runner.planned(stages))[0]!;
    writeFileSync(workspace.layout.lock(fingerprint!), JSON.stringify({ pid: 4_194_303, identity: "1", host: "here" }));
    const result = await runner.run(stages);
    expect(result.outcomes).toEqual({ one: "ran" });
    expect(result.events.some(({ type }) => type === "stage-waiting")).toBe(false);
  });
});

describe("stages that share the machine", () => {
  test("do not run at once where together they ask for more than there is", async () => {
    const greedy = (text: string): PuppetStage => ({ params: { text }, execution: { memoryBytes: 6 } });
    const { events } = await runner.run(
      { one: greedy("a"), two: greedy("b"), small: { params: { text: "c" }, execution: { memoryBytes: 4 } } },
      { capacity: { cpus: 8, memoryBytes: 10, gpus: 0 } },
    );
    const running = new Set<string>();
    for (const event of events) {
      if (event.type === "stage-started") running.add(event.stage);
      if (event.type === "stage-finished") running.delete(event.stage);
      expect(running.has("one") && running.has("two")).toBe(false);
    }
    expect(running.size).toBe(0);
  });

  test("say so where one asks for more than all there is", async () => {
    const { warnings, outcomes } = await runner.run(
      { one: { params: { text: "a" }, execution: { cpus: 3 } } },
      { capacity: { cpus: 2, memoryBytes: 10, gpus: 0 } },
    );
    expect(warnings).toEqual(["one asks for 3 cpus, and there are 2: it runs when it can have all of it"]);
    expect(outcomes).toEqual({ one: "ran" });
  });
});
