/**
 * Whatever happens to a project between runs and during them, a run that comes to its end leaves what a clean rebuild
 * would, and has executed exactly the stages whose fingerprint was new.
 *
 * TFPIPE_PROPERTY_RUNS multiplies how many histories are tried, with seeds of their own; one that fails is printed with
 * the seed and path that bring it back.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type ModelProject, PUPPETS } from "./model-project.ts";
import {
  type Disturbance,
  type Edit,
  SPOILED_OBJECTS,
  SPOILED_OUTPUTS,
  SPOILED_STORE,
  type Step,
} from "./project-events.ts";
import { ProjectHistory, pickSource } from "./project-history.ts";

const number = fc.nat(1_000);
/** Of equal probability; doubles of fast-check are mostly near 0. */
const share = fc.nat(999).map((thousandths) => thousandths / 1_000);

const stage = fc.record({
  type: fc.constantFrom(...PUPPETS),
  text: fc.constantFrom("x", "y"),
  inputs: fc.array(number, { maxLength: 3 }),
});

function projectOf(least: number, most: number): fc.Arbitrary<ModelProject> {
  return fc.array(stage, { minLength: least, maxLength: most, size: "max" }).map((drawn) => {
    const stages: ModelProject["stages"] = [];
    for (const [at, { type, text, inputs }] of drawn.entries()) {
      const sources = inputs.map((value, port) => [`p${port}`, pickSource({ stages }, at, value)] as const);
      stages.push({ name: `s${at}`, type, text, note: 0, fails: false, inputs: Object.fromEntries(sources) });
    }
    const code = { salt: "salt", comment: "comment" };
    return {
      stages,
      code: { mix: code, parity: code, length: code, view: code },
      files: new Map([
        ["first.txt", { text: "text 0", executable: false }],
        ["second.txt", { text: "text 1", executable: false }],
        ["folder/a.txt", { text: "text 2", executable: false }],
        ["folder/deep/b.txt", { text: "text 3", executable: true }],
      ]),
    };
  });
}

const value = fc.nat(4);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ does: fc.constant("setText" as const), stage: number, value }) },
  fc.record({ does: fc.constant("setNote" as const), stage: number, value }),
  fc.record({ does: fc.constant("toggleFailure" as const), stage: number, value }),
  { weight: 2, arbitrary: fc.record({ does: fc.constant("rewire" as const), stage: number, value: number }) },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant("editCode" as const),
      type: fc.constantFrom(...PUPPETS),
      part: fc.constantFrom("salt" as const, "comment" as const),
      value,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constantFrom("editInput" as const, "editInput" as const, "deleteInput" as const, "chmodInput" as const),
      file: value,
      value,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      does: fc.constant("spoilOutput" as const),
      how: fc.constantFrom(...SPOILED_OUTPUTS),
      pick: number,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      does: fc.constant("spoilStore" as const),
      how: fc.constantFrom(...SPOILED_STORE),
      pick: number,
    }),
  },
  fc.record({ does: fc.constant("moveClock" as const), hours: fc.integer({ min: -48, max: 48 }) }),
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant("collectGarbage" as const), keepLast: fc.integer({ min: 0, max: 2 }) }),
  },
);

const disturbance: fc.Arbitrary<Disturbance> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ by: fc.constant("kill" as const), when: share, torn: share }) },
  fc.record({ by: fc.constant("powerLoss" as const), when: share, torn: share }),
  fc.record({ by: fc.constant("interrupt" as const), when: share }),
  {
    weight: 2,
    arbitrary: fc.record({ by: fc.constant("twin" as const), kill: fc.boolean(), when: share, torn: share }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      by: fc.constant("inputEdit" as const),
      when: share,
      file: value,
      value,
      restore: fc.constantFrom(true, true, false),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      by: fc.constant("storeDamage" as const),
      when: share,
      how: fc.constantFrom(...SPOILED_OBJECTS, ...SPOILED_STORE.filter((how) => how !== "rotObject")),
      pick: number,
    }),
  },
  fc.record({
    by: fc.constant("rot" as const),
    when: share,
    how: fc.constantFrom(...SPOILED_OBJECTS),
    pick: number,
  }),
);

const step: fc.Arbitrary<Step> = fc.record({
  edits: fc.array(edit, { maxLength: 4 }),
  between: fc.array(edit, { maxLength: 1 }),
  run: fc
    .record({
      seed: fc.nat(),
      // The least: within the tick of the disk's clock in which a program ended.
      pauseMs: fc.constantFrom(0, 5, 100, 5_000),
      jobs: fc.integer({ min: 1, max: 5 }),
      readLate: fc.constantFrom(true, true, false),
      disturbance: fc.option(disturbance, { nil: undefined }),
    })
    .map(({ disturbance: drawn, ...run }) => (drawn === undefined ? run : { ...run, disturbance: drawn })),
});

async function live(project: ModelProject, steps: readonly Step[]): Promise<void> {
  const history = new ProjectHistory(project);
  for (const one of steps) await history.step(one);
  expect(history.visible()).toEqual(await history.cleanRebuild());
}

const more = Number(process.env.TFPIPE_PROPERTY_RUNS ?? "1");
/** It takes seconds; a failure is made smaller for as long as there is time. */
const longestMs = more * 240_000;

test.each([
  { least: 2, most: 4, histories: 150 },
  { least: 5, most: 20, histories: 80 },
  { least: 20, most: 60, histories: 16 },
  { least: 120, most: 200, histories: 4 },
])(
  "$histories histories of $least to $most stages",
  async ({ least, most, histories }) => {
    await fc.assert(fc.asyncProperty(projectOf(least, most), fc.array(step, { minLength: 1, maxLength: 5 }), live), {
      numRuns: histories * more,
      // Beyond the usual number other seeds are tried.
      ...(more === 1 ? { seed: 2026 } : {}),
      interruptAfterTimeLimit: longestMs,
      markInterruptAsFailure: true,
    });
  },
  longestMs + 60_000,
);
