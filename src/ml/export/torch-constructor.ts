/** The Python that builds the same model, with torchvision where it has one, so that a state dict can be loaded into it. */
import {
  type ArchitectureSpec,
  GROUP_NORM_GROUPS,
  isVgg,
  RESNET9_WIDTH,
  RESNETS,
  resnetPlan,
} from "../models/architecture.ts";

/** Lines that define `model`; they need `torch` and `torchvision`. Undefined where the spec is incomplete. */
export function torchConstructor(spec: ArchitectureSpec): readonly string[] | undefined {
  const { architecture, numClasses, imageChannels = 3, replaceStrideWithDilation: dilation, norm } = spec;
  const channels = (layer: string, call: string) =>
    imageChannels === 3 ? [] : [`model.${layer} = torch.nn.Conv2d(${imageChannels}, ${call})`];
  if (architecture !== undefined && isVgg(architecture))
    return [
      `model = torchvision.models.${architecture}(num_classes=${numClasses})`,
      ...channels("features[0]", "64, 3, padding=1"),
    ];
  if (architecture === "resnet9")
    return [...RESNET9, `model = ResNet9(${imageChannels}, ${spec.width ?? RESNET9_WIDTH}, ${numClasses})`];
  const plan = resnetPlan(spec);
  if (plan === undefined) return undefined;
  const published = architecture === undefined ? undefined : RESNETS[architecture as keyof typeof RESNETS];
  const own = published ?? { groups: 1, widthPerGroup: 64 };
  const options = [
    `num_classes=${numClasses}`,
    ...(plan.groups === own.groups ? [] : [`groups=${plan.groups}`]),
    ...(plan.widthPerGroup === own.widthPerGroup ? [] : [`width_per_group=${plan.widthPerGroup}`]),
    ...(dilation?.includes(true)
      ? [`replace_stride_with_dilation=[${dilation.map((on) => (on ? "True" : "False")).join(", ")}]`]
      : []),
    ...(norm === "groupNorm" ? [`norm_layer=lambda channels: torch.nn.GroupNorm(${GROUP_NORM_GROUPS}, channels)`] : []),
  ].join(", ");
  const block = plan.block === "basic" ? "BasicBlock" : "Bottleneck";
  return [
    published === undefined
      ? `resnet = torchvision.models.resnet\nmodel = resnet.ResNet(resnet.${block}, [${plan.layers.join(", ")}], ${options})`
      : `model = torchvision.models.${architecture}(${options})`,
    ...channels("conv1", "64, 7, stride=2, padding=3, bias=False"),
  ];
}

/** torchvision has none: `models/resnet9.ts`, layer by layer, as modules of its names. */
const RESNET9 = [
  "class Block(torch.nn.Module):",
  "    def __init__(self, inputs, outputs, pool=False, residual=False):",
  "        super().__init__()",
  "        self.conv = torch.nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)",
  "        self.bn = torch.nn.BatchNorm2d(outputs)",
  "        self.pool = torch.nn.MaxPool2d(2) if pool else torch.nn.Identity()",
  "        self.residual = torch.nn.Sequential(Block(outputs, outputs), Block(outputs, outputs)) if residual else None",
  "",
  "    def forward(self, x):",
  "        x = torch.relu(self.bn(self.pool(self.conv(x))))",
  "        return x if self.residual is None else x + self.residual(x)",
  "",
  "class ResNet9(torch.nn.Module):",
  "    def __init__(self, channels, width, classes):",
  "        super().__init__()",
  "        self.prep = Block(channels, width)",
  "        self.layer1 = Block(width, 2 * width, pool=True, residual=True)",
  "        self.layer2 = Block(2 * width, 4 * width, pool=True)",
  "        self.layer3 = Block(4 * width, 8 * width, pool=True, residual=True)",
  "        self.linear = torch.nn.Linear(8 * width, classes)",
  "",
  "    def forward(self, x):",
  "        x = self.layer3(self.layer2(self.layer1(self.prep(x))))",
  "        x = torch.nn.functional.max_pool2d(x, 4)",
  "        x = torch.nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)",
  "        return self.linear(x) / 8",
  "",
] as const;
