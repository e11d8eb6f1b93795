/** A small catalogue with the shapes that real stage types have: variants, nested defaults, computed outputs, checks. */
import { defineStage, type StageDefinition } from "../../src/contract.ts";
import type { JsonObject } from "../../src/json.ts";
import type { StageCatalogue, StageType } from "../../src/language/pipeline.ts";

const never = async () => {
  throw new Error("fixture stages do not run");
};

const dataset = { kind: "dataset", description: "The images to work on." } as const;

const fetch = defineStage({
  type: "fetch",
  description: "Brings a dataset in.",
  inputs: { source: { kind: "path", optional: true, description: "A local archive or folder." } },
  outputs: {
    train: { kind: "dataset", description: "Training images." },
    test: { kind: "dataset", description: "Test images." },
  },
  describe: () => ({ train: { classes: 10 }, test: { classes: 10 } }),
  run: never,
});

const split = defineStage<JsonObject>({
  type: "split",
  description: "Splits a dataset.",
  inputs: { data: dataset },
  outputs: (params) =>
    Object.fromEntries(
      Object.keys(params.fractions as JsonObject).map((name) => [name, { kind: "dataset", description: "A part." }]),
    ),
  check: ({ params }) => {
    const sum = Object.values(params.fractions as Record<string, number>).reduce((a, b) => a + b, 0);
    return Math.abs(sum - 1) < 1e-9
      ? []
      : [
          {
            path: ["with", "fractions"],
            message: `the fractions add up to ${sum}, not 1`,
            help: "make them add up to 1",
          },
        ];
  },
  describe: ({ params, inputs }) =>
    Object.fromEntries(Object.keys(params.fractions as JsonObject).map((name) => [name, inputs.data ?? {}])),
  run: never,
});

const normalize = defineStage({
  type: "normalize",
  description: "Declares how images are prepared.",
  inputs: { "*": { kind: "dataset", description: "A dataset to prepare." } },
  outputs: (_, connected) =>
    Object.fromEntries([
      ...connected.map((name) => [name, { kind: "dataset", description: "Prepared." }]),
      ["stats", { kind: "statistics", description: "Measured mean and deviation." }],
    ]),
  describe: ({ inputs }) => ({ ...inputs }),
  run: never,
});

const buildModel = defineStage<JsonObject>({
  type: "build-model",
  description: "Builds a model.",
  inputs: { weights: { kind: ["model", "path"], optional: true, description: "Weights to start from." } },
  outputs: { model: { kind: "model", description: "The model." } },
  describe: ({ params }) => ({ model: { classes: params.numClasses } }),
  run: never,
});

const train = defineStage<JsonObject>({
  type: "train",
  description: "Trains a model.",
  computes: true,
  inputs: {
    model: { kind: "model", description: "The model to train." },
    train: dataset,
    valid: { ...dataset, optional: true },
  },
  outputs: {
    model: { kind: "model", primary: true, description: "The trained model." },
    history: { kind: "history", description: "Losses and accuracies." },
  },
  check: ({ inputs }) =>
    inputs.model?.classes === undefined ||
    inputs.train?.classes === undefined ||
    inputs.model.classes === inputs.train.classes
      ? []
      : [
          {
            path: ["inputs", "train"],
            message: `the model has ${inputs.model.classes} classes, the data ${inputs.train.classes}`,
          },
        ],
  describe: ({ inputs }) => ({ model: inputs.model ?? {}, history: {} }),
  run: never,
});

const plot = defineStage({
  type: "plot",
  description: "Draws charts.",
  inputs: {
    history: { kind: "history", optional: true, description: "A history." },
    anything: { kind: "any", optional: true, description: "Whatever there is." },
    runs: { kind: "history", optional: true, many: true, description: "Histories to compare." },
  },
  outputs: { charts: { kind: "charts", description: "The charts." } },
  run: never,
});

const seed = { type: "integer", minimum: 0, description: "The seed of everything drawn here." };

const object = (properties: JsonObject, required: readonly string[] = []): JsonObject => ({
  type: "object",
  additionalProperties: false,
  ...(required.length > 0 ? { required } : {}),
  properties,
});

const schemas: Readonly<Record<string, JsonObject>> = {
  fetch: object(
    { dataset: { type: "string", enum: ["cifar10", "cifar100", "images"], description: "Which dataset." } },
    ["dataset"],
  ),
  split: object(
    {
      fractions: {
        type: "object",
        minProperties: 1,
        additionalProperties: { type: "number", exclusiveMinimum: 0, maximum: 1 },
        description: "The share of each part.",
      },
      shuffle: { type: "string", enum: ["numpy", "stratified", "none"], default: "numpy" },
      seed,
    },
    ["fractions", "seed"],
  ),
  normalize: object(
    {
      train: { type: "array", items: { $ref: "#/definitions/transform" }, default: [] },
      mean: { type: "array", items: { type: "number" }, minItems: 1, maxItems: 4 },
      seed,
    },
    ["seed"],
  ),
  "build-model": object(
    {
      architecture: { type: "string", enum: ["resnet18", "resnet34", "vgg16"] },
      numClasses: { type: "integer", minimum: 2 },
      seed,
    },
    ["architecture", "numClasses", "seed"],
  ),
  train: object(
    {
      epochs: {
        type: "integer",
        minimum: 1,
        description: "How many times the training images are seen.",
        "x-role": "horizon",
      },
      batchSize: { type: "integer", minimum: 1, default: 32 },
      optimizer: {
        default: { type: "sgd" },
        description: "How weights follow gradients.",
        oneOf: [{ $ref: "#/definitions/sgd" }, { $ref: "#/definitions/adam" }],
      },
      dropLast: { type: "boolean", default: true },
      stop: object({ patience: { type: "integer", minimum: 1, default: 5 } }),
      seed,
    },
    ["epochs", "seed"],
  ),
  plot: object({
    title: { type: ["string", "null"], default: null },
    charts: { type: "array", items: { type: "string" }, uniqueItems: true, default: [] },
  }),
};

const definitions: JsonObject = {
  sgd: object(
    {
      type: { const: "sgd" },
      learningRate: { type: "number", exclusiveMinimum: 0, default: 0.1 },
      momentum: { type: "number", default: 0 },
    },
    ["type"],
  ),
  adam: object(
    {
      type: { const: "adam" },
      learningRate: { type: "number", exclusiveMinimum: 0, default: 0.001 },
      betas: { type: "array", items: { type: "number" }, minItems: 2, maxItems: 2, default: [0.9, 0.999] },
    },
    ["type"],
  ),
  transform: {
    oneOf: [
      object({ resize: { type: "integer", minimum: 1 } }, ["resize"]),
      object(
        {
          randomCrop: {
            oneOf: [
              { type: "integer", minimum: 1 },
              object({ size: { type: "integer", minimum: 1 }, padding: { type: "integer", minimum: 0, default: 4 } }, [
                "size",
              ]),
            ],
          },
        },
        ["randomCrop"],
      ),
      { type: "string", enum: ["randomHorizontalFlip"] },
    ],
  },
};

const definitionsOfStages: readonly StageDefinition[] = [
  fetch,
  split,
  normalize,
  buildModel,
  train,
  plot,
] as readonly StageDefinition[];

/** A stage of the user's own, as the catalogue has it once it is loaded. */
export const CLEAN_MODULE = "/project/pipelines/stages/clean.ts";
const clean = defineStage({
  type: "clean",
  description: "A user's own.",
  inputs: { data: { kind: "any", description: "What to clean." } },
  outputs: { cleaned: { kind: "dataset", description: "The rest." } },
  run: never,
}) as StageDefinition;

const stageTypes: readonly (readonly [string, StageType])[] = [
  ...definitionsOfStages.map(
    (definition) => [definition.type, { definition, schema: { ...schemas[definition.type], definitions } }] as const,
  ),
  [
    CLEAN_MODULE,
    { definition: clean, schema: object({ rows: { type: "integer", default: 5 } }), module: CLEAN_MODULE },
  ],
];

export const fixtureCatalogue: StageCatalogue = new Map(stageTypes);
