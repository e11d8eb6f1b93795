/**
 * One contract case: makes tensors and variables from reference values, compares results with them, and at the end
 * frees all it was given and counts what is left. An op that leaks an inner tensor fails the case that called it.
 *
 * Tolerances are relative to the largest expected magnitude. float32 rounds to 6e-8, and sums of up to a few thousand
 * products with random signs lose one or two digits more, in an order that each engine chooses: 2e-5 holds for all,
 * while a wrong pad, a biased variance or a swapped axis is off by 1e-2 and more.
 */
import { expect } from "vitest";
import type { Engine, Saved, Tensor, Variable } from "../../src/ml/engine/engine.ts";
import { draw } from "../parity/draw.ts";
import type { Values } from "./reference.ts";

export interface EngineUnderTest {
  readonly engine: Engine;
  /** Largest error allowed, relative to the largest expected magnitude. */
  readonly tolerance: number;
  /** The elements with all the precision that the engine has. */
  readonly read: (handle: Tensor | Variable) => Promise<ArrayLike<number>>;
}

/** Below this, magnitudes are cancellations of values of order one, and errors are counted against it instead. */
const SMALLEST_SCALE = 0.1;

export class Workbench {
  readonly engine: Engine;
  readonly #under: EngineUnderTest;
  readonly #tensors = new Set<Tensor>();
  readonly #saved: Saved[] = [];
  readonly #variables: Variable[] = [];

  private constructor(under: EngineUnderTest) {
    this.engine = under.engine;
    this.#under = under;
  }

  /** Runs `body`, frees what it made or kept, and expects no tensor more than before. */
  static async run(under: EngineUnderTest, body: (bench: Workbench) => Promise<void>): Promise<void> {
    const bench = new Workbench(under);
    const before = under.engine.liveTensors();
    try {
      await body(bench);
    } finally {
      under.engine.dispose(...bench.#tensors);
      for (const saved of bench.#saved) under.engine.disposeSaved(saved);
      for (const variable of bench.#variables) under.engine.disposeVariable(variable);
    }
    expect(under.engine.liveTensors() - before, "tensors leaked").toBe(0);
  }

  tensor(values: Values): Tensor {
    return this.keep(this.engine.upload(Float32Array.from(values.data), values.shape));
  }

  variable(values: Values): Variable {
    const variable = this.engine.variable(Float32Array.from(values.data), values.shape);
    this.#variables.push(variable);
    return variable;
  }

  keep(tensor: Tensor): Tensor {
    this.#tensors.add(tensor);
    return tensor;
  }

  keepSaved(saved: Saved): Saved {
    this.#saved.push(saved);
    return saved;
  }

  /** Frees a kept tensor before the end. */
  free(tensor: Tensor): void {
    this.#tensors.delete(tensor);
    this.engine.dispose(tensor);
  }

  /** Expects shape and elements; `slack` widens the tolerance where a case states why. */
  async expect(handle: Tensor | Variable, expected: Values, what: string, slack = 1): Promise<void> {
    expect(handle.shape, `${what}: shape`).toEqual(expected.shape);
    const actual = await this.#under.read(handle);
    expect(actual.length, `${what}: elements`).toBe(expected.data.length);
    const scale = expected.data.reduce((largest, value) => Math.max(largest, Math.abs(value)), SMALLEST_SCALE);
    const error = expected.data.reduce((worst, value, i) => Math.max(worst, Math.abs(actual[i]! - value)), 0) / scale;
    expect(error, `${what}: error relative to ${scale}`).toBeLessThanOrEqual(this.#under.tolerance * slack);
  }

  /** Keeps a result, then expects it. */
  async expectResult(tensor: Tensor, expected: Values, what: string, slack = 1): Promise<void> {
    this.keep(tensor);
    expect(tensor.dtype, `${what}: dtype`).toBe("float32");
    await this.expect(tensor, expected, what, slack);
  }
}

/** Numbers in [-1, 1) that float32 holds exactly, the same for the same name. */
export function drawn(name: string, ...shape: readonly number[]): Values {
  const count = shape.reduce((a, b) => a * b, 1);
  return { shape, data: draw(name, count).map(Math.fround) };
}

/** Values in [low, high), as float32 holds them. */
export function drawnBetween(low: number, high: number, name: string, ...shape: readonly number[]): Values {
  const { data } = drawn(name, ...shape);
  return { shape, data: data.map((u) => Math.fround(low + ((u + 1) / 2) * (high - low))) };
}

export type RunCase = (body: (bench: Workbench) => Promise<void>) => Promise<void>;
