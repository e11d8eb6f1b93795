import { describe, expect, test } from "vitest";
import {
  type ArchitectureName,
  type ArchitectureSpec,
  architectureProblems,
  RESNETS,
  VGGS,
} from "../../../src/ml/models/architecture.ts";
import { describeModel } from "../../../src/ml/models/describe-model.ts";
import { plainLayers } from "../../../src/ml/nn/layer.ts";
import { layerTable } from "../../../src/ml/nn/layer-table.ts";
import { countParameters, stateEntries } from "../../../src/ml/nn/state-entry.ts";

/** num_params, and 10^9 num_ops at 224 px, of torchvision's own table (weights' metadata, torchvision 0.15). */
const published: Readonly<
  Record<Exclude<ArchitectureName, "resnet9">, readonly [parameters: number, gigaMacs: number]>
> = {
  resnet18: [11_689_512, 1.814],
  resnet34: [21_797_672, 3.664],
  resnet50: [25_557_032, 4.089],
  resnet101: [44_549_160, 7.801],
  resnet152: [60_192_808, 11.514],
  resnext50_32x4d: [25_028_904, 4.23],
  resnext101_32x8d: [88_791_336, 16.414],
  wide_resnet50_2: [68_883_240, 11.398],
  wide_resnet101_2: [126_886_696, 22.753],
  vgg11: [132_863_336, 7.609],
  vgg11_bn: [132_868_840, 7.609],
  vgg13: [133_047_848, 11.308],
  vgg13_bn: [133_053_736, 11.308],
  vgg16: [138_357_544, 15.47],
  vgg16_bn: [138_365_992, 15.47],
  vgg19: [143_667_240, 19.632],
  vgg19_bn: [143_678_248, 19.632],
};

describe("every architecture has torchvision's parameters and MACs", () => {
  test("and the table has every architecture", () => {
    expect(Object.keys(published)).toEqual([...Object.keys(RESNETS), ...Object.keys(VGGS)]);
  });

  test.each(Object.entries(published))("%s", (architecture, [parameters, gigaMacs]) => {
    const description = describeModel({ architecture: architecture as ArchitectureName, numClasses: 1000 });
    expect(countParameters(description.layers)).toBe(parameters);
    const macs = layerTable(description, 224, 224).reduce((sum, row) => sum + row.macs, 0);
    expect(Math.abs(macs / 1e9 - gigaMacs)).toBeLessThan(0.0006);
  });
});

test("ResNet-9 has the parameters of Page's network, with norms that scale and logits that have biases, and a width", () => {
  const count = (width?: number) =>
    countParameters(describeModel({ architecture: "resnet9", numClasses: 10, ...(width && { width }) }).layers);
  // 6,568,640 in eight convolutions and the linear layer (Page 2018), 2 x 2,240 in norms, 10 biases.
  expect(count()).toBe(6_573_130);
  expect(count(32)).toBeLessThan(count() / 3.9);
  expect(() => describeModel({ architecture: "resnet9", numClasses: 10, groups: 32 })).toThrow(/no setting `groups`/);
  expect(() => describeModel({ architecture: "resnet34", numClasses: 10, width: 32 })).toThrow(/fixed channels/);
});

describe("names are torchvision's", () => {
  const names = (spec: Omit<ArchitectureSpec, "numClasses">) =>
    stateEntries(describeModel({ ...spec, numClasses: 10 }).layers).map(({ name }) => name);

  test("in a bottleneck, whose shortcut comes last", () => {
    expect(names({ architecture: "resnet50" }).filter((name) => name.startsWith("layer1.0."))).toEqual(
      ["conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "downsample.0", "downsample.1"].flatMap((layer) =>
        (layer.includes("bn") || layer === "downsample.1"
          ? ["weight", "bias", "running_mean", "running_var"]
          : ["weight"]
        ).map((suffix) => `layer1.0.${layer}.${suffix}`),
      ),
    );
  });

  test("in VGG, whose layers are numbered with those that hold nothing", () => {
    expect(names({ architecture: "vgg16_bn" }).filter((name) => name.endsWith(".bias"))).toEqual([
      ...[0, 1, 3, 4, 7, 8, 10, 11, 14, 15, 17, 18, 20, 21, 24, 25, 27, 28, 30, 31, 34, 35, 37, 38, 40, 41].map(
        (index) => `features.${index}.bias`,
      ),
      "classifier.0.bias",
      "classifier.3.bias",
      "classifier.6.bias",
    ]);
  });

  test("with group norms, which have no running statistics", () => {
    const grouped = names({ architecture: "resnet18", norm: "groupNorm" });
    expect(grouped).toEqual(names({ architecture: "resnet18" }).filter((name) => !name.includes("running")));
  });
});

describe("variants", () => {
  const convolution = (spec: Omit<ArchitectureSpec, "numClasses">, name: string) => {
    const found = plainLayers(describeModel({ ...spec, numClasses: 10 }).layers).find((layer) => layer.name === name);
    if (found?.type !== "conv2d") throw new Error(`no convolution ${name}`);
    return found;
  };

  test("a generic ResNet of the same blocks is the published one", () => {
    const named = describeModel({ architecture: "resnet50", numClasses: 10 });
    const generic = describeModel({ block: "bottleneck", layers: [3, 4, 6, 3], numClasses: 10 });
    expect(generic.layers).toEqual(named.layers);
    expect(generic.architecture).toBe("resnet50");
  });

  test("groups and width make a ResNeXt out of a ResNet", () => {
    const made = describeModel({ architecture: "resnet50", groups: 32, widthPerGroup: 4, numClasses: 10 });
    expect(made).toEqual(describeModel({ architecture: "resnext50_32x4d", numClasses: 10 }));
  });

  test("that no published ResNet has get a name of their own", () => {
    const name = (spec: Omit<ArchitectureSpec, "numClasses">) =>
      describeModel({ ...spec, numClasses: 10 }).architecture;
    expect(name({ block: "basic", layers: [1, 1, 1, 1] })).toBe("resnet-basic-1-1-1-1");
    expect(name({ architecture: "resnet50", groups: 8, widthPerGroup: 16 })).toBe("resnet-bottleneck-3-4-6-3-8x16d");
    expect(name({ architecture: "resnet34", norm: "groupNorm" })).toBe("resnet34-groupNorm");
  });

  test("a bottleneck strides in its 3x3 convolution and its shortcut", () => {
    const stride = (name: string) => convolution({ architecture: "resnet50" }, name).geometry.stride;
    expect(["conv1", "conv2", "conv3", "downsample.0"].map((name) => stride(`layer2.0.${name}`))).toEqual([1, 2, 1, 2]);
  });

  test("dilation replaces the stride, from the second block of a stage on, and adds up over stages", () => {
    const spec = { architecture: "resnet50", replaceStrideWithDilation: [false, true, true] } as const;
    const geometry = (name: string) => convolution(spec, name).geometry;
    expect(geometry("layer2.0.conv2")).toMatchObject({ stride: 2, dilation: 1, padding: 1 });
    expect(geometry("layer3.0.conv2")).toMatchObject({ stride: 1, dilation: 1, padding: 1 });
    expect(geometry("layer3.1.conv2")).toMatchObject({ stride: 1, dilation: 2, padding: 2 });
    expect(geometry("layer4.0.conv2")).toMatchObject({ stride: 1, dilation: 2, padding: 2 });
    expect(geometry("layer4.1.conv2")).toMatchObject({ stride: 1, dilation: 4, padding: 4 });
    expect(geometry("layer4.0.downsample.0")).toMatchObject({ stride: 1 });
    const last = layerTable(describeModel({ ...spec, numClasses: 10 }), 224, 224).findLast(
      (row) => row.outputShape.length === 3 && row.type === "relu",
    );
    expect(last?.outputShape).toEqual([28, 28, 2048]);
  });

  test("images may be grey", () => {
    const grey = describeModel({ architecture: "resnet18", imageChannels: 1, numClasses: 10 });
    expect(stateEntries(grey.layers)[0]!.shape).toEqual([64, 1, 7, 7]);
  });

  test("dropout is the classifier's, half if left out", () => {
    const rates = (dropout?: number) =>
      describeModel({
        architecture: "vgg11",
        numClasses: 10,
        ...(dropout !== undefined && { dropout }),
      }).layers.flatMap((layer) => (layer.type === "dropout" ? [layer.rate] : []));
    expect(rates()).toEqual([0.5, 0.5]);
    expect(rates(0.1)).toEqual([0.1, 0.1]);
  });
});

describe("what cannot be built is refused", () => {
  const paths = (spec: Partial<ArchitectureSpec>) =>
    architectureProblems({ numClasses: 10, ...spec }).map(({ path }) => path.join("."));

  test("a basic block takes no groups, no width and no dilation, all said at once", () => {
    const dilated = { groups: 2, widthPerGroup: 128, replaceStrideWithDilation: [false, false, true] };
    expect(paths({ architecture: "resnet34", ...dilated })).toEqual([
      "groups",
      "widthPerGroup",
      "replaceStrideWithDilation",
    ]);
    expect(paths({ block: "basic", layers: [1, 1, 1, 1], ...dilated })).toHaveLength(3);
    expect(paths({ architecture: "resnet50", ...dilated })).toEqual([]);
    expect(() => describeModel({ architecture: "resnet34", numClasses: 10, groups: 2 })).toThrow(
      "resnet34 is made of basic blocks, which cannot have groups (use a bottleneck: resnet50, or `block: bottleneck`)",
    );
  });

  test.each([
    ["nothing", {}, ["architecture"]],
    ["a name with blocks", { architecture: "resnet34", block: "basic", layers: [3, 4, 6, 3] }, ["block", "layers"]],
    ["a block alone", { block: "basic" }, ["block"]],
    ["layers alone", { layers: [3, 4, 6, 3] }, ["layers"]],
    ["three stages", { block: "basic", layers: [3, 4, 6] }, ["layers"]],
    [
      "two dilations",
      { architecture: "resnet50", replaceStrideWithDilation: [false, true] },
      ["replaceStrideWithDilation"],
    ],
    ["another ResNeXt than the name says", { architecture: "resnext50_32x4d", groups: 16 }, ["groups"]],
    ["no width", { architecture: "resnet50", groups: 1, widthPerGroup: 0 }, ["widthPerGroup"]],
    ["odd group norms", { architecture: "resnet50", widthPerGroup: 4, norm: "groupNorm" }, ["norm"]],
    ["dropout in a ResNet", { architecture: "resnet18", dropout: 0.5 }, ["dropout"]],
    ["norms in a plain VGG", { architecture: "vgg16", norm: "batchNorm" }, ["norm"]],
    ["group norms in a VGG", { architecture: "vgg16_bn", norm: "groupNorm" }, ["norm"]],
    ["residuals in a VGG", { architecture: "vgg16", zeroInitResidual: true }, ["zeroInitResidual"]],
    ["groups in a VGG", { architecture: "vgg16", groups: 2, widthPerGroup: 4 }, ["groups", "widthPerGroup"]],
    ["no classes", { architecture: "resnet18", numClasses: 0 }, ["numClasses"]],
    ["half a channel", { architecture: "resnet18", imageChannels: 0.5 }, ["imageChannels"]],
    ["an unknown name", { architecture: "resnet19" as "resnet18" }, ["architecture"]],
  ] as const)("%s", (_, spec, expected) => {
    expect(paths(spec)).toEqual(expected);
  });
});
