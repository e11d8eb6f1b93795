/** README.md of an export: how the other side loads it, in lines that can be copied. */
import type { ArchitectureSpec } from "../models/architecture.ts";
import { GRAPH_INPUT } from "./graph-model.ts";
import { PREPROCESSING_FILE, type Preprocessing } from "./preprocessing.ts";
import { torchConstructor } from "./torch-constructor.ts";

/** `architecture` is the model's name for people. */
export function safetensorsReadme(architecture: string, spec: ArchitectureSpec, preprocessing: Preprocessing): string {
  const construction = torchConstructor(spec) ?? [
    `model = ...  # ${architecture}: see architecture in ${PREPROCESSING_FILE}`,
  ];
  return text([
    `# ${architecture}, for PyTorch`,
    "",
    `\`model.safetensors\` is a state dict: ${spec.architecture === "resnet9" ? "the names of the modules below (torchvision has no ResNet-9)" : "torchvision's names"}, PyTorch's layouts, float32.`,
    "",
    "```python",
    "import torch, torchvision",
    "from safetensors.torch import load_file",
    "",
    ...construction,
    'model.load_state_dict(load_file("model.safetensors"))',
    "model.eval()",
    "```",
    "",
    ...images(preprocessing),
    "",
    "Images go in as float32 [n, channels, height, width].",
  ]);
}

export function tfjsReadme(architecture: string, preprocessing: Preprocessing): string {
  const { imageSize, mean, std } = preprocessing;
  return text([
    `# ${architecture}, for TensorFlow.js`,
    "",
    "`model.json` is a GraphModel. Stock TensorFlow.js loads it, in browsers and in Node.",
    "",
    "```js",
    'import * as tf from "@tensorflow/tfjs";',
    "",
    'const model = await tf.loadGraphModel("model.json");',
    "const probabilities = tf.tidy(() => {",
    ...(imageSize === undefined
      ? ["  const pixels = tf.browser.fromPixels(image).div(255);"]
      : [
          `  const pixels = tf.image.resizeBilinear(tf.browser.fromPixels(image), [${imageSize.join(", ")}]).div(255);`,
        ]),
    ...(mean === undefined || std === undefined
      ? [`  const ${GRAPH_INPUT} = pixels; // normalise as the model's training did`]
      : [`  const ${GRAPH_INPUT} = pixels.sub([${mean.join(", ")}]).div([${std.join(", ")}]);`]),
    `  return model.predict(${GRAPH_INPUT}.expandDims(0)).softmax();`,
    "});",
    "```",
    "",
    ...images(preprocessing),
    "",
    `Images go in as float32 [n, height, width, channels]${imageSize === undefined ? "" : ", of exactly this size"}; logits come out, [n, classes].`,
    "Batch norms are folded into the convolutions: the model evaluates, it cannot be trained further.",
  ]);
}

function images({ imageSize, imageChannels, mean, std, transforms, classNames }: Preprocessing): readonly string[] {
  const known = [
    `- ${imageChannels} ${imageChannels === 1 ? "channel" : "channels"}`,
    ...(imageSize === undefined ? [] : [`- ${imageSize.join(" x ")} pixels`]),
    ...(transforms === undefined || transforms.length === 0
      ? []
      : [`- in training's evaluation: \`${JSON.stringify(transforms)}\` (bilinear with antialiasing, as Pillow does)`]),
    ...(mean === undefined || std === undefined
      ? ["- normalisation: not known here, the model's stage had no dataset"]
      : [`- (pixel / 255 - mean) / std, mean [${mean.join(", ")}], std [${std.join(", ")}]`]),
    ...(classNames === undefined ? [] : [`- ${classNames.length} classes, whose names are in the file`]),
  ];
  return [`What an image must be is in \`${PREPROCESSING_FILE}\`:`, "", ...known];
}

const text = (lines: readonly string[]): string => `${lines.join("\n")}\n`;
