/** What every engine's convolutions must do: each geometry that the models use, and the corners around them. */
import type { ConvGeometry } from "../engine.ts";
import { ContractBroken, checkEqual } from "./check.ts";
import type { Values } from "./reference.ts";
import * as reference from "./reference.ts";
import { type ContractCase, casesOf, drawn, type Workbench } from "./workbench.ts";

/** Forward and both gradients of one geometry. */
async function checkConvolution(bench: Workbench, x: Values, filter: Values, geometry: ConvGeometry): Promise<void> {
  const { engine } = bench;
  const what = `x [${x.shape}] filter [${filter.shape}] ${JSON.stringify(geometry)}`;
  const dy = drawn("dy", ...reference.convolutionShape(x, filter, geometry));
  const expected = reference.conv2dGradient(dy, x, filter, geometry);
  const [xs, weights, dys] = [bench.tensor(x), bench.variable(filter), bench.tensor(dy)];
  await bench.expectResult(engine.conv2d(xs, weights, geometry), reference.conv2d(x, filter, geometry), `y of ${what}`);
  const { dx, dfilter } = engine.conv2dGradient(dys, xs, weights, geometry, true);
  await bench.expectResult(dfilter, expected.dfilter, `dfilter of ${what}`);
  if (dx === undefined) throw new ContractBroken(`there is no dx of ${what}`);
  await bench.expectResult(dx, expected.dx, `dx of ${what}`);
}

async function eachOf(
  a: readonly number[],
  b: readonly number[],
  visit: (a: number, b: number) => Promise<void>,
): Promise<void> {
  for (const first of a) for (const second of b) await visit(first, second);
}

export function convolutionCases(): readonly ContractCase[] {
  return casesOf("convolution", (add) => {
    for (const kernel of [1, 2, 3, 5, 7])
      for (const dilation of [1, 2, 4])
        add(
          `a ${kernel}x${kernel} kernel dilated by ${dilation} is right, with both gradients, for every pad, stride and size`,
          async (bench) => {
            const reach = dilation * (kernel - 1) + 1;
            for (const stride of [1, 2])
              for (const padding of [0, 1, 2, 3])
                for (const [n, h, w] of [
                  [1, 1, 1],
                  [2, 7, 8],
                  [1, 6, 5],
                  [2, 9, 9],
                  ...(reach > 9 ? [[1, reach, reach + 1] as const] : []),
                ] as const) {
                  if (reach > Math.min(h, w) + 2 * padding) continue;
                  const geometry = { stride, padding, dilation, groups: 1 };
                  await checkConvolution(
                    bench,
                    drawn("x", n, h, w, 3),
                    drawn("filter", kernel, kernel, 3, 4),
                    geometry,
                  );
                }
          },
        );

    // Transforms of whole rows (Winograd) differ with the size of the map, and most on maps of a few pixels.
    add("a 3x3 kernel keeps the size of maps of every size from 1 to 18, square or not", async (bench) => {
      const geometry = { stride: 1, padding: 1, dilation: 1, groups: 1 };
      for (let h = 1; h <= 18; h++)
        for (const w of new Set([h, 1, 2, 19 - h]))
          await checkConvolution(bench, drawn("x", 1, h, w, 4), drawn("filter", 3, 3, 4, 5), geometry);
      await checkConvolution(bench, drawn("x", 3, 8, 8, 128), drawn("filter", 3, 3, 128, 128), geometry);
      await checkConvolution(bench, drawn("x", 2, 2, 3, 256), drawn("filter", 3, 3, 256, 256), geometry);
    });

    add("strides of 3 and 4 are right, also where they pass over pixels or a kernel has the stride's size", (bench) =>
      eachOf([3, 4], [1, 3, 4], async (stride, kernel) => {
        for (const [padding, size] of [
          [0, 8],
          [1, 9],
          [2, 11],
        ] as const) {
          const x = drawn("x", 1, size, size + 1, 3);
          const filter = drawn("filter", kernel, kernel, 3, 4);
          await checkConvolution(bench, x, filter, { stride, padding, dilation: 1, groups: 1 });
        }
      }),
    );

    add("channels in whole vectors of 4 are right, at every stride, pad and dilation, on maps of many tiles", (bench) =>
      eachOf([1, 2, 3], [0, 1, 3], async (stride, padding) => {
        for (const [dilation, h, w] of [
          [1, 12, 11],
          [2, 16, 16],
        ] as const) {
          const [x, filter] = [drawn("x", 2, h, w, 8), drawn("filter", 3, 3, 8, 8)];
          await checkConvolution(bench, x, filter, { stride, padding, dilation, groups: 1 });
        }
      }),
    );

    add("groups are right in one image, on maps of one pixel, and with kernels of 1 and 5", (bench) =>
      eachOf([1, 5], [2, 8], async (kernel, groups) => {
        const filter = drawn("filter", kernel, kernel, 8 / groups, 8);
        for (const size of [1, 4, 7]) {
          const geometry = { stride: 1, padding: (kernel - 1) / 2, dilation: 1, groups };
          await checkConvolution(bench, drawn("x", 1, size, size, 8), filter, geometry);
        }
      }),
    );

    for (const [what, groups, cin, cout] of [
      ["32 groups of 2 channels", 32, 64, 64],
      ["32 groups that widen", 32, 32, 64],
      ["a group per channel (depthwise)", 8, 8, 8],
      ["depthwise with a multiplier of 2", 4, 4, 8],
      ["2 groups of unequal widths in and out", 2, 6, 10],
    ] as const)
      add(`${what} stay apart, at strides 1 and 2, dilations 1 and 2, odd and even sizes`, async (bench) => {
        for (const stride of [1, 2])
          for (const [dilation, padding] of [
            [1, 1],
            [2, 2],
            [1, 0],
          ] as const)
            for (const size of [5, 6]) {
              const filter = drawn("filter", 3, 3, cin / groups, cout);
              await checkConvolution(bench, drawn("x", 2, size, size, cin), filter, {
                stride,
                padding,
                dilation,
                groups,
              });
            }
      });

    add("a kernel may be higher than wide", async (bench) => {
      for (const stride of [1, 2])
        await checkConvolution(bench, drawn("x", 2, 6, 7, 3), drawn("filter", 3, 1, 3, 5), {
          stride,
          padding: 1,
          dilation: 1,
          groups: 1,
        });
    });

    add("a first layer as in ResNet: 7x7, stride 2, pad 3 over three channels", (bench) =>
      checkConvolution(bench, drawn("x", 2, 22, 22, 3), drawn("filter", 7, 7, 3, 16), {
        stride: 2,
        padding: 3,
        dilation: 1,
        groups: 1,
      }),
    );

    add("sums over many channels and positions keep their accuracy", async (bench) => {
      const geometry = { stride: 1, padding: 1, dilation: 1, groups: 1 };
      await checkConvolution(bench, drawn("x", 2, 14, 14, 64), drawn("filter", 3, 3, 64, 64), geometry);
      await checkConvolution(bench, drawn("wide", 6, 14, 14, 128), drawn("filter", 3, 3, 128, 8), geometry);
    });

    add("without wantInput there is no dx, and dfilter is the same", async (bench) => {
      const geometry = { stride: 2, padding: 1, dilation: 1, groups: 1 };
      const [x, filter, dy] = [drawn("x", 2, 6, 6, 3), drawn("filter", 3, 3, 3, 4), drawn("dy", 2, 3, 3, 4)];
      const result = bench.engine.conv2dGradient(
        bench.tensor(dy),
        bench.tensor(x),
        bench.variable(filter),
        geometry,
        false,
      );
      checkEqual(result.dx, undefined, "dx");
      await bench.expectResult(result.dfilter, reference.conv2dGradient(dy, x, filter, geometry).dfilter, "dfilter");
    });

    add("a filter that an update or an assignment changed is the one used next", async (bench) => {
      const geometry = { stride: 1, padding: 1, dilation: 1, groups: 1 };
      const [x, filter, step] = [drawn("x", 1, 5, 5, 4), drawn("filter", 3, 3, 4, 4), drawn("step", 3, 3, 4, 4)];
      const [xs, weights] = [bench.tensor(x), bench.variable(filter)];
      await bench.expectResult(
        bench.engine.conv2d(xs, weights, geometry),
        reference.conv2d(x, filter, geometry),
        "before",
      );
      const settings = { learningRate: 1, momentum: 0, weightDecay: 0, nesterov: false };
      bench.engine.sgdUpdate(weights, bench.tensor(step), undefined, settings);
      const moved: Values = { shape: filter.shape, data: filter.data.map((value, i) => value - step.data[i]!) };
      await bench.expectResult(
        bench.engine.conv2d(xs, weights, geometry),
        reference.conv2d(x, moved, geometry),
        "updated",
      );
      bench.engine.assign(weights, Float32Array.from(step.data));
      await bench.expectResult(
        bench.engine.conv2d(xs, weights, geometry),
        reference.conv2d(x, step, geometry),
        "assigned",
      );
    });

    for (const shape of [
      [2, 3, 3, 5],
      [3, 4],
    ])
      add(`a bias per channel is added to [${shape}], and its gradient sums the others`, async (bench) => {
        const [x, bias] = [drawn("x", ...shape), drawn("bias", shape.at(-1)!)];
        await bench.expectResult(
          bench.engine.addBias(bench.tensor(x), bench.variable(bias)),
          reference.addBias(x, bias),
          "y",
        );
        await bench.expectResult(bench.engine.addBiasGradient(bench.tensor(x)), reference.addBiasGradient(x), "dbias");
      });
  });
}
