/**
 * Divides a dataset into named parts. Each output lists the rows it takes and references the dataset they are rows of,
 * so nothing is copied.
 */
import {
  asStageFailure,
  type CheckContext,
  defineStage,
  type OutputPort,
  StageFailure,
  type StageProblem,
} from "../src/contract.ts";
import { splitCounts } from "../src/ml/data/split-indices.ts";
import type { SplitParams } from "./generated/split-params.ts";

export const split = defineStage<SplitParams>({
  type: "split",
  description: "Divides a dataset into parts, such as train and valid.",
  inputs: { data: { kind: "dataset", description: "The dataset to divide." } },
  outputs: ({ fractions }) =>
    Object.fromEntries(
      Object.keys(fractions).map((name): [string, OutputPort] => [
        name,
        { kind: "dataset", visible: ["card.json"], description: `The part called ${name}.` },
      ]),
    ),
  check: checkSplit,
  describe({ params, inputs }) {
    const { count, ...facts } = inputs.data ?? {};
    const counts = typeof count === "number" ? splitCounts(params.fractions, count) : new Map<string, number>();
    return Object.fromEntries(
      Object.keys(params.fractions).map((name) => [name, { ...facts, ...withCount(counts.get(name)) }]),
    );
  },
  async run(ctx) {
    const { openDataset } = await import("../src/ml/data/dataset.ts");
    const { splitIndices } = await import("../src/ml/data/split-indices.ts");
    const { writeView } = await import("../src/ml/data/dataset-writer.ts");
    const { fractions, shuffle, seed } = ctx.params;
    const data = ctx.inputs.data!;
    let dataset: ReturnType<typeof openDataset> | undefined;
    try {
      dataset = openDataset(data);
      const order =
        shuffle === "stratified"
          ? { shuffle, rng: ctx.rng("stratified"), labels: dataset.labels }
          : shuffle === "numpy"
            ? { shuffle, seed }
            : { shuffle };
      for (const [name, indices] of splitIndices(fractions, dataset.length, order)) {
        if (indices.length === 0) throw new StageFailure(emptyMessage(name, dataset.length), emptyHelp);
        const output = ctx.outputs[name]!;
        output.reference("base", data);
        writeView(output.folder, dataset, indices);
        ctx.log(`${name}: ${indices.length} of ${dataset.length} images`);
      }
    } catch (error) {
      throw asStageFailure(error, ["DataError"]);
    } finally {
      dataset?.close();
    }
  },
});

function checkSplit({ params, inputs }: CheckContext<SplitParams>): readonly StageProblem[] {
  const problems: StageProblem[] = [];
  const { fractions, shuffle, seed } = params;
  const sum = Object.values(fractions).reduce((total, fraction) => total + fraction, 0);
  // Sums such as 0.7 + 0.2 + 0.1 miss 1 by a few units of 2^-53.
  if (Math.abs(sum - 1) > 1e-9)
    problems.push({
      path: ["with", "fractions"],
      message: `the fractions add up to ${Number(sum.toPrecision(12))}, not to 1`,
      help: "every image goes to exactly one part: change `train` to what the others leave",
    });
  const count = inputs.data?.count;
  if (problems.length === 0 && typeof count === "number")
    for (const [name, size] of splitCounts(fractions, count))
      if (size === 0)
        problems.push({ path: ["with", "fractions", name], message: emptyMessage(name, count), help: emptyHelp });
  if (shuffle === "numpy" && seed > 0xffffffff)
    problems.push({
      path: ["with", "seed"],
      message: `NumPy takes seeds up to ${0xffffffff}, not ${seed}`,
      help: "choose a smaller seed, or `shuffle: stratified`",
    });
  return problems;
}

const emptyMessage = (name: string, count: number) =>
  `the part ${JSON.stringify(name)} of ${count} images would be empty`;
const emptyHelp = "a part takes the whole number of images below its fraction: choose a larger one";

function withCount(count: number | undefined) {
  return count === undefined ? {} : { count };
}
