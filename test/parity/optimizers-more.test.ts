/** Trajectories that `reference/make_optimizers.py` made with PyTorch in double precision, on the double-precision engine. */
import { describe, expect, test } from "vitest";
import { createReferenceEngine, type ReferenceEngine } from "../../src/ml/engine/cpu/cpu-engine.ts";
import type { Tensor } from "../../src/ml/engine/engine.ts";
import type { Parameter } from "../../src/ml/nn/network.ts";
import { createGradientSink, type GradientSettings } from "../../src/ml/optim/gradient-sink.ts";
import { createOptimizer } from "../../src/ml/optim/optimizer.ts";
import type {
  LarsOptimizer,
  OptimizerSettings,
  RmspropOptimizer,
  SgdOptimizer,
} from "../../src/ml/optim/optimizer-settings.ts";
import { optimizerStepOf } from "../../src/ml/optim/optimizer-step.ts";
import { createWeightAverage } from "../../src/ml/optim/weight-average.ts";
import { draw } from "./draw.ts";
import reference from "./reference/optimizers-more.json" with { type: "json" };

/** Both sides are double: what differs is the order of a few roundings. */
const TOLERANCE = 1e-14;

const SIZES = { weight: 6, bias: 3 } as const;
type Row = Readonly<Record<keyof typeof SIZES, readonly number[]>>;

const decay = { weightDecay: 0, weightDecayOn: "all" } as const;
const sgd: SgdOptimizer = {
  type: "sgd",
  learningRate: 0.1,
  momentum: 0.9,
  dampening: 0,
  nesterov: false,
  ...decay,
};
const rmsprop: RmspropOptimizer = {
  type: "rmsprop",
  learningRate: 0.01,
  alpha: 0.99,
  epsilon: 1e-8,
  momentum: 0,
  centered: false,
  ...decay,
};
const lars: LarsOptimizer = {
  type: "lars",
  learningRate: 0.1,
  momentum: 0,
  trustCoefficient: 0.001,
  epsilon: 1e-8,
  weightDecay: 0,
  weightDecayOn: "weights",
};

interface Case {
  readonly settings: OptimizerSettings;
  readonly gradients?: GradientSettings;
  readonly zeroWeight?: boolean;
  readonly zeroGradientAt?: number;
  /** Minibatches in all, in one epoch; the rate falls after the tenth if `fall`. */
  readonly batches?: number;
  readonly fall?: boolean;
}

/** What the parameters are after each minibatch (from 1). */
async function trajectory({ settings, gradients = {}, batches = 20, fall = true, ...zero }: Case): Promise<Row[]> {
  const engine = createReferenceEngine();
  const parameters = (["weight", "bias"] as const).map((name): Parameter => {
    const data = draw(name, SIZES[name]);
    if (zero.zeroWeight === true && name === "weight") data.fill(0);
    return { name, role: name, variable: engine.variable(data, [SIZES[name]]) };
  });
  // Norms are looked at through `download`, which would round them to float32.
  const unrounded = { ...engine, download: async (x: Tensor) => engine.downloadFloat64(x) as unknown as Float32Array };
  const optimizer = createOptimizer(unrounded, parameters, settings);
  const sink = createGradientSink(unrounded, optimizer, gradients);
  const rows: Row[] = [];
  for (let batch = 1; batch <= batches; batch++) {
    const learningRate = fall && batch > 10 ? settings.learningRate * 0.1 : settings.learningRate;
    const at = { ...optimizerStepOf(1, batch - 1, batches, gradients.accumulateSteps), learningRate };
    for (const parameter of parameters) {
      const { name } = parameter as { name: keyof typeof SIZES };
      const values = draw(`${name}.gradient${batch}`, SIZES[name]);
      if (zero.zeroGradientAt === batch && name === "weight") values.fill(0);
      const gradient = engine.upload(values, [SIZES[name]]);
      sink.take(parameter, gradient, at);
      engine.dispose(gradient);
    }
    await sink.finishMinibatch(at);
    rows.push(rowOf(engine, parameters));
    if (at.ends) expect(engine.liveTensors(), "held behind a step").toBe(0);
  }
  sink.close();
  optimizer.close();
  return rows;
}

function rowOf(engine: ReferenceEngine, [weight, bias]: readonly Parameter[]): Row {
  const read = ({ variable }: Parameter) => [...engine.downloadFloat64(variable)];
  return { weight: read(weight!), bias: read(bias!) };
}

function expectRows(rows: readonly Row[], expected: Readonly<Record<string, Row>>): void {
  for (const [at, row] of Object.entries(expected))
    for (const [name, values] of Object.entries(row) as [keyof typeof SIZES, number[]][])
      values.forEach((value, i) => {
        const actual = rows[Number(at) - 1]![name][i]!;
        expect(Math.abs(actual - value), `${name} ${i} at ${at}`).toBeLessThan(TOLERANCE);
      });
}

const cases: Record<keyof typeof reference.trajectories, Case> = {
  sgd_dampening: { settings: { ...sgd, dampening: 0.3 } },
  sgd_dampening_decay: { settings: { ...sgd, dampening: 0.5, weightDecay: 5e-2 } },
  sgd_dampening_without_momentum: { settings: { ...sgd, momentum: 0, dampening: 0.5 } },
  rmsprop: { settings: rmsprop },
  rmsprop_decay: { settings: { ...rmsprop, alpha: 0.9, weightDecay: 0.1 } },
  rmsprop_momentum: { settings: { ...rmsprop, momentum: 0.9 } },
  rmsprop_centered: { settings: { ...rmsprop, alpha: 0.95, epsilon: 1e-3, centered: true } },
  rmsprop_all: {
    settings: { ...rmsprop, alpha: 0.9, epsilon: 1e-4, momentum: 0.8, centered: true, weightDecay: 0.05 },
  },
  lars: { settings: lars },
  lars_momentum_decay: {
    settings: { ...lars, learningRate: 0.5, momentum: 0.9, weightDecay: 5e-2, trustCoefficient: 0.02, epsilon: 1e-6 },
  },
  lars_decay_on_all: {
    settings: { ...lars, learningRate: 0.5, momentum: 0.9, weightDecay: 5e-2, weightDecayOn: "all" },
  },
  lars_zero_norms: {
    settings: { ...lars, momentum: 0.9, weightDecay: 0.01 },
    zeroWeight: true,
    zeroGradientAt: 2,
  },
};

describe("twenty steps in double precision end where the reference's do", () => {
  test.each(Object.entries(cases))("%s", async (name, one) => {
    expectRows(await trajectory(one), reference.trajectories[name as keyof typeof cases]);
  });
});

describe("clipping gradients", () => {
  test.each(Object.entries(reference.clip_norm))(
    "to a global norm of %s is clip_grad_norm_'s",
    async (norm, expected) => {
      const clipGradient = { norm: Number(norm) };
      expectRows(await trajectory({ settings: sgd, gradients: { clipGradient } }), expected.parameters_after);
      // 0.5 is below every norm there is, 100 above, 1.5 among them.
      const clipped = expected.norms_before.filter((before) => before > Number(norm)).length;
      expect(clipped).toBe({ "0.5": 20, "1.5": 17, "100.0": 0 }[norm]);
    },
  );

  test.each(Object.entries(reference.clip_value))(
    "to values up to %s is clip_grad_value_'s",
    async (value, expected) => {
      const clipGradient = { value: Number(value) };
      expectRows(await trajectory({ settings: sgd, gradients: { clipGradient } }), expected.parameters_after);
    },
  );
});

test.each(reference.accumulated)(
  "a step takes the mean of $every minibatches of $batches, clipped at $max_norm",
  async ({ batches, every, max_norm, parameters_after_batch }) => {
    const clip = max_norm === null ? {} : { clipGradient: { norm: max_norm } };
    const rows = await trajectory({
      settings: { ...sgd, weightDecay: 5e-4 },
      gradients: { accumulateSteps: every, ...clip },
      batches,
      fall: false,
    });
    expectRows(rows, parameters_after_batch);
    // Nothing moves in between.
    expect(rows[0]!.weight).toEqual([...draw("weight", SIZES.weight)]);
    expect(rows[every]).toEqual(rows[every - 1]);
  },
);

test.each(reference.averaged)(
  "an average with decay $decay behind $start steps is AveragedModel's (use_buffers: $use_buffers)",
  async ({ decay, start, use_buffers, averages_after }) => {
    const engine = createReferenceEngine();
    const unrounded = {
      ...engine,
      download: async (x: Tensor) => engine.downloadFloat64(x) as unknown as Float32Array,
    };
    const parameters = (["weight", "bias"] as const).map(
      (name): Parameter => ({ name, role: name, variable: engine.variable(draw(name, SIZES[name]), [SIZES[name]]) }),
    );
    const buffers = [{ name: "buffer", variable: engine.variable(draw("buffer", 2), [2]) }];
    const optimizer = createOptimizer(engine, parameters, sgd);
    const settings = { decay, start, useBuffers: use_buffers };
    const average = createWeightAverage(unrounded, { parameters, buffers }, settings, start);
    for (let step = 1; step <= 12; step++) {
      for (const parameter of parameters) {
        const size = SIZES[parameter.name as keyof typeof SIZES];
        const gradient = engine.upload(draw(`${parameter.name}.gradient${step}`, size), [size]);
        optimizer.update(parameter, gradient, { step, learningRate: sgd.learningRate });
        engine.dispose(gradient);
      }
      engine.assign(buffers[0]!.variable, draw(`buffer${step}`, 2));
      const own = [...parameters, ...buffers].map(({ variable }) => engine.downloadFloat64(variable));
      await average.update(step);
      await average.swap();
      expect(average.swapped).toBe(step > start);
      const row = (averages_after as Record<string, Record<string, number[]>>)[step];
      expect(Object.keys(row ?? {})).toHaveLength(step > start ? 3 : 0);
      for (const { name, variable } of [...parameters, ...buffers])
        row?.[name]?.forEach((value, i) => {
          const actual = engine.downloadFloat64(variable)[i]!;
          expect(Math.abs(actual - value), `${name} ${i} after step ${step}`).toBeLessThan(TOLERANCE);
        });
      await average.swap();
      expect([...parameters, ...buffers].map(({ variable }) => engine.downloadFloat64(variable))).toEqual(own);
    }
    average.close();
    expect(engine.liveTensors()).toBe(0);
  },
);
