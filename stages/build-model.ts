/**
 * build-model: an architecture and its starting weights, drawn from the seed or loaded from a file, with the layer table
 * printed. Computes on no engine, so the model is the same bits everywhere.
 */
import {
  asStageFailure,
  type CheckContext,
  defineStage,
  type Facts,
  StageFailure,
  type StageProblem,
} from "../src/contract.ts";
import {
  type ArchitectureSpec,
  architectureName,
  architectureProblems,
  smallestImage,
} from "../src/ml/models/architecture.ts";
import type { BuildModelParams } from "./generated/build-model-params.ts";

export const buildModel = defineStage<BuildModelParams>({
  type: "build-model",
  description: "Builds a ResNet, ResNeXt, Wide ResNet or VGG with torchvision's names and prints its layers.",
  inputs: {
    weights: {
      kind: "any",
      optional: true,
      description:
        "Weights to start from: another stage's model, or the path of a .safetensors file with torchvision's names.",
    },
    images: {
      kind: "dataset",
      optional: true,
      description: "The images that `whitenPatches` takes patches of: those to train on, normalized.",
    },
  },
  outputs: {
    model: {
      kind: "model",
      primary: true,
      description: "The architecture and its weights: model.safetensors and architecture.json.",
    },
    // Not in the model: another `imageSize` must not train it again.
    layers: { kind: "layers", description: "The layer table, for people: shapes, parameters and MACs of each layer." },
  },

  check({ params, inputs }) {
    const problems: StageProblem[] = architectureProblems(specOf(params)).map(({ path, ...rest }) => ({
      path: ["with", ...path],
      ...rest,
    }));
    const smallest = smallestImage(params);
    if (params.imageSize < smallest)
      problems.push({
        path: ["with", "imageSize"],
        message: `${params.architecture} leaves nothing of images below ${smallest} x ${smallest} pixels, and imageSize is ${params.imageSize}`,
        help: `use ${smallest} pixels or more`,
      });
    if (params.newHead && inputs.weights === undefined)
      problems.push({
        path: ["with", "newHead"],
        message: "`newHead` is about loaded weights, and none are connected",
        help: "connect `inputs: { weights: ./weights.safetensors }`, or remove `newHead`",
      });
    problems.push(...whiteningProblems(params, inputs));
    return problems.length > 0 ? problems : weightsProblems(params, inputs.weights);
  },

  describe: ({ params }) => ({
    model: {
      classes: params.numClasses,
      architecture: architectureName(specOf(params)),
      channels: params.imageChannels,
      spec: { ...specOf(params) },
    },
    layers: {},
  }),

  async run({ params, inputs, outputs, log }) {
    const { writeFileSync } = await import("node:fs");
    const { join } = await import("node:path");
    const { describeModel } = await import("../src/ml/models/describe-model.ts");
    const { initialState } = await import("../src/ml/nn/initial-state.ts");
    const { renderLayerTable } = await import("../src/ml/nn/layer-table.ts");
    const { readStateFile, WEIGHTS_FILE, writeModelFiles } = await import("../src/ml/checkpoint/model-files.ts");
    const { pretrainedState } = await import("../src/ml/models/pretrained-state.ts");
    const { openSafetensors, SafetensorsError } = await import("../src/ml/checkpoint/safetensors.ts");

    const spec = specOf(params);
    const description = describeModel(spec);
    const layers = renderLayerTable(description, params.imageSize, params.imageSize);
    for (const line of layers.trimEnd().split("\n")) log(line);

    const loadState = (weights: NonNullable<typeof inputs.weights>) => {
      const file = weights.files.find(({ path }) => path === WEIGHTS_FILE || path === "")?.path;
      if (file === undefined)
        throw new StageFailure(
          `the weights hold no ${WEIGHTS_FILE}`,
          "connect a model, a folder with that file, or the path of a .safetensors file",
        );
      try {
        const state = readStateFile(openSafetensors(weights.path(file)));
        const loaded = pretrainedState({ description, state, newHead: params.newHead, seed: params.seed });
        for (const { name, shape, found } of loaded.drawn)
          log(
            `${name} [${shape.join(", ")}] is drawn anew${found === undefined ? "" : `: the weights' own, [${found.join(", ")}], is left out`}`,
          );
        return loaded.state;
      } catch (error) {
        if (error instanceof SafetensorsError)
          throw new StageFailure(
            error.message,
            "convert PyTorch checkpoints with safetensors.torch.save_file(state_dict)",
          );
        throw asStageFailure(error, ["PretrainedStateError"]);
      }
    };
    const whiten = async (state: ReturnType<typeof initialState>, images: NonNullable<typeof inputs.images>) => {
      const { openDataset } = await import("../src/ml/data/dataset.ts");
      const { firstConvolution, whitenPatches } = await import("../src/ml/models/patch-whitening.ts");
      const dataset = openDataset(images);
      try {
        if (dataset.channels !== description.imageChannels)
          throw new StageFailure(
            `the images have ${dataset.channels} channels, and the model takes ${description.imageChannels}`,
            `set \`imageChannels: ${dataset.channels}\``,
          );
        return whitenPatches(state, firstConvolution(description.layers)!, dataset);
      } finally {
        dataset.close();
      }
    };
    const drawn = inputs.weights === undefined ? initialState(description, params.seed) : loadState(inputs.weights);
    const state = inputs.images === undefined ? drawn : await whiten(drawn, inputs.images);
    writeModelFiles(outputs.model!.folder, { spec, state });
    writeFileSync(join(outputs.layers!.folder, "layers.txt"), layers);
  },
});

/** What is kept as `architecture.json`: everything but how the weights came about and how the table was drawn. */
function specOf({
  seed: _,
  newHead: __,
  imageSize: ___,
  whitenPatches: ____,
  ...spec
}: BuildModelParams): ArchitectureSpec {
  return spec;
}

function whiteningProblems(
  { whitenPatches = false }: BuildModelParams,
  { images, weights }: CheckContext<BuildModelParams>["inputs"],
): StageProblem[] {
  if (whitenPatches && images === undefined)
    return [
      {
        path: ["with", "whitenPatches"],
        message: "`whitenPatches` takes patches of images, and none are connected",
        help: "connect `inputs: { images: normalize.train }`, or remove `whitenPatches`",
      },
    ];
  if (!whitenPatches && images !== undefined)
    return [
      {
        path: ["inputs", "images"],
        message: "the images are there for `whitenPatches`, which is not set",
        help: "set `whitenPatches: true`, or remove the input",
      },
    ];
  if (images !== undefined && weights !== undefined)
    return [
      {
        path: ["with", "whitenPatches"],
        message: "`whitenPatches` would replace the first filters of the weights that are connected",
        help: "remove one of the inputs `images` and `weights`",
      },
    ];
  return [];
}

function weightsProblems(params: CheckContext<BuildModelParams>["params"], weights: Facts | undefined): StageProblem[] {
  if (weights === undefined) return [];
  const problems: StageProblem[] = [];
  const differ = (fact: keyof Facts, own: string | number, setting: string, help: string) => {
    const given = weights[fact];
    if (given !== undefined && given !== own)
      problems.push({
        path: ["inputs", "weights"],
        message: `the weights have ${setting} ${given}, and ${own} is set`,
        help,
      });
  };
  differ(
    "architecture",
    architectureName(specOf(params)),
    "architecture",
    "set the same `architecture` in both stages",
  );
  differ("channels", params.imageChannels, "imageChannels", `set \`imageChannels: ${weights.channels}\``);
  if (!params.newHead)
    differ(
      "classes",
      params.numClasses,
      "numClasses",
      `set \`numClasses: ${weights.classes}\`, or \`newHead: true\` to draw the last layer anew`,
    );
  return problems;
}
