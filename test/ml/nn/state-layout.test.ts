import { expect, test } from "vitest";
import type { StateEntry } from "../../../src/ml/nn/state-entry.ts";
import { engineShape, toEngineLayout, toTorchLayout } from "../../../src/ml/nn/state-layout.ts";

const entry = (shape: readonly number[], layout: StateEntry["layout"]): StateEntry => ({
  name: "x",
  shape,
  role: "weight",
  initial: { type: "constant", value: 0 },
  layout,
});
const counted = (count: number) => Float32Array.from({ length: count }, (_, i) => i);

test("filters go from OIHW to HWIO", () => {
  const filter = entry([5, 3, 2, 2], { type: "filter" });
  const engine = toEngineLayout(filter, counted(60));
  expect(engineShape(filter)).toEqual([2, 2, 3, 5]);
  for (let o = 0; o < 5; o++)
    for (let i = 0; i < 3; i++)
      for (let h = 0; h < 2; h++)
        for (let w = 0; w < 2; w++) expect(engine[((h * 2 + w) * 3 + i) * 5 + o]).toBe(((o * 3 + i) * 2 + h) * 2 + w);
});

test("linear weights go from [out, c h w] to [h w c, out]", () => {
  const matrix = entry([5, 12], { type: "matrix", positions: 4 });
  const engine = toEngineLayout(matrix, counted(60));
  expect(engineShape(matrix)).toEqual([12, 5]);
  for (let out = 0; out < 5; out++)
    for (let channel = 0; channel < 3; channel++)
      for (let position = 0; position < 4; position++)
        expect(engine[(position * 3 + channel) * 5 + out]).toBe(out * 12 + channel * 4 + position);
});

test.each([
  [[5, 3, 2, 2], { type: "filter" }],
  [[5, 12], { type: "matrix", positions: 4 }],
  [[5, 12], { type: "matrix", positions: 1 }],
  [[60], { type: "vector" }],
] as const)("%j as %j comes back as it was", (shape, layout) => {
  expect(toTorchLayout(entry(shape, layout), toEngineLayout(entry(shape, layout), counted(60)))).toEqual(counted(60));
});
