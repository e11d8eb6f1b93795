import { describe, expect, test } from "vitest";
import { safetensorsReadme, tfjsReadme } from "../../../src/ml/export/export-readme.ts";
import { describePreprocessing } from "../../../src/ml/export/preprocessing.ts";
import { torchConstructor } from "../../../src/ml/export/torch-constructor.ts";

const dataset = {
  transformedSize: [110, 120] as const,
  classNames: ["cat", "dog"],
  transform: { transforms: [{ resize: 120 }], mean: [0.5, 0.4, 0.3], std: [0.2, 0.2, 0.2], seed: 1 },
};

describe("what an image must be", () => {
  test("is that of the dataset, with its transforms where they draw nothing", () => {
    expect(describePreprocessing(3, { ...dataset, forEvaluation: true })).toEqual({
      imageChannels: 3,
      imageSize: [110, 120],
      classNames: ["cat", "dog"],
      mean: [0.5, 0.4, 0.3],
      std: [0.2, 0.2, 0.2],
      transforms: [{ resize: 120 }],
    });
  });

  test("leaves random transforms of a training set out, and keeps size and normalisation", () => {
    const described = describePreprocessing(3, { ...dataset, forEvaluation: false });
    expect(described.transforms).toBeUndefined();
    expect(described.imageSize).toEqual([110, 120]);
    expect(described.mean).toEqual([0.5, 0.4, 0.3]);
  });

  test("is not made up where there was no dataset", () => {
    expect(describePreprocessing(1, undefined)).toEqual({ imageChannels: 1 });
    const spec = { architecture: "resnet18", numClasses: 10 } as const;
    for (const readme of [
      safetensorsReadme("resnet18", spec, { imageChannels: 3 }),
      tfjsReadme("resnet18", { imageChannels: 3 }),
    ])
      expect(readme).toContain("normalisation: not known here");
  });

  test("is written as code for the browser", () => {
    const readme = tfjsReadme("resnet18", describePreprocessing(3, { ...dataset, forEvaluation: true }));
    expect(readme).toContain("tf.image.resizeBilinear(tf.browser.fromPixels(image), [110, 120]).div(255)");
    expect(readme).toContain("pixels.sub([0.5, 0.4, 0.3]).div([0.2, 0.2, 0.2])");
  });
});

describe("torchvision's constructor", () => {
  test.each([
    [{ architecture: "resnet34", numClasses: 10 }, ["model = torchvision.models.resnet34(num_classes=10)"]],
    [{ architecture: "resnext50_32x4d", numClasses: 2 }, ["model = torchvision.models.resnext50_32x4d(num_classes=2)"]],
    [
      { architecture: "resnet50", groups: 32, widthPerGroup: 4, numClasses: 2 },
      ["model = torchvision.models.resnet50(num_classes=2, groups=32, width_per_group=4)"],
    ],
    [
      { architecture: "vgg16_bn", imageChannels: 1, numClasses: 2 },
      [
        "model = torchvision.models.vgg16_bn(num_classes=2)",
        "model.features[0] = torch.nn.Conv2d(1, 64, 3, padding=1)",
      ],
    ],
  ] as const)("of %j", (spec, lines) => {
    expect(torchConstructor(spec)).toEqual(lines);
  });

  test("does not exist for ResNet-9: its modules are written out, and the README says whose names they are", () => {
    const spec = { architecture: "resnet9", width: 16, numClasses: 2 } as const;
    const lines = torchConstructor(spec)!;
    expect(lines).toContain("class ResNet9(torch.nn.Module):");
    expect(lines.at(-1)).toBe("model = ResNet9(3, 16, 2)");
    const readme = safetensorsReadme("resnet9-16", spec, { imageChannels: 3 });
    expect(readme).toContain("the names of the modules below (torchvision has no ResNet-9)");
    expect(readme).not.toContain("torchvision's names");
  });
});
