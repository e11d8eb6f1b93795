/**
 * ResNet-9, the small residual network for 32-pixel images that trains in minutes (Page 2018, "How to train your ResNet",
 * for the DAWNBench competition): a 3x3 stem and three 3x3 layers that double the channels and halve the image, two of
 * them with a residual pair behind, then the maximum over the map, one linear layer, and an eighth of the logits. As in
 * his last part ("Bag of tricks"), a layer halves the image before its norm, which then has a quarter of the work.
 */
import type { Layer } from "../nn/layer.ts";
import { type ArchitectureSpec, RESNET9_WIDTH } from "./architecture.ts";

export function resnet9Layers({ imageChannels = 3, numClasses, width = RESNET9_WIDTH }: ArchitectureSpec): Layer[] {
  return [
    ...convolution("prep", imageChannels, width),
    ...stage("layer1", width, true),
    ...stage("layer2", 2 * width, false),
    ...stage("layer3", 4 * width, true),
    { type: "maxPool", name: "pool", geometry: { size: 4, stride: 4, padding: 0 } },
    // Nothing to do at 32 pixels; larger images leave more than one place.
    { type: "adaptiveAveragePool", name: "avgpool", size: 1 },
    { type: "flatten", name: "flatten" },
    {
      type: "linear",
      name: "linear",
      inFeatures: 8 * width,
      outFeatures: numClasses,
      positions: 1,
      initialisation: "linear",
    },
    { type: "scale", name: "scale", factor: 0.125 },
  ];
}

/** Twice the channels, half the image, and where asked a residual pair. */
function stage(name: string, inChannels: number, residual: boolean): Layer[] {
  const channels = 2 * inChannels;
  const [conv, norm, relu] = convolution(name, inChannels, channels);
  return [
    conv!,
    { type: "maxPool", name: `${name}.pool`, geometry: { size: 2, stride: 2, padding: 0 } },
    norm!,
    relu!,
    ...(residual
      ? [
          {
            type: "residual" as const,
            name: `${name}.residual`,
            body: [
              ...convolution(`${name}.residual.0`, channels, channels),
              ...convolution(`${name}.residual.1`, channels, channels),
            ],
            shortcut: [],
          },
        ]
      : []),
  ];
}

/** Convolution, norm, ReLU. */
function convolution(name: string, inChannels: number, outChannels: number): Layer[] {
  return [
    {
      type: "conv2d",
      name: `${name}.conv`,
      inChannels,
      outChannels,
      kernelSize: 3,
      geometry: { stride: 1, padding: 1, dilation: 1, groups: 1 },
      bias: false,
    },
    { type: "batchNorm", name: `${name}.bn`, channels: outChannels, momentum: 0.1, epsilon: 1e-5, initialScale: 1 },
    { type: "relu", name: `${name}.relu` },
  ];
}
