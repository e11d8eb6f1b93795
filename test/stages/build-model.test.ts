import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Ajv from "ajv";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import schema from "../../schemas/build-model.schema.json" with { type: "json" };
import type { Artifact, Facts, StageContext } from "../../src/contract.ts";
import { StageFailure } from "../../src/contract.ts";
import { readModelFiles } from "../../src/ml/checkpoint/model-files.ts";
import { openSafetensors, writeSafetensors } from "../../src/ml/checkpoint/safetensors.ts";
import { RESNETS, VGGS } from "../../src/ml/models/architecture.ts";
import { initialState } from "../../src/ml/nn/initial-state.ts";
import { buildModel } from "../../stages/build-model.ts";
import type { BuildModelParams } from "../../stages/generated/build-model-params.ts";

/** As the runner does it: the schema's defaults filled in, and its rules held to. */
function paramsOf(written: Record<string, unknown>): BuildModelParams {
  const filled = structuredClone(written);
  const validate = new Ajv({ useDefaults: true }).compile<BuildModelParams>(schema);
  if (!validate(filled)) throw new Error(JSON.stringify(validate.errors));
  return filled;
}

const small = { block: "basic", layers: [1, 1, 1, 1], numClasses: 10, imageSize: 32, seed: 1 };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "build-model-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function artifactAt(place: string, files: readonly string[]): Artifact {
  return {
    kind: "model",
    digest: "0".repeat(64),
    files: files.map((path) => ({ path, sizeBytes: statSync(join(place, path)).size, digest: "" })),
    path: (file = "") => join(place, file),
    references: {},
  };
}

async function build(name: string, written: Record<string, unknown>, weights?: Artifact) {
  const output = join(folder, name);
  const lines: string[] = [];
  const layers = join(folder, `${name}-layers`);
  for (const each of [output, layers]) mkdirSync(each);
  const context: Partial<StageContext<BuildModelParams>> = {
    params: paramsOf(written),
    inputs: weights === undefined ? {} : { weights },
    outputs: {
      model: { folder: output, reference: () => {} },
      layers: { folder: layers, reference: () => {} },
    },
    log: (line) => lines.push(line),
  };
  await buildModel.run(context as StageContext<BuildModelParams>);
  return { output, layers, lines, model: readModelFiles((file) => join(output, file)) };
}

const check = (written: Record<string, unknown>, inputs: Record<string, Facts> = {}) =>
  buildModel.check!({ params: paramsOf(written), inputs });

describe("running", () => {
  test("writes weights, architecture and layers, and prints the layer table", async () => {
    const { output, layers, lines, model } = await build("a", small);
    expect(readFileSync(join(output, "architecture.json"), "utf8")).toBe(
      '{"block":"basic","imageChannels":3,"layers":[1,1,1,1],"numClasses":10,"replaceStrideWithDilation":[false,false,false],"zeroInitResidual":false}\n',
    );
    expect(readFileSync(join(layers, "layers.txt"), "utf8")).toBe(`${lines.join("\n")}\n`);
    expect(lines[0]).toBe("resnet-basic-1-1-1-1: 32 x 32 x 3 images, 10 classes");
    expect(lines.at(-1)).toMatch(/^total +4,910,922 +\d/);
    expect(model.state["conv1.weight"]).toEqual(initialState(model.description, 1)["conv1.weight"]);
    expect(openSafetensors(join(output, "model.safetensors")).metadata).toEqual({ format: "pt" });
  });

  test("gives the same bytes for the same seed, and others for another", async () => {
    const bytes = async (name: string, seed: number) => {
      const { output } = await build(name, { ...small, seed });
      return readFileSync(join(output, "model.safetensors"));
    };
    const first = await bytes("a", 1);
    expect(first.equals(await bytes("b", 1))).toBe(true);
    expect(first.equals(await bytes("c", 2))).toBe(false);
  });

  test("draws the layer table for another image size without another model", async () => {
    const [first, second] = [await build("a", small), await build("b", { ...small, imageSize: 64 })];
    for (const file of ["architecture.json", "model.safetensors"])
      expect(readFileSync(join(first.output, file)).equals(readFileSync(join(second.output, file)))).toBe(true);
    expect(readdirSync(first.output).sort()).toEqual(["architecture.json", "model.safetensors"]);
    expect(readFileSync(join(second.layers, "layers.txt"), "utf8")).toContain("64 x 64 x 3 images");
  });

  test("starts from another model's weights", async () => {
    const { output, model } = await build("a", small);
    const weights = artifactAt(output, ["architecture.json", "model.safetensors"]);
    const again = await build("b", { ...small, seed: 99 }, weights);
    expect(
      Buffer.compare(
        readFileSync(join(output, "model.safetensors")),
        readFileSync(join(again.output, "model.safetensors")),
      ),
    ).toBe(0);

    const headed = await build("c", { ...small, seed: 99, numClasses: 3, newHead: true }, weights);
    expect(headed.model.state["fc.weight"]!.shape).toEqual([3, 512]);
    expect(
      Buffer.from(headed.model.state["conv1.weight"]!.data.buffer).equals(
        Buffer.from(model.state["conv1.weight"]!.data.buffer),
      ),
    ).toBe(true);
  });

  test("starts from a single file", async () => {
    const { output } = await build("a", small);
    const file: Artifact = {
      ...artifactAt(output, ["model.safetensors"]),
      files: [{ path: "", sizeBytes: 1, digest: "" }],
      path: () => join(output, "model.safetensors"),
    };
    const again = await build("b", { ...small, seed: 2 }, file);
    expect(readFileSync(join(again.output, "model.safetensors")).equals(readFileSync(file.path()))).toBe(true);
  });

  test("refuses weights for other classes, weights that are no safetensors, and folders without any, and writes nothing", async () => {
    const { output, layers } = await build("a", small);
    const weights = artifactAt(output, ["architecture.json", "model.safetensors"]);
    const failure = async (name: string, given: Artifact, changed: Record<string, unknown> = {}) => {
      const error = await build(name, { ...small, ...changed }, given).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(StageFailure);
      expect(existsSync(join(folder, name, "model.safetensors"))).toBe(false);
      return error as StageFailure;
    };
    const classes = await failure("b", weights, { numClasses: 5 });
    expect(classes.message).toBe(
      "the weights are for 10 classes (fc.weight is [10, 512], fc.bias is [10]), and numClasses is 5",
    );
    expect(classes.help).toContain("newHead: true");

    const notWeights = {
      ...weights,
      files: [{ path: "", sizeBytes: 1, digest: "" }],
      path: () => join(layers, "layers.txt"),
    };
    expect((await failure("c", notWeights)).message).toContain("is not a valid safetensors file");
    expect((await failure("d", artifactAt(output, ["architecture.json"]))).message).toBe(
      "the weights hold no model.safetensors",
    );
  });

  test("reads weights of other float types", async () => {
    const { output, model } = await build("a", small);
    const doubles = Object.fromEntries(
      Object.entries(model.state).map(([name, { shape, data }]) => [
        name,
        { dtype: "F64", shape, data: Float64Array.from(data as Float32Array) } as const,
      ]),
    );
    mkdirSync(join(folder, "doubles"));
    writeSafetensors(join(folder, "doubles", "model.safetensors"), doubles);
    const again = await build("b", small, artifactAt(join(folder, "doubles"), ["model.safetensors"]));
    expect(
      readFileSync(join(again.output, "model.safetensors")).equals(readFileSync(join(output, "model.safetensors"))),
    ).toBe(true);
  });
});

describe("checking", () => {
  test("finds nothing wrong with the published recipe", () => {
    expect(check({ architecture: "resnet34", numClasses: 10, seed: 123 })).toEqual([]);
  });

  test("points at what a basic block cannot do, all at once", () => {
    const wrong = {
      architecture: "resnet34",
      groups: 2,
      replaceStrideWithDilation: [false, false, true],
      numClasses: 10,
      seed: 1,
    };
    expect(check(wrong)).toEqual([
      {
        path: ["with", "groups"],
        message: "resnet34 is made of basic blocks, which cannot have groups",
        help: "use a bottleneck: resnet50, or `block: bottleneck`",
      },
      {
        path: ["with", "replaceStrideWithDilation"],
        message: "resnet34 is made of basic blocks, which cannot be dilated",
        help: "use a bottleneck: resnet50, or `block: bottleneck`",
      },
    ]);
  });

  test("points at layers that do not make a ResNet", () => {
    expect(check({ ...small, layers: [3, 4, 6] })[0]).toMatchObject({
      path: ["with", "layers"],
      message: "a ResNet has four stages, and `layers` has 3 numbers",
    });
    expect(check({ ...small, architecture: "resnet18" }).map(({ path }) => path)).toEqual([
      ["with", "block"],
      ["with", "layers"],
    ]);
  });

  test("points at images of which a VGG leaves nothing", () => {
    const vgg = { architecture: "vgg16", numClasses: 10, seed: 1 };
    expect(check({ ...vgg, imageSize: 31 })[0]).toMatchObject({ path: ["with", "imageSize"] });
    expect(check({ ...vgg, imageSize: 32 })).toEqual([]);
  });

  test("compares what is known about connected weights", () => {
    const facts = { classes: 100, architecture: "resnet18", channels: 1 };
    expect(check({ architecture: "resnet34", numClasses: 10, seed: 1 }, { weights: facts })).toEqual([
      {
        path: ["inputs", "weights"],
        message: "the weights have architecture resnet18, and resnet34 is set",
        help: "set the same `architecture` in both stages",
      },
      {
        path: ["inputs", "weights"],
        message: "the weights have imageChannels 1, and 3 is set",
        help: "set `imageChannels: 1`",
      },
      {
        path: ["inputs", "weights"],
        message: "the weights have numClasses 100, and 10 is set",
        help: "set `numClasses: 100`, or `newHead: true` to draw the last layer anew",
      },
    ]);
    const matching = { ...facts, channels: 3 };
    expect(check({ architecture: "resnet18", numClasses: 10, newHead: true, seed: 1 }, { weights: matching })).toEqual(
      [],
    );
    expect(check({ architecture: "resnet18", numClasses: 10, seed: 1 }, { weights: {} })).toEqual([]);
  });

  test("a new head needs weights to belong to", () => {
    expect(check({ ...small, newHead: true })[0]).toMatchObject({ path: ["with", "newHead"] });
  });

  test("whitened patches need images and nothing else to start from, and images need a use", () => {
    const images = { channels: 3, height: 32, width: 32 };
    expect(check({ ...small, whitenPatches: true }, { images })).toEqual([]);
    expect(check({ ...small, whitenPatches: true })).toEqual([
      expect.objectContaining({
        path: ["with", "whitenPatches"],
        message: expect.stringContaining("none are connected"),
      }),
    ]);
    expect(check(small, { images })).toEqual([expect.objectContaining({ path: ["inputs", "images"] })]);
    expect(check({ ...small, whitenPatches: true }, { images, weights: {} })[0]).toMatchObject({
      path: ["with", "whitenPatches"],
      message: expect.stringContaining("would replace the first filters"),
    });
  });
});

test("describes its model before it runs", () => {
  expect(buildModel.describe!({ params: paramsOf({ ...small, imageChannels: 1 }), inputs: {} })).toEqual({
    model: {
      classes: 10,
      architecture: "resnet-basic-1-1-1-1",
      channels: 1,
      spec: expect.objectContaining({ block: "basic", layers: [1, 1, 1, 1], numClasses: 10, imageChannels: 1 }),
    },
    layers: {},
  });
});

test("the schema names exactly the architectures there are", () => {
  expect(schema.properties.architecture.enum).toEqual(["resnet9", ...Object.keys(RESNETS), ...Object.keys(VGGS)]);
});
