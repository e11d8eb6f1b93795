/** The transforms as a pipeline writes them: which forms the schema takes, what it fills in, and what is refused where. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Artifact, Facts } from "../../src/contract.ts";
import type { JsonObject } from "../../src/json.ts";
import { fitSchema } from "../../src/language/fit-schema.ts";
import { loadPipeline } from "../../src/language/load-pipeline.ts";
import { openDataset } from "../../src/ml/data/dataset.ts";
import { createLoader } from "../../src/ml/data/loader.ts";
import { compileTransforms, type TransformSetting } from "../../src/ml/transforms/transform-list.ts";
import { createRng } from "../../src/rng.ts";
import type { NormalizeParams } from "../../stages/generated/normalize-params.ts";
import { normalize } from "../../stages/normalize.ts";
import { registry } from "../../stages/registry.ts";
import { writeTinyImages } from "../ml/data/tiny-dataset.ts";
import { dataBench, pathArtifact } from "./data-bench.ts";
import { type StageWorkbench, stageWorkbench } from "./stage-workbench.ts";

let workbench: StageWorkbench;
let data: Artifact;
beforeAll(() => {
  workbench = stageWorkbench();
  const folder = join(workbench.root, "data");
  writeTinyImages(folder, { count: 6, height: 12, width: 14 });
  data = pathArtifact(folder);
});
afterAll(() => workbench.remove());

const schema: JsonObject = JSON.parse(
  readFileSync(new URL("../../schemas/normalize.schema.json", import.meta.url), "utf8"),
);
const ajv = new Ajv({ strict: false, allErrors: true });
const isRight = ajv.compile(schema);

/** With defaults filled in, as the runner does. Throws where the schema refuses. */
function params(train: readonly object[]): NormalizeParams {
  const { value } = fitSchema(schema, { train, seed: 1 } as unknown as JsonObject);
  if (!isRight(value)) throw new Error(ajv.errorsText(isRight.errors));
  return value as unknown as NormalizeParams;
}

const rgb: Facts = { count: 6, height: 32, width: 40, channels: 3 };
const problems = (transform: object, facts: Facts = rgb) =>
  normalize.check!({ params: params([transform]), inputs: { train: facts } }).map(
    ({ path, message, help }) => `${path.join(".")}: ${message}${help === undefined ? "" : ` (${help})`}`,
  );

/** Every form of every transform. */
const FORMS: readonly TransformSetting[] = [
  { resize: 24 },
  { resize: [24, 30] },
  ...(["nearest", "bilinear", "bicubic"] as const).map((interpolation) => ({ resize: { size: 24, interpolation } })),
  { resize: { size: [24, 30] } },
  { centerCrop: 10 },
  { centerCrop: [10, 12] },
  { randomCrop: 10 },
  { randomCrop: { size: [10, 12] } },
  { randomCrop: { size: 32, padding: 4 } },
  { randomResizedCrop: 16 },
  { randomResizedCrop: [16, 20] },
  { randomResizedCrop: { size: 16, scale: [0.2, 0.8], ratio: [0.5, 2], interpolation: "bicubic" } },
  { randomHorizontalFlip: 0.5 },
  { randomRotation: 15 },
  { randomRotation: 22.5 },
  { randomRotation: [-10, 30] },
  { randomRotation: { degrees: 15 } },
  { randomRotation: { degrees: [0, 90], interpolation: "bilinear", fill: [1, 2, 3] } },
  { colorJitter: 0.4 },
  { colorJitter: { brightness: 0.4 } },
  { colorJitter: { brightness: 0.4, contrast: [0.5, 1.5], saturation: 2, hue: 0.1 } },
  { colorJitter: { hue: [-0.5, 0.25] } },
  { randomErasing: 0.25 },
  { randomErasing: {} },
  { randomErasing: { probability: 1, scale: [0.1, 0.2], ratio: [1, 1], value: 7 } },
  { randomErasing: { value: [1, 2, 3] } },
  { randomErasing: { value: "mean" } },
  { cutout: 8 },
  { cutout: { size: 8, value: "mean" } },
  { cutout: { size: 7, value: [9, 8, 7] } },
];

describe("the forms of transforms", () => {
  it.each(FORMS)("%j is taken, checked and knows its size", (form) => {
    expect(problems(form)).toEqual([]);
    const described = normalize.describe!({ params: params([form]), inputs: { train: rgb } }).train!;
    const compiled = compileTransforms([form], [32, 40]);
    expect([described.height, described.width]).toEqual(compiled.size);
  });

  it("fills in nothing where a form was there before, so that keys stay", () => {
    const given = [
      { resize: 120 },
      { resize: [8, 9] },
      { randomCrop: { size: 110 } },
      { randomCrop: 5 },
      { centerCrop: 3 },
      { randomHorizontalFlip: 0.5 },
    ];
    expect(params(given).train).toEqual(given);
  });

  it("means torchvision's defaults by the short form as by the object's", () => {
    const pairs: [TransformSetting, TransformSetting][] = [
      [{ resize: 16 }, { resize: { size: 16 } }],
      [{ randomResizedCrop: 16 }, { randomResizedCrop: { size: 16 } }],
      [{ randomRotation: 30 }, { randomRotation: { degrees: 30 } }],
      [{ colorJitter: 0.4 }, { colorJitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4 } }],
    ];
    expect(params(pairs.map(([, long]) => long)).train).toEqual([
      { resize: { size: 16, interpolation: "bilinear" } },
      { randomResizedCrop: { size: 16, scale: [0.08, 1], ratio: [3 / 4, 4 / 3], interpolation: "bilinear" } },
      { randomRotation: { degrees: 30, interpolation: "nearest", fill: 0 } },
      { colorJitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0 } },
    ]);
    expect(params([{ randomErasing: {} }, { cutout: { size: 8 } }]).train).toEqual([
      { randomErasing: { probability: 0.5, scale: [0.02, 0.33], ratio: [0.3, 3.3], value: "mean" } },
      { cutout: { size: 8, value: "mean" } },
    ]);
    const image = { data: Uint8Array.from({ length: 30 * 30 * 3 }, (_, i) => (i * 37) & 255), height: 30, width: 30 };
    for (const [short, long] of pairs)
      for (const filled of [long, params([long]).train[0] as TransformSetting]) {
        const apply = (setting: TransformSetting) =>
          compileTransforms([setting], [30, 30]).apply({ ...image, channels: 3 }, createRng(3, "forms")).data;
        expect(apply(filled)).toEqual(apply(short));
      }
  });

  it("puts the mean that is subtracted where it erases", async () => {
    const bench = dataBench(workbench.root);
    const given = {
      train: [{ randomErasing: 1 }, { cutout: { size: 4 } }, { cutout: { size: 4, value: 3 } }],
      mean: [0.5, 0.25, 1],
      std: [0.2, 0.2, 0.2],
      seed: 1,
    };
    const { outputs } = await bench.run(normalize, workbench.params(normalize as never, given), { train: data });
    const dataset = openDataset(outputs.train!);
    expect(dataset.transform!.transforms).toEqual([
      { randomErasing: { probability: 1, value: [128, 64, 255] } },
      { cutout: { size: 4, value: [128, 64, 255] } },
      { cutout: { size: 4, value: 3 } },
    ]);
    const options = { dataset, batchSize: 6, dropLast: false, shuffle: false, seed: 1, purpose: "train", threads: 0 };
    const loader = createLoader(options);
    for await (const { images } of loader.epoch(1)) {
      const pixels = Array.from({ length: 12 * 14 }, (_, i) => images.subarray(3 * i, 3 * i + 3).join(" "));
      expect(pixels).toContain("128 64 255");
      expect(pixels).toContain("3 3 3");
    }
    await loader.close();
    dataset.close();
  });
});

describe("transforms that cannot be", () => {
  it.each<[object, string]>([
    [{ centerCrop: 50 }, "with.train.0: input train: centerCrop takes 50 x 50 pixels, but the image is 32 x 40 there"],
    [
      { randomResizedCrop: { size: 8, scale: [0.9, 0.2] } },
      "with.train.0.randomResizedCrop.scale: input train: the range randomResizedCrop.scale ends at 0.2, before it begins at 0.9 (write the smaller number first: [0.2, 0.9])",
    ],
    [{ randomResizedCrop: { size: 8, ratio: [2, 1] } }, "with.train.0.randomResizedCrop.ratio: input train: the range"],
    [{ randomRotation: [30, -30] }, "with.train.0.randomRotation: input train: the range randomRotation ends at -30"],
    [{ randomRotation: { degrees: [3, 1] } }, "with.train.0.randomRotation.degrees: input train: the range"],
    [
      { randomRotation: { degrees: 3, fill: [1, 2] } },
      "with.train.0.randomRotation.fill: input train: randomRotation.fill has 2 values, but the images have 3 channels (one number stands for every channel)",
    ],
    [{ colorJitter: { hue: [0.2, 0.1] } }, "with.train.0.colorJitter.hue: input train: the range colorJitter.hue ends"],
    [{ colorJitter: {} }, "with.train.0.colorJitter: input train: colorJitter changes nothing (give one of brightness"],
    [{ colorJitter: 0 }, "with.train.0.colorJitter: input train: colorJitter changes nothing"],
    [{ randomErasing: { scale: [1, 1] } }, "with.train.0.randomErasing.scale: input train: randomErasing would never"],
    [{ randomErasing: { scale: [0.3, 0.1] } }, "with.train.0.randomErasing.scale: input train: the range"],
    [
      { randomErasing: { value: [1] } },
      "with.train.0.randomErasing.value: input train: randomErasing.value has 1 value,",
    ],
    [
      { cutout: 80 },
      "with.train.0.cutout: input train: cutout erases 80 x 80 pixels, which is all of an image of 32 x 40 wherever its centre is (a square of half the image's side is usual: cutout: 16)",
    ],
    [
      { cutout: { size: 4, value: [1, 2, 3, 4] } },
      "with.train.0.cutout.value: input train: cutout.value has 4 values,",
    ],
  ])("%j is refused where it was written", (transform, message) => {
    expect(problems(transform)).toEqual([expect.stringContaining(message)]);
  });

  it("are refused of images whose size is not known, where the size does not matter", () => {
    expect(problems({ randomRotation: [30, -30] }, { channels: 3 })).toHaveLength(1);
    expect(problems({ centerCrop: 500 }, { channels: 3 })).toEqual([]);
  });

  it("change no colours of images that have none", () => {
    const grey = { ...rgb, channels: 1 };
    expect(problems({ colorJitter: { brightness: 0.4, contrast: 0.4 } }, grey)).toEqual([]);
    expect(problems({ colorJitter: { hue: 0.1 } }, grey)).toEqual([
      expect.stringMatching(
        /^with\.train\.0\.colorJitter\.hue: .* changes the hue, which images of 1 channel do not have/,
      ),
    ]);
    expect(problems({ colorJitter: 0.4 }, grey)).toEqual([expect.stringContaining("changes the saturation")]);
    expect(problems({ colorJitter: 0.4 }, { ...rgb, channels: 4 })).toEqual([
      expect.stringContaining("colorJitter is for images of 1 or 3 channels, not of 4"),
    ]);
  });

  it.each<[object, string]>([
    [{ resize: { size: 8, interpolation: "lanczos" } }, "must be equal to one of the allowed values"],
    [{ resize: { interpolation: "nearest" } }, "must have required property 'size'"],
    [{ randomResizedCrop: { size: 8, scale: [0, 2] } }, "must be <= 1"],
    [{ randomResizedCrop: { size: 8, ratio: [0, 2] } }, "must be > 0"],
    [{ randomRotation: -5 }, "must be >= 0"],
    [{ randomRotation: { degrees: 5, interpolation: "bicubic" } }, "must be equal to one of the allowed values"],
    [{ randomRotation: { degrees: 5, expand: true } }, "must NOT have additional properties"],
    [{ colorJitter: { hue: 0.6 } }, "must be <= 0.5"],
    [{ colorJitter: { brightness: -1 } }, "must be >= 0"],
    [{ randomErasing: 1.5 }, "must be <= 1"],
    [{ randomErasing: { value: "random" } }, "must be equal to constant"],
    [{ cutout: 0 }, "must be >= 1"],
    [{ cutout: { value: 0 } }, "must have required property 'size'"],
    [{ solarize: 0.5 }, "must NOT have additional properties"],
    [{ cutout: 8, centerCrop: 8 }, "must NOT have more than 1 properties"],
  ])("%j is no form", (transform, message) => {
    expect(() => params([transform])).toThrow(message);
  });

  it("are told where they stand in the file, with a word that would be right", () => {
    const load = (transform: string) =>
      loadPipeline(
        {
          file: "p.yaml",
          folder: "/p",
          text: `name: p
stages:
  fetch: { uses: fetch, with: { dataset: cifar10 } }
  normalize:
    uses: normalize
    inputs: { train: fetch.train }
    with:
      seed: 1
      train:
        - ${transform}
`,
        },
        { profiles: [], overrides: [], workingFolder: "/p" },
        registry,
      );
    const told = (transform: string) => {
      const { diagnostics, texts } = load(transform);
      return diagnostics.map(({ span, message }) => [texts.get(span.file)!.slice(span.start, span.end), message]);
    };
    expect(told("randomResizedCrop: { size: 8, scale: [0.9, 0.2] }")).toEqual([
      ["[0.9, 0.2]", expect.stringContaining("ends at 0.2, before it begins at 0.9")],
    ]);
    expect(told("resize: { size: 8, interpolation: bicubik }")).toEqual([
      ["bicubik", expect.stringContaining("bicubik")],
    ]);
    expect(told("randomErasing: { value: random }")).toEqual([["random", expect.stringContaining("mean")]]);
    expect(told("colorJiter: 0.4")).toEqual([[expect.stringContaining("colorJiter"), expect.any(String)]]);
    expect(told("cutout: 16")).toEqual([]);
  });
});
