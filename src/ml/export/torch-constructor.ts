/** The Python that builds the same model with torchvision, so that a state dict can be loaded into it. */
import { type ArchitectureSpec, GROUP_NORM_GROUPS, isVgg, RESNETS, resnetPlan } from "../models/architecture.ts";

/** Lines that define `model`; they need `torch` and `torchvision`. Undefined where torchvision has no such model. */
export function torchConstructor(spec: ArchitectureSpec): readonly string[] | undefined {
  const { architecture, numClasses, imageChannels = 3, replaceStrideWithDilation: dilation, norm } = spec;
  const channels = (layer: string, call: string) =>
    imageChannels === 3 ? [] : [`model.${layer} = torch.nn.Conv2d(${imageChannels}, ${call})`];
  if (architecture !== undefined && isVgg(architecture))
    return [
      `model = torchvision.models.${architecture}(num_classes=${numClasses})`,
      ...channels("features[0]", "64, 3, padding=1"),
    ];
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
