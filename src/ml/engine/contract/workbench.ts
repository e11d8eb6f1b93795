/**
 * One contract case: makes tensors and variables from reference values, compares results with them, and at the end
 * frees all it was given and counts what is left. An op that leaks an inner tensor fails the case that called it.
 *
 * Tolerances are relative to the largest expected magnitude. float32 rounds to 6e-8, and sums of up to a few thousand
 * products with random signs lose one or two digits more, in an order that each engine chooses: 2e-5 holds for all,
 * while a wrong pad, a biased variance or a swapped axis is off by 1e-2 and more.
 */
import type { Engine, NumericPrecision, Saved, Tensor, Variable } from "../engine.ts";
import { ContractBroken, checkEqual } from "./check.ts";
import { draw } from "./draw.ts";
import { type NamedEngine, nameOps } from "./op-names.ts";
import type { Values } from "./reference.ts";

export interface EngineUnderTest {
  readonly engine: Engine;
  /** Largest error allowed, relative to the largest expected magnitude. */
  readonly tolerance: number;
  /** Other tolerances for some ops, by `conv2d` or `conv2dGradient.dfilter`. */
  readonly tolerances?: Readonly<Record<string, number>>;
  /** The elements with all the precision that the engine has. */
  readonly read: (handle: Tensor | Variable) => Promise<ArrayLike<number>>;
}

/** One comparison: the error as a share of what was allowed is `error / tolerance`. */
export interface Measure {
  readonly op: string;
  readonly error: number;
  readonly tolerance: number;
}

/** Something to check: a topic such as `max pooling`, a sentence, and what to do. Needs no test runner. */
export interface ContractCase {
  readonly topic: string;
  readonly title: string;
  readonly body: (bench: Workbench) => Promise<void>;
}

/** By precision. bfloat16 has 8 significant bits: each factor is off by up to 2e-3, and sums of many average that out. */
export const TOLERANCES: Readonly<Record<NumericPrecision, number>> = { float32: 2e-5, bfloat16: 2e-2 };

/** Below this, magnitudes are cancellations of values of order one, and errors are counted against it instead. */
const SMALLEST_SCALE = 0.1;

export class Workbench {
  readonly engine: Engine;
  readonly #under: EngineUnderTest;
  readonly #opOf: NamedEngine["opOf"];
  readonly #tensors = new Set<Tensor>();
  readonly #saved: Saved[] = [];
  readonly #variables: Variable[] = [];
  readonly #measures: Measure[] = [];

  private constructor(under: EngineUnderTest) {
    const { engine, opOf } = nameOps(under.engine);
    this.engine = engine;
    this.#opOf = opOf;
    this.#under = under;
  }

  /**
   * Runs a case, frees what it made or kept, and expects no tensor more than before. Rejects with `ContractBroken`
   * where a promise does not hold; `onMeasure` hears every comparison, those that fail too.
   */
  static async run(
    under: EngineUnderTest,
    body: ContractCase["body"],
    onMeasure: (measure: Measure) => void = () => {},
  ): Promise<void> {
    const bench = new Workbench(under);
    const before = under.engine.liveTensors();
    try {
      await body(bench);
    } finally {
      bench.#measures.forEach(onMeasure);
      under.engine.dispose(...bench.#tensors);
      for (const saved of bench.#saved) under.engine.disposeSaved(saved);
      for (const variable of bench.#variables) under.engine.disposeVariable(variable);
    }
    checkEqual(under.engine.liveTensors() - before, 0, "tensors leaked");
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
    checkEqual([...handle.shape], [...expected.shape], `${what}: shape`);
    const actual = await this.#under.read(handle);
    checkEqual(actual.length, expected.data.length, `${what}: elements`);
    const scale = expected.data.reduce((largest, value) => Math.max(largest, Math.abs(value)), SMALLEST_SCALE);
    const error = expected.data.reduce((worst, value, i) => Math.max(worst, Math.abs(actual[i]! - value)), 0) / scale;
    const op = this.#opOf(handle);
    const tolerance = (this.#under.tolerances?.[op] ?? this.#under.tolerance) * slack;
    this.#measures.push({ op, error, tolerance });
    // Written so that NaN fails.
    if (!(error <= tolerance))
      throw new ContractBroken(`${what}: error ${error} relative to ${scale}, more than ${tolerance} (${op})`);
  }

  /** Keeps a result, then expects it. */
  async expectResult(tensor: Tensor, expected: Values, what: string, slack = 1): Promise<void> {
    this.keep(tensor);
    checkEqual(tensor.dtype, "float32", `${what}: dtype`);
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

/** Adds a case: a sentence that should hold, and what to do to see it. */
export type AddCase = (title: string, body: ContractCase["body"]) => void;

/** The cases of one topic, in the order in which `define` adds them. */
export function casesOf(topic: string, define: (add: AddCase) => void): readonly ContractCase[] {
  const cases: ContractCase[] = [];
  define((title, body) => cases.push({ topic, title, body }));
  return cases;
}
