import { describe, expect, test } from "vitest";
import { createEngine, createReferenceEngine } from "../../../../src/ml/engine/cpu/cpu-engine.ts";
import { selfTest } from "../../../../src/ml/engine/self-test.ts";

const open = () => createEngine({ threads: 1, precision: "float32", folder: "" });
const geometry = { stride: 1, padding: 0, dilation: 1, groups: 1 };

describe("the cpu engine", () => {
  test("trains the self-test's network to the expected numbers", async () => {
    expect(await selfTest(await open())).toMatchObject({ ok: true });
    expect(await selfTest(createReferenceEngine())).toMatchObject({ ok: true });
  });

  test("refuses a precision that it does not compute in, and says who might", async () => {
    await expect(createEngine({ threads: 1, precision: "bfloat16", folder: "" })).rejects.toThrow(
      "the cpu engine cannot do bfloat16 arithmetic",
    );
  });

  test("refuses a handle that was freed, and one of another engine", async () => {
    const engine = await open();
    const tensor = engine.upload(Float32Array.of(1, 2), [2]);
    engine.dispose(tensor);
    expect(() => engine.relu(tensor)).toThrow("used after it was freed");
    expect(() => engine.dispose(tensor)).toThrow("used after it was freed");
    const foreign = (await open()).upload(Float32Array.of(1), [1]);
    expect(() => engine.relu(foreign)).toThrow("belongs to another engine");
    const variable = engine.variable(Float32Array.of(1), [1]);
    engine.disposeVariable(variable);
    expect(() => engine.assign(variable, Float32Array.of(2))).toThrow("used after it was freed");
  });

  test("refuses arguments that do not fit together, naming op and shapes", async () => {
    const engine = await open();
    const x = engine.upload(new Float32Array(2 * 3 * 3 * 4), [2, 3, 3, 4]);
    const filter = engine.variable(new Float32Array(3 * 3 * 5 * 2), [3, 3, 5, 2]);
    const large = engine.variable(new Float32Array(5 * 5 * 4 * 2), [5, 5, 4, 2]);
    const vector = engine.upload(new Float32Array(3), [3]);
    const bias = engine.variable(new Float32Array(3), [3]);
    expect(() => engine.upload(Float32Array.of(1, 2, 3), [2])).toThrow("3 elements do not make a tensor of shape [2]");
    expect(() => engine.conv2d(x, filter, geometry)).toThrow(
      "filter [3,3,5,2] in 1 groups does not fit input [2,3,3,4]",
    );
    expect(() => engine.conv2d(x, large, geometry)).toThrow("filter [5,5,4,2] is larger than the padded input");
    expect(() => engine.add(x, vector)).toThrow("add: shapes [2,3,3,4] and [3] do not agree");
    expect(() => engine.addBias(x, bias)).toThrow("addBias: shapes [3] and [4] do not agree");
    expect(() => engine.maxPool(x, { size: 2, stride: 1, padding: 2 })).toThrow("more than half the window");
    expect(() => engine.assign(bias, new Float32Array(4))).toThrow("assign: shapes [3] and [4] do not agree");
    expect(() => engine.normalizeImages(x, [0, 0, 0, 0], [1, 1, 1, 1])).toThrow("images are uint8, not float32");
  });

  test("refuses a label that is no class", async () => {
    const engine = await open();
    const logits = engine.upload(new Float32Array(3), [1, 3]);
    for (const label of [3, -1])
      expect(() => engine.softmaxCrossEntropy(logits, engine.upload(Int32Array.of(label), [1]))).toThrow(
        `label ${label} is not one of 3 classes`,
      );
  });

  test("keeps variables in float32, the reference in double", async () => {
    const third = 1 / 3;
    const settings = { learningRate: third, momentum: 0, weightDecay: 0, nesterov: false };
    const reference = createReferenceEngine();
    const engine = (await open()) as typeof reference;
    for (const [each, expected] of [
      [engine, Math.fround(1 - third)],
      [reference, 1 - third],
    ] as const) {
      const weight = each.variable(Float32Array.of(1), [1]);
      each.sgdUpdate(weight, each.upload(Float32Array.of(1), [1]), undefined, settings);
      expect(each.downloadFloat64(weight)[0]).toBe(expected);
    }
  });

  test("after close nothing is alive", async () => {
    const engine = await open();
    const tensor = engine.upload(Float32Array.of(1), [1]);
    await engine.close();
    expect(engine.liveTensors()).toBe(0);
    await expect(engine.download(tensor)).rejects.toThrow("used after it was freed");
  });
});
