/**
 * ResNet (He et al. 2015), ResNeXt (Xie et al. 2016) and Wide ResNet (Zagoruyko & Komodakis 2016) as torchvision builds
 * them (torchvision/models/resnet.py): 7x7 stem, four stages of basic or bottleneck blocks, a bottleneck's stride on its
 * 3x3 convolution ("ResNet v1.5"), projection shortcuts where the shape changes, global average, one linear layer.
 */
import type { Layer } from "../nn/layer.ts";
import type { ArchitectureSpec, BlockType, ResNetPlan } from "./architecture.ts";
import { blockWidth, GROUP_NORM_GROUPS, RESNET_WIDTHS } from "./architecture.ts";

const EXPANSION: Readonly<Record<BlockType, number>> = { basic: 1, bottleneck: 4 };

export function resnetLayers(plan: ResNetPlan, spec: ArchitectureSpec): Layer[] {
  const build: BlockBuilder = { plan, normType: spec.norm ?? "batchNorm", zeroInit: spec.zeroInitResidual ?? false };
  const layers: Layer[] = [
    conv("conv1", spec.imageChannels ?? 3, 64, 7, { stride: 2 }),
    norm(build, "bn1", 64),
    { type: "relu", name: "relu" },
    { type: "maxPool", name: "maxpool", geometry: { size: 3, stride: 2, padding: 1 } },
  ];
  let inChannels = 64;
  let dilation = 1;
  plan.layers.forEach((blocks, stage) => {
    const width = RESNET_WIDTHS[stage]!;
    let stride = stage === 0 ? 1 : 2;
    // torchvision's _make_layer: the first block of a dilated stage still has the dilation of the stage before.
    const firstDilation = dilation;
    if (stage > 0 && spec.replaceStrideWithDilation?.[stage - 1] === true) {
      dilation *= stride;
      stride = 1;
    }
    for (let index = 0; index < blocks; index++) {
      const name = `layer${stage + 1}.${index}`;
      const first = index === 0;
      layers.push(...block(build, name, inChannels, width, first ? stride : 1, first ? firstDilation : dilation));
      inChannels = width * EXPANSION[plan.block];
    }
  });
  return [
    ...layers,
    { type: "adaptiveAveragePool", name: "avgpool", size: 1 },
    { type: "flatten", name: "flatten" },
    {
      type: "linear",
      name: "fc",
      inFeatures: inChannels,
      outFeatures: spec.numClasses,
      positions: 1,
      initialisation: "linear",
    },
  ];
}

interface BlockBuilder {
  readonly plan: ResNetPlan;
  readonly normType: "batchNorm" | "groupNorm";
  readonly zeroInit: boolean;
}

/** One block and the ReLU behind it. */
function block(
  build: BlockBuilder,
  name: string,
  inChannels: number,
  width: number,
  stride: number,
  dilation: number,
): Layer[] {
  const { plan } = build;
  const inner = blockWidth(plan, width);
  const outChannels = width * EXPANSION[plan.block];
  const lastScale = build.zeroInit ? 0 : 1;
  const relu = (index: number): Layer => ({ type: "relu", name: `${name}.relu${index}` });
  const body: Layer[] =
    plan.block === "basic"
      ? [
          conv(`${name}.conv1`, inChannels, inner, 3, { stride, dilation }),
          norm(build, `${name}.bn1`, inner),
          relu(1),
          conv(`${name}.conv2`, inner, outChannels, 3, {}),
          norm(build, `${name}.bn2`, outChannels, lastScale),
        ]
      : [
          conv(`${name}.conv1`, inChannels, inner, 1, {}),
          norm(build, `${name}.bn1`, inner),
          relu(1),
          conv(`${name}.conv2`, inner, inner, 3, { stride, dilation, groups: plan.groups }),
          norm(build, `${name}.bn2`, inner),
          relu(2),
          conv(`${name}.conv3`, inner, outChannels, 1, {}),
          norm(build, `${name}.bn3`, outChannels, lastScale),
        ];
  const shortcut: Layer[] =
    stride !== 1 || inChannels !== outChannels
      ? [
          conv(`${name}.downsample.0`, inChannels, outChannels, 1, { stride }),
          norm(build, `${name}.downsample.1`, outChannels),
        ]
      : [];
  return [
    { type: "residual", name, body, shortcut },
    { type: "relu", name: `${name}.relu` },
  ];
}

/** Padding keeps the size at stride 1: dilation (k - 1) / 2, as every convolution of a ResNet has it. */
function conv(
  name: string,
  inChannels: number,
  outChannels: number,
  kernelSize: number,
  { stride = 1, dilation = 1, groups = 1 }: { stride?: number; dilation?: number; groups?: number },
): Layer {
  const padding = (dilation * (kernelSize - 1)) / 2;
  return {
    type: "conv2d",
    name,
    inChannels,
    outChannels,
    kernelSize,
    geometry: { stride, padding, dilation, groups },
    bias: false,
  };
}

function norm(build: BlockBuilder, name: string, channels: number, initialScale = 1): Layer {
  return build.normType === "batchNorm"
    ? { type: "batchNorm", name, channels, momentum: 0.1, epsilon: 1e-5, initialScale }
    : { type: "groupNorm", name, channels, groups: GROUP_NORM_GROUPS, epsilon: 1e-5, initialScale };
}
