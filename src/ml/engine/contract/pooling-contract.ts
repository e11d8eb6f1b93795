/** What every engine's pooling and pointwise ops must do. */

import { checkEqual } from "./check.ts";
import type { Values } from "./reference.ts";
import * as reference from "./reference.ts";
import { type ContractCase, casesOf, drawn, drawnBetween, type Workbench } from "./workbench.ts";

const POOLS = [
  { size: 3, stride: 2, padding: 1 },
  { size: 2, stride: 2, padding: 0 },
  { size: 3, stride: 1, padding: 1 },
  { size: 3, stride: 2, padding: 0 },
  { size: 2, stride: 1, padding: 1 },
  { size: 1, stride: 2, padding: 0 },
  { size: 3, stride: 3, padding: 0 },
  { size: 5, stride: 1, padding: 2 },
] as const;

async function checkMaxPool(bench: Workbench, x: Values): Promise<void> {
  for (const geometry of POOLS) {
    if (geometry.size > Math.min(x.shape[1]!, x.shape[2]!) + 2 * geometry.padding) continue;
    const what = `[${x.shape}] ${JSON.stringify(geometry)}`;
    const xs = bench.tensor(x);
    const expected = reference.maxPool(x, geometry);
    const y = bench.engine.maxPool(xs, geometry);
    await bench.expectResult(y, expected, `y of ${what}`);
    const dy = drawn("dy", ...expected.shape);
    const dx = bench.engine.maxPoolGradient(bench.tensor(dy), xs, y, geometry);
    await bench.expectResult(dx, reference.maxPoolGradient(dy, x, geometry), `dx of ${what}`);
  }
}

export function poolingCases(): readonly ContractCase[] {
  return [
    ...casesOf("max pooling", (add) => {
      for (const shape of [
        [2, 7, 8, 3],
        [1, 6, 5, 4],
        [3, 1, 1, 2],
        [1, 2, 2, 1],
      ])
        add(`of [${shape}] is right, with its gradient`, (bench) => checkMaxPool(bench, drawn("x", ...shape)));

      add("never takes padding for the maximum, also where all inputs are negative", (bench) =>
        checkMaxPool(bench, drawnBetween(-2, -1, "x", 2, 7, 6, 3)),
      );

      add("sends the gradient to the first of equal maxima, in row-major order", async (bench) => {
        for (const low of [-3, 0]) {
          const { shape, data } = drawnBetween(low, low + 2.999, "x", 2, 7, 6, 3);
          await checkMaxPool(bench, { shape, data: data.map(Math.floor) });
        }
        await checkMaxPool(bench, reference.relu(drawn("x", 2, 6, 7, 3)));
        await checkMaxPool(bench, reference.zeros(1, 5, 5, 2));
      });
    }),

    ...casesOf("adaptive average pooling", (add) => {
      for (const size of [1, 2, 7])
        for (const [h, w] of [
          [1, 1],
          [3, 3],
          [7, 7],
          [14, 14],
          [5, 9],
          [13, 4],
        ] as const)
          add(`to ${size} from ${h} by ${w} is right, with its gradient`, async (bench) => {
            const [x, dy] = [drawn("x", 2, h, w, 3), drawn("dy", 2, size, size, 3)];
            const y = bench.engine.adaptiveAveragePool(bench.tensor(x), size);
            await bench.expectResult(y, reference.adaptiveAveragePool(x, size), "y");
            const dx = bench.engine.adaptiveAveragePoolGradient(bench.tensor(dy), x.shape);
            await bench.expectResult(dx, reference.adaptiveAveragePoolGradient(dy, x.shape), "dx");
          });
    }),

    ...casesOf("pointwise ops", (add) => {
      add("a NaN stays one through relu, add and multiply, so that a training that diverged shows", async (bench) => {
        const { engine } = bench;
        const x = bench.keep(engine.upload(Float32Array.of(-1, Number.NaN, 2, 0), [1, 2, 2, 1]));
        for (const result of [engine.relu(x), engine.add(x, x), engine.multiply(x, x)])
          checkEqual(Number.isNaN((await engine.download(bench.keep(result)))[1]), true, "a NaN is one after");
      });

      add("relu keeps what is positive, and passes its gradient only there", async (bench) => {
        const [x, dy] = [drawn("x", 2, 3, 4, 5), drawn("dy", 2, 3, 4, 5)];
        x.data[0] = 0;
        const y = bench.engine.relu(bench.tensor(x));
        await bench.expectResult(y, reference.relu(x), "y");
        await bench.expectResult(
          bench.engine.reluGradient(bench.tensor(dy), y),
          reference.reluGradient(dy, reference.relu(x)),
          "dx",
        );
      });

      add("add and multiply work element by element, also with one tensor twice", async (bench) => {
        for (const shape of [[2, 3, 4, 5], [3, 7], [4]]) {
          const [a, b] = [drawn("a", ...shape), drawn("b", ...shape)];
          const [as, bs] = [bench.tensor(a), bench.tensor(b)];
          await bench.expectResult(bench.engine.add(as, bs), reference.add(a, b), "a + b");
          await bench.expectResult(bench.engine.multiply(as, bs), reference.multiply(a, b), "a b");
          await bench.expectResult(bench.engine.add(as, as), reference.add(a, a), "a + a");
        }
      });

      add("reshape keeps the elements, and the handles live and die apart", async (bench) => {
        const x = drawn("x", 2, 3, 4, 5);
        const first = bench.tensor(x);
        const second = bench.keep(bench.engine.reshape(first, [6, 20]));
        bench.free(first);
        await bench.expect(second, { shape: [6, 20], data: x.data }, "reshaped, its source freed");
        const third = bench.keep(bench.engine.reshape(second, [120]));
        bench.free(third);
        await bench.expect(second, { shape: [6, 20], data: x.data }, "the source of a freed reshape");
      });
    }),
  ];
}
