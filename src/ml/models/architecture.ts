/**
 * Which model: a name, or a ResNet put together from blocks, with the settings that change its shape. Plain JSON, stored
 * beside the weights as `architecture.json`.
 *
 * The rules of what fits together live here once: `describeModel` refuses by them, and so does the check of a pipeline,
 * which is why this file imports nothing that computes.
 */

export interface ArchitectureSpec {
  /** A published architecture. Left out: the ResNet that `block` and `layers` say. */
  readonly architecture?: ArchitectureName;
  readonly block?: BlockType;
  /** Blocks in each of the four stages of a ResNet. */
  readonly layers?: readonly number[];
  readonly numClasses: number;
  /** 3 if left out. */
  readonly imageChannels?: number;
  /** Groups of each bottleneck's 3x3 convolution. Left out: the architecture's own. */
  readonly groups?: number;
  /** Width of a bottleneck per group, where 64 is a ResNet's. Left out: the architecture's own. */
  readonly widthPerGroup?: number;
  /** Starts each residual block as the identity: its last norm's scale is 0 (Goyal et al. 2017). */
  readonly zeroInitResidual?: boolean;
  /** For stages 2, 3 and 4: keep the resolution and dilate the 3x3 convolutions instead of striding. */
  readonly replaceStrideWithDilation?: readonly boolean[];
  /** Left out: the architecture's own. `groupNorm` has 32 groups (Wu & He 2018). */
  readonly norm?: NormType;
  /** VGG's classifier. Left out: 0.5. */
  readonly dropout?: number;
  /** Channels of ResNet-9's first convolution; the others have up to eight times as many. Left out: 64. */
  readonly width?: number;
}

export type BlockType = "basic" | "bottleneck";
export type NormType = "batchNorm" | "groupNorm";
export type ResNetName = keyof typeof RESNETS;
export type VggName = keyof typeof VGGS;
export type ArchitectureName = ResNetName | VggName | "resnet9";

export interface ResNetPlan {
  readonly block: BlockType;
  readonly layers: readonly number[];
  readonly groups: number;
  readonly widthPerGroup: number;
}

/** torchvision/models/resnet.py. */
export const RESNETS = {
  resnet18: { block: "basic", layers: [2, 2, 2, 2], groups: 1, widthPerGroup: 64 },
  resnet34: { block: "basic", layers: [3, 4, 6, 3], groups: 1, widthPerGroup: 64 },
  resnet50: { block: "bottleneck", layers: [3, 4, 6, 3], groups: 1, widthPerGroup: 64 },
  resnet101: { block: "bottleneck", layers: [3, 4, 23, 3], groups: 1, widthPerGroup: 64 },
  resnet152: { block: "bottleneck", layers: [3, 8, 36, 3], groups: 1, widthPerGroup: 64 },
  resnext50_32x4d: { block: "bottleneck", layers: [3, 4, 6, 3], groups: 32, widthPerGroup: 4 },
  resnext101_32x8d: { block: "bottleneck", layers: [3, 4, 23, 3], groups: 32, widthPerGroup: 8 },
  wide_resnet50_2: { block: "bottleneck", layers: [3, 4, 6, 3], groups: 1, widthPerGroup: 128 },
  wide_resnet101_2: { block: "bottleneck", layers: [3, 4, 23, 3], groups: 1, widthPerGroup: 128 },
} as const satisfies Record<string, ResNetPlan>;

/** torchvision/models/vgg.py: convolutions in each of the five parts (configurations A, B, D, E), and whether each has a norm. */
export const VGGS = {
  vgg11: { convolutions: [1, 1, 2, 2, 2], batchNorm: false },
  vgg11_bn: { convolutions: [1, 1, 2, 2, 2], batchNorm: true },
  vgg13: { convolutions: [2, 2, 2, 2, 2], batchNorm: false },
  vgg13_bn: { convolutions: [2, 2, 2, 2, 2], batchNorm: true },
  vgg16: { convolutions: [2, 2, 3, 3, 3], batchNorm: false },
  vgg16_bn: { convolutions: [2, 2, 3, 3, 3], batchNorm: true },
  vgg19: { convolutions: [2, 2, 4, 4, 4], batchNorm: false },
  vgg19_bn: { convolutions: [2, 2, 4, 4, 4], batchNorm: true },
} as const;

export const GROUP_NORM_GROUPS = 32;
export const RESNET9_WIDTH = 64;
/** Channels of the first convolution, and output channels of each stage before a bottleneck's expansion. */
export const RESNET_WIDTHS = [64, 128, 256, 512] as const;

/** Something about a spec that cannot be built. */
export interface ArchitectureProblem {
  readonly path: readonly [setting: keyof ArchitectureSpec, ...rest: number[]];
  readonly message: string;
  readonly help?: string;
}

/** The published architectures that are neither a torchvision ResNet nor a VGG. */
const OTHERS: readonly ArchitectureName[] = ["resnet9"];

export function isVgg(name: ArchitectureName): name is VggName {
  return name in VGGS;
}

/** What a ResNet spec comes to, or undefined where it names no ResNet (a VGG, or nothing complete). */
export function resnetPlan(spec: ArchitectureSpec): ResNetPlan | undefined {
  const { architecture, block, layers, groups, widthPerGroup } = spec;
  if (architecture !== undefined && (isVgg(architecture) || architecture === "resnet9")) return undefined;
  const own: ResNetPlan | undefined =
    architecture !== undefined
      ? RESNETS[architecture]
      : block !== undefined && layers !== undefined
        ? { block, layers, groups: 1, widthPerGroup: 64 }
        : undefined;
  return own && { ...own, groups: groups ?? own.groups, widthPerGroup: widthPerGroup ?? own.widthPerGroup };
}

/** Height and width below which the model leaves nothing of an image: a VGG halves it five times, a ResNet pads. */
export function smallestImage({ architecture }: Pick<ArchitectureSpec, "architecture">): number {
  // Both halve an image, ResNet-9 three times and by four at the end.
  return architecture !== undefined && (isVgg(architecture) || architecture === "resnet9") ? 32 : 1;
}

/** Channels inside a block of a stage with `width` output channels before expansion. */
export function blockWidth({ block, groups, widthPerGroup }: ResNetPlan, width: number): number {
  return block === "basic" ? width : Math.floor((width * widthPerGroup) / 64) * groups;
}

/**
 * A name for people and for comparing: models of one name have the same parameters but for classes and channels. A ResNet
 * of blocks that a published one has goes by that one's name; others are `resnet-bottleneck-2-2-2-2`, `...-32x4d`.
 */
export function architectureName(spec: ArchitectureSpec): string {
  const plan = resnetPlan(spec);
  if (spec.architecture === "resnet9" && (spec.width ?? RESNET9_WIDTH) !== RESNET9_WIDTH)
    return `resnet9-${spec.width}`;
  if (plan === undefined) return spec.architecture ?? "incomplete";
  const { block, layers, groups, widthPerGroup } = plan;
  const published = Object.entries(RESNETS).find(
    ([, own]) =>
      own.block === block &&
      own.groups === groups &&
      own.widthPerGroup === widthPerGroup &&
      own.layers.join() === layers.join(),
  )?.[0];
  const width = groups === 1 && widthPerGroup === 64 ? "" : `-${groups}x${widthPerGroup}d`;
  const name = published ?? `resnet-${block}-${layers.join("-")}${width}`;
  return spec.norm === "groupNorm" ? `${name}-groupNorm` : name;
}

/** Everything that keeps `spec` from being built, all at once. */
export function architectureProblems(spec: ArchitectureSpec): ArchitectureProblem[] {
  const problems: ArchitectureProblem[] = [];
  const { architecture, block, layers, numClasses, imageChannels = 3 } = spec;
  for (const [setting, count] of Object.entries({ numClasses, imageChannels }))
    if (!Number.isSafeInteger(count) || count < 1)
      problems.push({
        path: [setting as "numClasses"],
        message: `${setting} is a whole number from 1 on, not ${count}`,
      });
  if (architecture !== undefined && !(architecture in RESNETS || architecture in VGGS || OTHERS.includes(architecture)))
    return [
      ...problems,
      { path: ["architecture"], message: `there is no architecture ${JSON.stringify(architecture)}` },
    ];
  if (architecture !== undefined) {
    for (const setting of ["block", "layers"] as const)
      if (spec[setting] !== undefined)
        problems.push({
          path: [setting],
          message: `${architecture} fixes its own ${setting === "block" ? "block" : "layers"}`,
          help: `remove \`${setting}\`, or remove \`architecture\` and give both \`block\` and \`layers\``,
        });
  } else {
    if (block === undefined && layers === undefined)
      problems.push({
        path: ["architecture"],
        message: "no architecture is given",
        help: "give `architecture: resnet34`, or `block: basic` with `layers: [3, 4, 6, 3]`",
      });
    else if (layers === undefined)
      problems.push({ path: ["block"], message: "`block` needs `layers`", help: "add `layers: [3, 4, 6, 3]`" });
    else if (block === undefined)
      problems.push({
        path: ["layers"],
        message: "`layers` needs `block`",
        help: "add `block: basic` or `block: bottleneck`",
      });
    if (layers !== undefined && layers.length !== 4)
      problems.push({
        path: ["layers"],
        message: `a ResNet has four stages, and \`layers\` has ${layers.length} ${layers.length === 1 ? "number" : "numbers"}`,
        help: "ResNet-34 and -50 are [3, 4, 6, 3]",
      });
  }
  if (architecture !== undefined && isVgg(architecture)) problems.push(...vggProblems(architecture, spec));
  if (architecture === "resnet9") problems.push(...resnet9Problems(spec));
  else if (spec.width !== undefined)
    problems.push({
      path: ["width"],
      message: `${architecture ?? "this ResNet"} has fixed channels`,
      help: "`width` is resnet9's; a bottleneck ResNet has `widthPerGroup`",
    });
  const plan = resnetPlan(spec);
  if (plan !== undefined) problems.push(...resnetProblems(plan, spec));
  return problems;
}

function resnetProblems(plan: ResNetPlan, spec: ArchitectureSpec): ArchitectureProblem[] {
  const problems: ArchitectureProblem[] = [];
  const name = spec.architecture ?? "this ResNet";
  const { replaceStrideWithDilation: dilation, dropout } = spec;
  if (dilation !== undefined && dilation.length !== 3)
    problems.push({
      path: ["replaceStrideWithDilation"],
      message: `stages 2, 3 and 4 take one true or false each, and there are ${dilation.length}`,
      help: "write [false, false, true] to dilate the last stage only",
    });
  if (plan.block === "basic") {
    // torchvision: "BasicBlock only supports groups=1 and base_width=64", "Dilation > 1 not supported in BasicBlock".
    const help = "use a bottleneck: resnet50, or `block: bottleneck`";
    if (plan.groups !== 1)
      problems.push({ path: ["groups"], message: `${name} is made of basic blocks, which cannot have groups`, help });
    if (plan.widthPerGroup !== 64)
      problems.push({
        path: ["widthPerGroup"],
        message: `${name} is made of basic blocks, whose width cannot be changed`,
        help,
      });
    if (dilation?.includes(true))
      problems.push({
        path: ["replaceStrideWithDilation"],
        message: `${name} is made of basic blocks, which cannot be dilated`,
        help,
      });
  } else {
    const own = spec.architecture === undefined ? undefined : RESNETS[spec.architecture as ResNetName];
    for (const setting of ["groups", "widthPerGroup"] as const)
      if (own !== undefined && own !== RESNETS.resnet50 && own !== RESNETS.resnet101 && own !== RESNETS.resnet152)
        if (plan[setting] !== own[setting])
          problems.push({
            path: [setting],
            message: `${name} has \`${setting}: ${own[setting]}\` by its name, and ${plan[setting]} is set`,
            help: "start from resnet50, resnet101, or `block: bottleneck` with `layers`",
          });
    if (blockWidth(plan, 64) < plan.groups)
      problems.push({
        path: ["widthPerGroup"],
        message: `with widthPerGroup ${plan.widthPerGroup} a group of the first stage has no channels`,
        help: "use 1 or more",
      });
  }
  if (spec.norm === "groupNorm") {
    const odd = RESNET_WIDTHS.map((width) => blockWidth(plan, width)).find((width) => width % GROUP_NORM_GROUPS !== 0);
    if (odd !== undefined)
      problems.push({
        path: ["norm"],
        message: `groupNorm's ${GROUP_NORM_GROUPS} groups do not divide the ${odd} channels inside a block`,
        help: "choose groups and widthPerGroup whose product is a multiple of 32, or batchNorm",
      });
  }
  if (dropout !== undefined)
    problems.push({ path: ["dropout"], message: `${name} has no dropout`, help: "only VGG's classifier has" });
  return problems;
}

function resnet9Problems(spec: ArchitectureSpec): ArchitectureProblem[] {
  const problems: ArchitectureProblem[] = [];
  const { width } = spec;
  if (width !== undefined && (!Number.isSafeInteger(width) || width < 1))
    problems.push({ path: ["width"], message: `width is a whole number from 1 on, not ${width}` });
  const fixed = ["groups", "widthPerGroup", "norm", "dropout"] as const;
  for (const setting of fixed.filter((name) => spec[name] !== undefined && spec[name] !== "batchNorm"))
    problems.push({ path: [setting], message: `resnet9 has no setting \`${setting}\``, help: "it has `width`" });
  if (spec.zeroInitResidual === true)
    problems.push({ path: ["zeroInitResidual"], message: "resnet9's residual pairs end in a ReLU, not in a norm" });
  if (spec.replaceStrideWithDilation?.includes(true))
    problems.push({ path: ["replaceStrideWithDilation"], message: "resnet9 has no strided convolutions to replace" });
  return problems;
}

function vggProblems(name: VggName, spec: ArchitectureSpec): ArchitectureProblem[] {
  const problems: ArchitectureProblem[] = [];
  const refuse = (setting: keyof ArchitectureSpec, message: string, help?: string) =>
    problems.push({ path: [setting], message, ...(help !== undefined && { help }) });
  if (spec.groups !== undefined) refuse("groups", `${name} has no grouped convolutions`);
  if (spec.widthPerGroup !== undefined) refuse("widthPerGroup", `${name} has no bottlenecks`);
  if (spec.zeroInitResidual === true) refuse("zeroInitResidual", `${name} has no residual blocks`);
  if (spec.replaceStrideWithDilation?.includes(true))
    refuse("replaceStrideWithDilation", `${name} has no strided convolutions to replace`);
  if (spec.norm === "batchNorm" && !VGGS[name].batchNorm)
    refuse("norm", `${name} has no norms`, `the variant with batch norms is ${name}_bn`);
  if (spec.norm === "groupNorm") refuse("norm", `${name} cannot have group norms`);
  return problems;
}
