/** `plot`: charts of a training and its evaluation. Ports and checks here; drawing is `src/ml/charts/`, loaded by `run`. */
import type { CheckContext, StageProblem } from "../src/contract.ts";
import { asStageFailure, defineStage } from "../src/contract.ts";
import type { PlotParams } from "./generated/plot-params.ts";

type ChartName = PlotParams["charts"][number];

/** Which inputs a chart needs: one of each group. */
const NEEDED_INPUTS: Readonly<Record<ChartName, readonly (readonly string[])[]>> = {
  loss: [["history"]],
  accuracy: [["history"]],
  confusionMatrix: [["confusion", "predictions"]],
  examples: [["examples"], ["predictions"]],
};

export const plot = defineStage<PlotParams>({
  type: "plot",
  description: "Draws the loss, the accuracy, the confusion matrix and example predictions as charts.",
  inputs: {
    history: { kind: "history", optional: true, description: "The history of a training, for loss and accuracy." },
    predictions: {
      kind: "predictions",
      optional: true,
      description: "Predictions on a dataset, for the confusion matrix and the examples.",
    },
    confusion: {
      kind: "confusion",
      optional: true,
      description: "A counted confusion matrix; without it, it is counted from the predictions.",
    },
    examples: { kind: "dataset", optional: true, description: "The dataset that was predicted, for its images." },
  },
  outputs: {
    charts: { kind: "charts", primary: true, description: "Each chart as specification, data and rendered files." },
  },
  assets: {
    font: "../assets/fonts/Inter-Regular.ttf",
    semiBoldFont: "../assets/fonts/Inter-SemiBold.ttf",
  },

  check: (context) => [...missingInputs(context), ...wrongNameCounts(context), ...wrongRange(context)],

  describe: ({ params }) => ({ charts: { charts: [...params.charts] } }),

  async run(ctx) {
    const { plotCharts } = await import("../src/ml/charts/plot-charts.ts");
    const fonts = { regular: ctx.asset("font"), semiBold: ctx.asset("semiBoldFont") };
    try {
      await plotCharts(ctx.params, ctx.inputs, fonts, ctx.outputs.charts!.folder, {
        drawn: (chart, done) =>
          ctx.progress({ phase: `drew ${chart}`, done, total: ctx.params.charts.length, unit: "charts" }),
        warn: (line) => ctx.warn(line),
      });
    } catch (error) {
      throw asStageFailure(error, ["DataError"]);
    }
  },
});

function missingInputs({ params, inputs }: CheckContext<PlotParams>): readonly StageProblem[] {
  return params.charts.flatMap((chart, i) =>
    NEEDED_INPUTS[chart]
      .filter((group) => !group.some((input) => input in inputs))
      .map((group) => ({
        path: ["with", "charts", i],
        message: `the chart ${chart} needs the input ${group.join(" or ")}, which is not connected`,
        help: `connect \`${group[0]}\` under inputs, or leave ${chart} out of charts`,
      })),
  );
}

function wrongNameCounts({ params, inputs }: CheckContext<PlotParams>): readonly StageProblem[] {
  const { classNames } = params;
  if (classNames === undefined) return [];
  for (const input of ["predictions", "confusion", "examples"]) {
    const classes = inputs[input]?.classes ?? (inputs[input]?.classNames as readonly string[] | undefined)?.length;
    if (typeof classes === "number" && classes !== classNames.length)
      return [
        {
          path: ["with", "classNames"],
          message: `${classNames.length} class names are given, but ${input} has ${classes} classes`,
          help: "give one name for each class, in the order of the class indices",
        },
      ];
  }
  return [];
}

function wrongRange({ params }: CheckContext<PlotParams>): readonly StageProblem[] {
  const range = params.accuracy.yRange;
  if (range === undefined || range[0] < range[1]) return [];
  return [
    {
      path: ["with", "accuracy", "yRange"],
      message: `the range ends at ${range[1]}, which is not above its start ${range[0]}`,
      help: "give the lower end first: [0.5, 1]",
    },
  ];
}
