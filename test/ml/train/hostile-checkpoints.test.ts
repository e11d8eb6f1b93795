/** Checkpoints that are not what they should be: each is refused with its reason, and what is trained is what it would have been. */
import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readStateFile } from "../../../src/ml/checkpoint/model-files.ts";
import { openSafetensors, type StoredTensor, writeSafetensors } from "../../../src/ml/checkpoint/safetensors.ts";
import type { TrainingSettings } from "../../../src/ml/train/training.ts";
import { bytesOf, type FolderStore, folderStore, type TinyRun, trainTiny } from "./tiny-training.ts";

const EPOCHS = 3;
type Tensors = Record<string, StoredTensor>;

let store: FolderStore;
beforeEach(async () => {
  store = folderStore();
});
afterEach(() => store.remove());

const path = (file: string, epoch = EPOCHS) => join(store.link(epoch), file);

/** Writes a file of tensors again, changed. */
function forge(file: string, change: (tensors: Tensors) => unknown): void {
  const tensors = readStateFile(openSafetensors(path(file)));
  const forged = (change(tensors) as Tensors | undefined) ?? tensors;
  rmSync(path(file));
  writeSafetensors(path(file), forged);
}

/** Changes the header of a file of tensors, whatever it then says. */
function forgeHeader(
  file: string,
  change: (header: Record<string, { data_offsets: [number, number]; shape: number[] }>) => void,
): void {
  const bytes = readFileSync(path(file));
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + length));
  change(header);
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  rmSync(path(file));
  writeFileSync(path(file), Buffer.concat([size, text, bytes.subarray(8 + length)]));
}

function forgeState(change: (state: Record<string, unknown>) => void): void {
  const state = JSON.parse(readFileSync(path("state.json"), "utf8"));
  change(state);
  writeFileSync(path("state.json"), JSON.stringify(state));
}

const MODEL = "model.safetensors";
const OPTIMIZER = "optimizer.safetensors";

const attacks: [name: string, attack: () => void, reason: RegExp][] = [
  [
    "a header that claims more bytes than there are",
    () => {
      const bytes = readFileSync(path(MODEL));
      bytes.writeBigUInt64LE(1_000_000n);
      writeFileSync(path(MODEL), bytes);
    },
    /its model\.safetensors is not a valid safetensors file: its header claims 1000000 bytes of \d+/,
  ],
  [
    "a header that is no JSON",
    () => {
      const bytes = readFileSync(path(MODEL));
      bytes.write("!", 8);
      writeFileSync(path(MODEL), bytes);
    },
    /its model\.safetensors is not a valid safetensors file: its header is not JSON/,
  ],
  [
    "a shape that its bytes do not have",
    () =>
      forgeHeader(MODEL, (header) => {
        header["fc.bias"]!.shape = [300];
      }),
    /tensor fc\.bias of shape \[300\] takes 1200 bytes, not 12/,
  ],
  [
    "tensors that overlap",
    () =>
      forgeHeader(OPTIMIZER, (header) => {
        const { data_offsets: there } = header["bn1.bias.momentum"]!;
        header["bn1.weight.momentum"]!.data_offsets = there;
      }),
    /its optimizer\.safetensors is not a valid safetensors file: tensor .* overlaps another/,
  ],
  ["a file cut short", () => truncateSync(path(MODEL), readFileSync(path(MODEL)).length - 4), /truncated/],
  ["a file that is empty", () => truncateSync(path(OPTIMIZER)), /its optimizer\.safetensors .* it has 0 bytes/],
  ["a file that is gone", () => rmSync(path(OPTIMIZER)), /its optimizer\.safetensors cannot be read \(ENOENT/],
  [
    "a NaN among the weights",
    () =>
      forge(MODEL, (tensors) => {
        (tensors["conv1.weight"]!.data as Float32Array)[7] = Number.NaN;
      }),
    /tensor conv1\.weight of its model\.safetensors holds a NaN or an infinity/,
  ],
  [
    "an infinity in the momentum",
    () =>
      forge(OPTIMIZER, (tensors) => {
        (tensors["fc.weight.momentum"]!.data as Float32Array)[0] = Number.POSITIVE_INFINITY;
      }),
    /tensor fc\.weight\.momentum of its optimizer\.safetensors holds a NaN or an infinity/,
  ],
  [
    "another shape of as many numbers",
    () =>
      forge(MODEL, (tensors) => {
        tensors["fc.weight"] = { ...tensors["fc.weight"]!, shape: [16, 3] };
      }),
    /the weights do not fit the model: .*fc\.weight/,
  ],
  [
    "another model's tensors",
    () => forge(MODEL, ({ "fc.bias": bias, ...others }) => ({ ...others, "head.bias": bias! })),
    /the weights do not fit the model: .*fc\.bias.*head\.bias/,
  ],
  [
    "names that objects have of themselves",
    () =>
      forge(MODEL, (tensors) =>
        Object.fromEntries([
          ...Object.entries(tensors),
          ...["__proto__", "constructor", "toString"].map((name): [string, StoredTensor] => [
            name,
            tensors["fc.bias"]!,
          ]),
        ]),
      ),
    /the weights do not fit the model: .*__proto__/,
  ],
  [
    "names that lead out of the store",
    () => forge(MODEL, (tensors) => ({ ...tensors, "../../../etc/passwd": tensors["fc.bias"]! })),
    /the weights do not fit the model: .*\.\.\/\.\.\/\.\.\/etc\/passwd/,
  ],
  [
    "weights in integers",
    () =>
      forge(MODEL, (tensors) => {
        tensors["fc.bias"] = { dtype: "I32", shape: [3], data: Int32Array.of(1, 2, 3) };
      }),
    /the weights do not fit the model: .*fc\.bias.*I32/,
  ],
  [
    "another optimiser's slots",
    () =>
      forge(OPTIMIZER, (tensors) =>
        Object.fromEntries(
          Object.entries(tensors).map(([name, slot]) => [name.replace("momentum", "firstMoment"), slot]),
        ),
      ),
    /this is not the state of this optimiser: .*conv1\.weight\.momentum is missing/,
  ],
  ["a state that is no JSON", () => writeFileSync(path("state.json"), "{"), /its state\.json cannot be read/],
  ["a state that is a list", () => writeFileSync(path("state.json"), "[]"), /its state\.json is no object/],
  [
    "a state of another format",
    () => forgeState((state) => Object.assign(state, { format: "tfpipe/training-state/9" })),
    /its state\.json is of the format "tfpipe\/training-state\/9"/,
  ],
  [
    "a state of another epoch",
    () => forgeState((state) => Object.assign(state, { epoch: 9 })),
    /its state\.json is of epoch 9, not of 4/,
  ],
  [
    "a state within an epoch, said to be at its end",
    () => forgeState((state) => Object.assign(state, { nextBatch: 2 })),
    /goes on with batch 2 of 5/,
  ],
  [
    "losses that are fewer than its steps",
    () => forgeState((state) => Object.assign(state, { loss: [1, 2, 3] })),
    /does not hold the losses of its 15 minibatches/,
  ],
  [
    "a loss that is no number",
    () => forgeState((state) => Object.assign(state, { loss: new Array(15).fill("1") })),
    /does not hold the losses of its 15 minibatches/,
  ],
  [
    "records out of order",
    () => forgeState((state) => Object.assign(state, { epochs: [...(state.epochs as unknown[])].reverse() })),
    /does not hold the records of its 3 epochs/,
  ],
  [
    "records of what was never measured",
    () =>
      forgeState((state) =>
        Object.assign(state, { epochs: (state.epochs as object[]).map((one) => ({ ...one, note: 1 })) }),
      ),
    /does not hold the records of its 3 epochs/,
  ],
  [
    "the state of a schedule that it has not",
    () =>
      forgeState((state) =>
        Object.assign(state, { plateau: { learningRate: 1, best: null, badEpochs: 0, cooldown: 0 } }),
      ),
    /holds another schedule's state/,
  ],
  [
    "a count of half a prediction",
    () => forgeState((state) => Object.assign(state, { correct: 0.5 })),
    /counts 0\.5 right predictions/,
  ],
];

async function straight(settings: Partial<TrainingSettings>): Promise<TinyRun> {
  const own = folderStore();
  try {
    return await trainTiny(settings, own);
  } finally {
    own.remove();
  }
}

describe("a checkpoint is refused with its reason, and the one before it is gone on from", () => {
  test.each(attacks)("%s", async (_, attack, reason) => {
    await trainTiny({ epochs: EPOCHS }, store);
    attack();
    const run = await trainTiny({ epochs: EPOCHS + 1 }, store);
    expect(run.warnings).toEqual([expect.stringMatching(reason)]);
    expect(run.warnings[0]).toMatch(/^the checkpoint of epoch 3 cannot be used: /);
    expect(run.lines[0]).toBe("Resumed after epoch 2");
    const whole = await straight({ epochs: EPOCHS + 1 });
    expect(bytesOf(run)).toBe(bytesOf(whole));
    expect(run.history).toEqual(whole.history);
  });
});

test("where every checkpoint is refused, the training begins anew, from weights that none of them touched", async () => {
  await trainTiny({ epochs: 1 }, store);
  const slots = readStateFile(openSafetensors(path(OPTIMIZER, 1)));
  rmSync(path(OPTIMIZER, 1));
  writeSafetensors(path(OPTIMIZER, 1), { ...slots, extra: slots["fc.bias.momentum"]! });
  const run = await trainTiny({ epochs: 2 }, store);
  expect(run.warnings).toEqual([
    "the checkpoint of epoch 1 cannot be used: this is not the state of this optimiser: extra is unexpected",
  ]);
  expect(run.lines.some((line) => line.startsWith("Resumed"))).toBe(false);
  expect(bytesOf(run)).toBe(bytesOf(await straight({ epochs: 2 })));
});

test("a best epoch whose model is no good is not taken for the result", async () => {
  const settings = { epochs: 5, select: "best" } as const;
  const { history } = await trainTiny(settings, store);
  const file = path(MODEL, history.bestEpoch);
  const tensors = readStateFile(openSafetensors(file));
  (tensors["fc.bias"]!.data as Float32Array).fill(Number.NaN);
  rmSync(file);
  writeSafetensors(file, tensors);
  const again = await trainTiny(settings, store);
  expect(again.warnings[0]).toMatch(/holds a NaN or an infinity$/);
  expect(bytesOf(again)).toBe(bytesOf(await straight(settings)));
});

test("an average that is missing or no good is refused like the weights", async () => {
  const settings = { epochs: EPOCHS, weightAverage: { decay: 0.9, start: 0, useBuffers: true } };
  await trainTiny(settings, store);
  rmSync(path("average.safetensors"));
  forgeAverage(2);
  const run = await trainTiny({ ...settings, epochs: EPOCHS + 1 }, store);
  expect(run.warnings).toEqual([
    expect.stringMatching(/epoch 3 cannot be used: its average\.safetensors cannot be read/),
    expect.stringMatching(/epoch 2 cannot be used: the weights do not fit the model: .*fc\.bias/),
  ]);
  expect(bytesOf(run)).toBe(bytesOf(await straight({ ...settings, epochs: EPOCHS + 1 })));
});

function forgeAverage(epoch: number): void {
  const file = path("average.safetensors", epoch);
  const { "fc.bias": _, ...others } = readStateFile(openSafetensors(file));
  rmSync(file);
  writeSafetensors(file, others);
}
