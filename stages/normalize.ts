/**
 * Puts a transform, a mean and a standard deviation on datasets. No pixels are written: each output is the transform as
 * JSON and a reference to its dataset; whoever reads it transforms then. Measures the channels of every input.
 */
import {
  asStageFailure,
  type CheckContext,
  defineStage,
  type Facts,
  type OutputPort,
  StageFailure,
  type StageProblem,
} from "../src/contract.ts";
import { TransformError } from "../src/ml/transforms/compiled-transform.ts";
import { checkTransforms, fillInMean, transformedSize } from "../src/ml/transforms/transform-list.ts";
import type { NormalizeParams } from "./generated/normalize-params.ts";

export const normalize = defineStage<NormalizeParams>({
  type: "normalize",
  description: "Says how images are resized, cropped, augmented and scaled, and measures their channels.",
  inputs: { "*": { kind: "dataset", description: "A dataset; the output of the same name is it with its transform." } },
  outputs: (_params, connected) => ({
    ...Object.fromEntries(
      connected.map((name): [string, OutputPort] => [
        name,
        { kind: "dataset", visible: ["card.json"], description: `The dataset ${name} with its transform.` },
      ]),
    ),
    stats: { kind: "statistics", description: "Measured mean and standard deviation of each input's channels." },
  }),
  check: checkNormalize,
  describe({ params, inputs }) {
    const described: Record<string, Facts> = {};
    for (const [name, facts] of Object.entries(inputs)) {
      const { height, width, ...others } = facts;
      const transformed = findSize(transformsOf(params, name), facts);
      described[name] =
        transformed instanceof Error || transformed === undefined
          ? others
          : { ...others, height: transformed[0], width: transformed[1] };
    }
    return described;
  },
  async run(ctx) {
    const { openDataset } = await import("../src/ml/data/dataset.ts");
    const { declaredFarFromMeasured, measureChannels } = await import("../src/ml/data/channel-statistics.ts");
    const { writeJson, writeTransformed } = await import("../src/ml/data/dataset-writer.ts");
    const { params } = ctx;
    const names = Object.keys(ctx.inputs).sort();
    const pixelFiles = new Map();
    const datasets = new Map<string, ReturnType<typeof openDataset>>();
    try {
      for (const name of names) datasets.set(name, openDataset(ctx.inputs[name]!, pixelFiles));
      const total = [...datasets.values()].reduce((sum, { length }) => sum + length, 0);
      let before = 0;
      const measured = new Map<string, ReturnType<typeof measureChannels>>();
      for (const [name, dataset] of datasets) {
        const statistics = measureChannels(dataset, (done) => {
          if (done % 5000 !== 0 && done !== dataset.length) return;
          ctx.signal.throwIfAborted();
          ctx.progress({ phase: `measuring ${name}`, done: before + done, total, unit: "images" });
        });
        before += dataset.length;
        measured.set(name, statistics);
      }
      for (const [name, dataset] of datasets) {
        const { mean, std } = declaredOf(params, name);
        const resolve = (setting: "measured" | number[], key: "mean" | "std") => {
          if (setting !== "measured") return setting;
          const train = measured.get("train");
          if (train === undefined) throw new StageFailure("there is no input `train` to measure", measuredHelp);
          return train[key];
        };
        const scale = { mean: resolve(mean, "mean"), std: resolve(std, "std") };
        for (const [key, values] of Object.entries(scale))
          if (values.length !== dataset.channels)
            throw new StageFailure(channelsMessage(key, values.length, name, dataset.channels));
        if (scale.std.includes(0))
          throw new StageFailure(
            "a channel of the input `train` has the same value in every pixel: its deviation is 0",
            "give `std` by hand",
          );
        const own = measured.get(name)!;
        if ((mean !== "measured" || std !== "measured") && declaredFarFromMeasured(scale, own))
          ctx.warn(
            `${name}: declared mean ${show(scale.mean)} and std ${show(scale.std)} are far from the measured ` +
              `mean ${show(own.mean)} and std ${show(own.std)}`,
          );
        const transforms = fillInMean(transformsOf(params, name), scale.mean);
        const size = orTransformError(() =>
          transformedSize(transforms, [dataset.height, dataset.width], dataset.channels),
        );
        if (size instanceof Error) throw new StageFailure(`input ${name}: ${size.message}`, size.help);
        const output = ctx.outputs[name]!;
        output.reference("base", ctx.inputs[name]!);
        writeTransformed(output.folder, dataset, { transforms, ...scale, seed: params.seed }, size);
        ctx.log(
          `${name}: ${dataset.length} images of ${dataset.height} x ${dataset.width} x ${dataset.channels}, ` +
            `read as ${size[0]} x ${size[1]}; measured mean ${show(own.mean)}, std ${show(own.std)}`,
        );
      }
      writeJson(
        ctx.outputs.stats!.folder,
        "statistics.json",
        Object.fromEntries([...measured].map(([name, { mean, std, count }]) => [name, { mean, std, count }])),
      );
    } catch (error) {
      throw asStageFailure(error, ["DataError"]);
    } finally {
      for (const dataset of datasets.values()) dataset.close();
    }
  },
});

function checkNormalize({ params, inputs }: CheckContext<NormalizeParams>): readonly StageProblem[] {
  const problems: StageProblem[] = [];
  const names = Object.keys(inputs);
  if (names.length === 0)
    problems.push({
      path: ["inputs"],
      message: "there is no dataset to normalize",
      help: "inputs: { train: split.train }",
    });
  if (names.includes("stats"))
    problems.push({
      path: ["inputs", "stats"],
      message: "an input named `stats` would become an output of the name that the statistics have",
      help: "give the input another name",
    });
  for (const name of Object.keys(params.override))
    if (!names.includes(name))
      problems.push({ path: ["with", "override", name], message: `there is no input named ${JSON.stringify(name)}` });
  if (!names.includes("train"))
    for (const [path, setting] of scaleSettings(params))
      if (setting === "measured")
        problems.push({ path: ["with", ...path], message: "there is no input `train` to measure", help: measuredHelp });
  const marked = new Set<string>();
  for (const name of names) {
    const { channels } = inputs[name]!;
    if (typeof channels === "number")
      for (const [path, setting] of scaleSettings(params, name))
        if (setting !== "measured" && setting.length !== channels && !marked.has(path.join(".")))
          addOnce(path, channelsMessage(path.at(-1)!, setting.length, name, channels));
    const transformed = findSize(transformsOf(params, name), inputs[name]!);
    if (transformed instanceof TransformError) {
      const { index, path, message, help } = transformed;
      addOnce([name === "train" ? "train" : "eval", index, ...path], `input ${name}: ${message}`, help);
    }
  }
  return problems;

  /** The first of several inputs that a setting does not fit. */
  function addOnce(path: readonly (string | number)[], message: string, help?: string) {
    if (marked.has(path.join("."))) return;
    marked.add(path.join("."));
    problems.push({ path: ["with", ...path], message, ...(help === undefined ? {} : { help }) });
  }
}

type Scale = "measured" | number[];

/** Mean and std settings with their place in the params: those that count for input `name`, or all of them. */
function scaleSettings(params: NormalizeParams, name?: string): readonly (readonly [readonly string[], Scale])[] {
  const own = name === undefined ? undefined : params.override[name];
  const overrides =
    name === undefined ? Object.entries(params.override) : own === undefined ? [] : [[name, own] as const];
  const settings: (readonly [readonly string[], Scale])[] = [];
  for (const key of ["mean", "std"] as const) {
    if (own?.[key] === undefined) settings.push([[key], params[key]]);
    for (const [input, override] of overrides)
      if (override[key] !== undefined) settings.push([["override", input, key], override[key]]);
  }
  return settings;
}

function declaredOf(params: NormalizeParams, name: string) {
  return { mean: params.mean, std: params.std, ...params.override[name] };
}

function transformsOf(params: NormalizeParams, name: string) {
  return name === "train" ? params.train : params.eval;
}

function sizeOf({ height, width }: Facts): readonly [number, number] | undefined {
  return typeof height === "number" && typeof width === "number" ? [height, width] : undefined;
}

/** Undefined where the size is not known; what is wrong with any size is found all the same. */
function findSize(transforms: NormalizeParams["train"], facts: Facts) {
  const size = sizeOf(facts);
  const channels = typeof facts.channels === "number" ? facts.channels : undefined;
  return orTransformError(() => {
    if (size !== undefined) return transformedSize(transforms, size, channels);
    checkTransforms(transforms, channels);
    return undefined;
  });
}

function orTransformError<Found>(find: () => Found): Found | TransformError {
  try {
    return find();
  } catch (error) {
    if (error instanceof TransformError) return error;
    throw error;
  }
}

const measuredHelp = "connect an input named `train`, or give the numbers";

function channelsMessage(key: string, numbers: number, name: string, channels: number): string {
  return `${key} has ${numbers} ${numbers === 1 ? "number" : "numbers"}, but the images of ${name} have ${channels} ${channels === 1 ? "channel" : "channels"}`;
}

function show(values: readonly number[]): string {
  return `[${values.map((value) => Number(value.toFixed(4))).join(", ")}]`;
}
