/**
 * Straight through, in two parts, and killed at random steps: the same bits, of every optimiser, schedule, augmentation,
 * number of loader threads and other setting there is. Here each is in one training of three epochs; each two of them
 * together, over fifteen epochs, are in `same-bits.long.ts`.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import normalizeSchema from "../../../schemas/normalize.schema.json" with { type: "json" };
import trainSchema from "../../../schemas/train.schema.json" with { type: "json" };
import { isJsonObject, type JsonObject } from "../../../src/json.ts";
import { BIT_ENGINES } from "./bit-engines.ts";
import { openTrainingBench, type TrainingBench } from "./same-bits.ts";
import { AUGMENTATIONS, neverSet, OPTIMIZERS, OTHERS, SCHEDULES, shippedTrainings } from "./shipped-trainings.ts";

const schema = trainSchema as unknown as JsonObject;
const asJson = (values: readonly (readonly [string, unknown])[]) => values.map(([, value]) => value as JsonObject);

describe("the trainings that are compared have everything that the schemas have", () => {
  test.each([
    ["optimizer", asJson(OPTIMIZERS)],
    ["schedule", asJson(SCHEDULES)],
  ] as const)("every %s, each of its settings moved, each of its choices taken", (kind, rows) => {
    for (const { $ref } of trainSchema.properties[kind].oneOf) {
      const name = $ref.split("/").at(-1) as keyof typeof trainSchema.definitions;
      const { properties } = trainSchema.definitions[name] as unknown as { readonly properties: JsonObject };
      const own = rows.filter(({ type }) => type === name);
      expect(neverSet(schema, properties, own, { path: name, whole: ["warmup"] })).toEqual([]);
    }
  });

  test("every way of a warm-up", () => {
    const warmups = asJson(SCHEDULES).flatMap(({ warmup }) => (isJsonObject(warmup) ? [warmup] : []));
    const { properties } = trainSchema.definitions.warmup;
    expect(neverSet(schema, properties as JsonObject, warmups, { path: "warmup" })).toEqual([]);
  });

  test("every other setting that makes bits", () => {
    const others = Object.entries(trainSchema.properties as unknown as Readonly<Record<string, JsonObject>>).filter(
      ([name, property]) =>
        property["x-role"] !== "execution" && !["epochs", "batchSize", "seed", "optimizer", "schedule"].includes(name),
    );
    const missing = neverSet(schema, Object.fromEntries(others), asJson(OTHERS), {
      path: "train",
      whole: ["earlyStop"],
    });
    expect(missing).toEqual([]);
  });

  test("every transform", () => {
    const used = new Set(AUGMENTATIONS.flatMap(([, list]) => list.flatMap((transform) => Object.keys(transform))));
    expect([...used].sort()).toEqual(Object.keys(normalizeSchema.definitions.transform.properties).sort());
  });

  test("and what has no training is named", () => {
    const sgd = trainSchema.definitions.sgd.properties as unknown as JsonObject;
    const missing = neverSet(schema, sgd, [{ type: "sgd", learningRate: 1, momentum: 0, weightDecayOn: "all" }], {
      path: "sgd",
    });
    expect(missing).toEqual([
      "sgd.momentum is never set",
      "sgd.dampening is never set",
      "sgd.nesterov is never false",
      "sgd.nesterov is never true",
      "sgd.weightDecay is never set",
      "sgd.weightDecayOn is never weights",
    ]);
  });
});

const SEED = 1;
const trainings = shippedTrainings(1, SEED);
let bench: TrainingBench;
beforeAll(async () => {
  bench = await openTrainingBench();
});
afterAll(() => bench.remove());

/** Where all are trained on native, every other one does on wasm: the long test has all on both. */
const onBoth = BIT_ENGINES.every(({ openEngine }) => openEngine !== undefined);

describe.each(BIT_ENGINES.map((engine) => [engine.title, engine] as const))("on %s", (_, { name, openEngine }) => {
  const own = trainings.filter((_, at) => name === "native" || !onBoth || at % 2 === 0);
  const models = new Map<string, string>();
  let withinEpochs = 0;

  test.skipIf(openEngine === undefined).each(own.map((training) => [training.name, training] as const))(
    "%s",
    async (_, training) => {
      const charts = training === trainings[0];
      const proof = { openEngine: openEngine!, epochs: 3, first: 2, seed: SEED, charts };
      const proved = await bench.prove(training, proof);
      models.set(proved.outcome["model weights"]!, training.name);
      withinEpochs += proved.withinEpochs;
    },
  );

  test.skipIf(openEngine === undefined)("no two of them are the same, and they were killed within epochs", () => {
    // What is compared above would also be equal if a setting were ignored, or no state within an epoch were used.
    expect(models.size).toBe(own.length);
    expect(withinEpochs).toBeGreaterThan(own.length / 2);
  });
});
