/**
 * Fifteen epochs straight, ten and then five, and killed at random steps: the same bits, with every two of the optimisers,
 * schedules, augmentations, numbers of loader threads and other settings together. `TFPIPE_SEED` says which trainings and
 * kills are drawn; left out, they are drawn anew, and the seed is printed.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BIT_ENGINES } from "./bit-engines.ts";
import { openTrainingBench, type TrainingBench } from "./same-bits.ts";
import { shippedTrainings } from "./shipped-trainings.ts";

const seed = Number(process.env.TFPIPE_SEED ?? Math.floor(Math.random() * 1e6));
const trainings = shippedTrainings(2, seed);
let bench: TrainingBench;
beforeAll(async () => {
  console.log(`${trainings.length} trainings on each engine, TFPIPE_SEED=${seed}`);
  bench = await openTrainingBench();
});
afterAll(() => bench.remove());

describe.each(BIT_ENGINES.map((engine) => [engine.title, engine] as const))("on %s", (_, { openEngine }) => {
  let [kills, withinEpochs] = [0, 0];

  test.skipIf(openEngine === undefined).each(trainings.map((training) => [training.name, training] as const))(
    `seed ${seed}: %s`,
    async (_, training) => {
      const charts = trainings.indexOf(training) % 8 === 0;
      const proved = await bench.prove(training, { openEngine: openEngine!, epochs: 15, first: 10, seed, charts });
      kills += proved.kills;
      withinEpochs += proved.withinEpochs;
    },
  );

  test.skipIf(openEngine === undefined)("most of the kills were within an epoch that had been saved", () => {
    console.log(`${kills} kills, ${withinEpochs} of them went on from within an epoch`);
    expect(withinEpochs).toBeGreaterThan(kills / 3);
  });
});
