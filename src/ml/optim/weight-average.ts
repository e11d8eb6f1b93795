/**
 * The exponential moving average of a network's weights, as torch.optim.swa_utils.AveragedModel with
 * get_ema_multi_avg_fn(decay): the first update copies, each further one moves by 1 - decay (Polyak & Juditsky 1992).
 *
 * The averages lie in variables of their own, in the engine's layout. To be measured or saved they change places with the
 * network's values, whose exact bits come back: between calls the network holds its own, unless `swapped`.
 */
import type { Engine, Variable } from "../engine/engine.ts";
import type { Network } from "../nn/network.ts";

export interface WeightAverageSettings {
  readonly decay: number;
  /** After how many epochs averaging begins. */
  readonly start: number;
  /** Averages running statistics too (all but their batch counts). Otherwise they are the network's own, as PyTorch's default. */
  readonly useBuffers: boolean;
}

export interface WeightAverage {
  /** The network holds the averages. */
  readonly swapped: boolean;
  /** After optimiser step `step` (from 1, over all epochs). Up to and including `startStep` it does nothing. */
  update(step: number): Promise<void>;
  /** Puts the averages in the network's place, or its own values back. Does nothing before there are averages. */
  swap(): Promise<void>;
  /** Takes the network's values for the averages after step `step`. */
  restore(step: number): Promise<void>;
  close(): void;
}

/** An average that begins behind step `startStep`. */
export function createWeightAverage(
  engine: Engine,
  network: Pick<Network, "parameters" | "buffers">,
  { decay, useBuffers }: WeightAverageSettings,
  startStep: number,
): WeightAverage {
  const pairs = [...network.parameters, ...(useBuffers ? network.buffers : [])].map(({ variable }) => ({
    own: variable,
    average: engine.variable(new Float32Array(elementCount(variable)), variable.shape),
  }));
  const read = async (variable: Variable) => (await engine.download(variable)) as Float32Array;
  let exists = false;
  let swapped = false;

  async function capture(): Promise<void> {
    for (const { own, average } of pairs) engine.assign(average, await read(own));
    exists = true;
  }

  return {
    get swapped() {
      return swapped;
    },
    async update(step) {
      if (swapped) throw new Error("an average cannot be updated while the network holds it");
      if (step <= startStep) return;
      if (exists) for (const { own, average } of pairs) engine.averageUpdate(average, own, 1 - decay);
      else await capture();
    },
    async swap() {
      if (!exists) return;
      for (const { own, average } of pairs) {
        const [values, averages] = [await read(own), await read(average)];
        engine.assign(own, averages);
        engine.assign(average, values);
      }
      swapped = !swapped;
    },
    async restore(step) {
      if (step > startStep) await capture();
    },
    close() {
      for (const { average } of pairs) engine.disposeVariable(average);
      pairs.length = 0;
    },
  };
}

function elementCount({ shape }: Variable): number {
  return shape.reduce((product, size) => product * size, 1);
}
