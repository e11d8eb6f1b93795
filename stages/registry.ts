/**
 * Every stage type there is: its definition and the schema of its params. Adding one is a line here, a file beside this
 * one and a schema; and the engines whose code enters the keys of stages that compute.
 */
import buildModelSchema from "../schemas/build-model.schema.json" with { type: "json" };
import evaluateSchema from "../schemas/evaluate.schema.json" with { type: "json" };
import fetchSchema from "../schemas/fetch.schema.json" with { type: "json" };
import normalizeSchema from "../schemas/normalize.schema.json" with { type: "json" };
import plotSchema from "../schemas/plot.schema.json" with { type: "json" };
import splitSchema from "../schemas/split.schema.json" with { type: "json" };
import trainSchema from "../schemas/train.schema.json" with { type: "json" };
import type { StageCatalogue, StageType } from "../src/language/pipeline.ts";
import { buildModel } from "./build-model.ts";
import { evaluate } from "./evaluate.ts";
import { fetch } from "./fetch.ts";
import { normalize } from "./normalize.ts";
import { plot } from "./plot.ts";
import { split } from "./split.ts";
import { train } from "./train.ts";
import { trainOutlook } from "./train-outlook.ts";

const stageTypes: readonly { readonly definition: unknown; readonly schema: unknown }[] = [
  { definition: fetch, schema: fetchSchema },
  { definition: split, schema: splitSchema },
  { definition: normalize, schema: normalizeSchema },
  { definition: buildModel, schema: buildModelSchema },
  { definition: { ...train, ...trainOutlook }, schema: trainSchema },
  { definition: evaluate, schema: evaluateSchema },
  { definition: plot, schema: plotSchema },
];

export const registry: StageCatalogue = new Map(
  // Params types are known to each stage only; from here on params are JSON that its schema has checked.
  (stageTypes as readonly StageType[]).map((stageType) => [stageType.definition.type, stageType]),
);

/** Source of each engine, relative to the package. */
export const engineSources = {
  native: "src/ml/engine/native/native-engine.ts",
  webgpu: "src/ml/engine/webgpu/webgpu-engine.ts",
  wasm: "src/ml/engine/wasm/wasm-engine.ts",
  cpu: "src/ml/engine/cpu/cpu-engine.ts",
} as const;
