/** Trainings that agree up to an epoch train it once, whoever comes first, however many run at once and whoever dies. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunEvent } from "../../src/events.ts";
import { PuppetRunner, type PuppetStage } from "./puppet-run.ts";

let runner: PuppetRunner;
beforeEach(() => {
  runner = new PuppetRunner();
});
afterEach(() => runner.remove());

const chained = (chain: readonly string[], more: PuppetStage["params"] = {}): PuppetStage => ({
  params: { text: "", chain: [...chain], ...more },
});
const epochsOf = (events: readonly RunEvent[]) =>
  events.flatMap((event) =>
    event.type === "stage-logged" && event.line.startsWith("epoch ") ? [event.line.slice("epoch ".length)] : [],
  );
/** Every chain's beginnings, each once. */
const edgesOf = (chains: readonly (readonly string[])[]) =>
  [...new Set(chains.flatMap((chain) => chain.map((_, i) => chain.slice(0, i + 1).join("/"))))].sort();
const waits = (events: readonly RunEvent[]) =>
  events.flatMap((event) => (event.type === "stage-waiting" ? [`${event.stage} for ${event.holder}`] : []));

const anyChain = fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 4 });
const anyMatrix = fc.uniqueArray(anyChain, { minLength: 2, maxLength: 5, selector: (chain) => chain.join("/") });

test("the epochs executed are the edges of the prefix tree, one after the other and at once, and after a kill", async () => {
  const death = fc.record({ instance: fc.nat(4), epoch: fc.integer({ min: 1, max: 4 }) });
  await fc.assert(
    fc.asyncProperty(anyMatrix, fc.integer({ min: 1, max: 3 }), fc.option(death), async (chains, jobs, dies) => {
      const own = new PuppetRunner();
      try {
        const stages = (killed?: typeof dies) =>
          Object.fromEntries(
            chains.map((chain, i) => [
              `train${i}`,
              chained(chain, killed?.instance === i ? { dieAt: killed.epoch } : {}),
            ]),
          );
        const first = await own.run(stages(dies), { jobs });
        const second = await own.run(stages(), { jobs });
        expect(Object.values(second.outcomes)).not.toContain("failed");
        expect([...epochsOf(first.events), ...epochsOf(second.events)].sort()).toEqual(edgesOf(chains));
        expect(readdirSync(join(own.folder, "artifacts", ".store", "locks"))).toEqual([]);
      } finally {
        own.remove();
      }
    }),
    { numRuns: 8 },
  );
}, 60_000);

describe("who waits for another one's epochs", () => {
  test("takes no processor meanwhile, and says for whom it waits", async () => {
    const go = join(runner.folder, "go");
    const { events, outcomes } = await runner.run(
      {
        one: chained(["x", "y", "a"], { gate: { epoch: 1, wait: go } }),
        two: chained(["x", "y", "b"], {}),
        other: { params: { text: "other" } },
      },
      {
        jobs: 2,
        onEvent: (event) => {
          if (event.type === "stage-finished" && event.stage === "other") writeFileSync(go, "");
        },
      },
    );
    expect(outcomes).toEqual({ one: "ran", two: "ran", other: "ran" });
    // The gate is in no link.
    expect(epochsOf(events).sort()).toEqual(
      edgesOf([
        ["x", "y", "a"],
        ["x", "y", "b"],
      ]),
    );
    // Once, although it follows over epochs.
    expect(waits(events)).toEqual(["two for one"]);
  });

  test("goes on beside it where they part, and its reason says from where", async () => {
    const [one, two] = ["one", "two"].map((name) => join(runner.folder, name));
    const { events, records } = await runner.run(
      {
        one: chained(["x", "a"], { gate: { epoch: 2, write: one!, wait: two! } }),
        two: chained(["x", "b"], { gate: { epoch: 2, write: two!, wait: one! } }),
      },
      { jobs: 2 },
    );
    expect(epochsOf(events).sort()).toEqual(
      edgesOf([
        ["x", "a"],
        ["x", "b"],
      ]),
    );
    expect(records.map(({ reason }) => reason)).toEqual(["never run", "never run; goes on after 1"]);
  });

  test("trains them itself where the other one fails", async () => {
    const { events, outcomes } = await runner.run(
      { one: chained(["x", "y", "a"], { dieAt: 2 }), two: chained(["x", "y", "b"]) },
      { jobs: 2, keepGoing: true },
    );
    expect(outcomes).toEqual({ one: "failed", two: "ran" });
    expect(epochsOf(events)).toEqual(["x", "x/y", "x/y/b"]);
  });

  test("starts no more where the other one failed and nobody wants to go on", async () => {
    const { events, outcomes } = await runner.run(
      { one: chained(["x", "a"], { dieAt: 1 }), two: chained(["x", "b"]) },
      { jobs: 2 },
    );
    expect(outcomes).toEqual({ one: "failed", two: "skipped" });
    expect(epochsOf(events)).toEqual([]);
    expect(readdirSync(join(runner.folder, "artifacts", ".store", "locks"))).toEqual([]);
  });

  test("waits for another process, too", async () => {
    const go = join(runner.folder, "go");
    let second: ReturnType<typeof runner.run> | undefined;
    const first = await runner.run(
      { one: chained(["x", "a"], { gate: { epoch: 1, write: join(runner.folder, "at"), wait: go } }) },
      {
        onEvent(event) {
          if (event.type !== "stage-started" || second !== undefined) return;
          second = runner.run(
            { two: chained(["x", "b"]) },
            { name: "others", onEvent: ({ type }) => type === "stage-waiting" && writeFileSync(go, "") },
          );
        },
      },
    );
    const { events } = await second!;
    expect(epochsOf(first.events)).toEqual(["x", "x/a"]);
    expect(epochsOf(events)).toEqual(["x/b"]);
    expect(waits(events)[0]).toMatch(/^two for process \d+ on here$/);
  });
});

test("forced ones share what they train in that run, and nothing of earlier ones", async () => {
  const stages = { one: chained(["x", "a"]), two: chained(["x", "b"]) };
  await runner.run(stages, { jobs: 2 });
  const { events } = await runner.run(stages, { jobs: 2, force: ["one", "two"] });
  expect(epochsOf(events).sort()).toEqual(
    edgesOf([
      ["x", "a"],
      ["x", "b"],
    ]),
  );
});

test("what another stage has yet to go on from is kept, until that one has gone on", async () => {
  const stages = (dies: PuppetStage["params"]) => ({
    one: chained(["x", "y", "a", "aa"]),
    two: chained(["x", "y", "b", "bb"], dies),
  });
  const keptOf = async (fingerprint: string) => {
    const { checkpoints, traces } = await runner.workspace();
    const base = traces.find(fingerprint)[0]!.checkpointBase!;
    const stored = new Map(checkpoints.list(base).map(({ digest, kept }) => [digest, kept]));
    const keptAt = async (...key: string[]) => stored.get((await checkpoints.peek(base, key))!.digest);
    return { x: await keptAt("x"), y: await keptAt("x", "y") };
  };
  const killed = await runner.run(stages({ dieAt: 3 }), { jobs: 1, keepGoing: true });
  expect(killed.outcomes).toEqual({ one: "ran", two: "failed" });
  const { fingerprint } = killed.records[0]!;
  expect(await keptOf(fingerprint!)).toEqual({ x: false, y: true });
  expect((await runner.run(stages({}))).outcomes).toEqual({ one: "fresh", two: "ran" });
  expect(await keptOf(fingerprint!)).toEqual({ x: false, y: false });
});
