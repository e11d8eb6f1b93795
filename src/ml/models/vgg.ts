/**
 * VGG (Simonyan & Zisserman 2014), configurations A, B, D, E, with and without batch norm, as torchvision builds them
 * (torchvision/models/vgg.py): five parts of 3x3 convolutions and a 2x2 pooling, average to 7x7, three linear layers.
 */
import type { Layer } from "../nn/layer.ts";
import type { ArchitectureSpec, VggName } from "./architecture.ts";
import { VGGS } from "./architecture.ts";

const CHANNELS = [64, 128, 256, 512, 512] as const;
const POOLED_SIZE = 7;
const HIDDEN = 4096;

export function vggLayers(name: VggName, spec: ArchitectureSpec): Layer[] {
  const { convolutions, batchNorm } = VGGS[name];
  const features: Layer[] = [];
  // nn.Sequential names a layer by its index.
  const next = () => `features.${features.length}`;
  let inChannels = spec.imageChannels ?? 3;
  CHANNELS.forEach((outChannels, part) => {
    for (let index = 0; index < convolutions[part]!; index++) {
      features.push({
        type: "conv2d",
        name: next(),
        inChannels,
        outChannels,
        kernelSize: 3,
        geometry: { stride: 1, padding: 1, dilation: 1, groups: 1 },
        bias: true,
      });
      if (batchNorm)
        features.push({
          type: "batchNorm",
          name: next(),
          channels: outChannels,
          momentum: 0.1,
          epsilon: 1e-5,
          initialScale: 1,
        });
      features.push({ type: "relu", name: next() });
      inChannels = outChannels;
    }
    features.push({ type: "maxPool", name: next(), geometry: { size: 2, stride: 2, padding: 0 } });
  });
  const rate = spec.dropout ?? 0.5;
  const positions = POOLED_SIZE * POOLED_SIZE;
  return [
    ...features,
    { type: "adaptiveAveragePool", name: "avgpool", size: POOLED_SIZE },
    { type: "flatten", name: "flatten" },
    linear("classifier.0", inChannels * positions, HIDDEN, positions),
    { type: "relu", name: "classifier.1" },
    { type: "dropout", name: "classifier.2", rate },
    linear("classifier.3", HIDDEN, HIDDEN),
    { type: "relu", name: "classifier.4" },
    { type: "dropout", name: "classifier.5", rate },
    linear("classifier.6", HIDDEN, spec.numClasses),
  ];
}

function linear(name: string, inFeatures: number, outFeatures: number, positions = 1): Layer {
  return { type: "linear", name, inFeatures, outFeatures, positions, initialisation: "normal" };
}
