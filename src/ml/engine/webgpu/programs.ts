/**
 * Programs of our own for the GPU, in WGSL: one thread per result, or one workgroup per sum. They read their inputs as
 * flat arrays by the names they are given, with sizes and settings as uniforms that are constants of the same names, so
 * one text serves all shapes and is compiled once. Nothing is added atomically: the same inputs give the same bits.
 */
import type { WebGPUBackend, WebGPUProgram } from "@tensorflow/tfjs-backend-webgpu";
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { Shape } from "../engine.ts";
import { elementsOf } from "../plain/shapes.ts";

export interface ProgramInputs {
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly ints?: Readonly<Record<string, number>>;
  readonly floats?: Readonly<Record<string, number>>;
}

export interface MapProgram extends ProgramInputs {
  /** The body of `fn value(i: i32) -> f32`: the element at flat position i. */
  readonly value: string;
}

export interface SumProgram extends ProgramInputs {
  /** How many terms each sum has. */
  readonly terms: number;
  /** The body of `fn term(i: i32, k: i32) -> f32`: the k-th term of sum i. */
  readonly term: string;
  /** An expression of `sum`; the sum itself where left out. */
  readonly result?: string;
}

const MAP_THREADS = 64;
/** Threads that share a sum. */
const SUM_THREADS = 64;

export class Programs {
  constructor(private readonly backend: WebGPUBackend) {}

  /** A tensor of `shape` whose every element is computed alone. */
  map(shape: Shape, program: MapProgram): TensorInfo {
    const threads = Math.ceil(elementsOf(shape) / MAP_THREADS);
    const code = `
      fn value(i: i32) -> f32 {
        ${constants(program)}
        ${program.value}
      }
      fn main(i: i32) {
        if (i < uniforms.size) { result[i] = value(i); }
      }`;
    return this.#run(shape, program, code, threads, MAP_THREADS);
  }

  /** A tensor of `shape` whose every element is a sum. Threads add every SUM_THREADS-th term, then pairwise. */
  sum(shape: Shape, program: SumProgram): TensorInfo {
    const code = `
      var<workgroup> partial: array<f32, ${SUM_THREADS}>;
      fn term(i: i32, k: i32) -> f32 {
        ${constants(program)}
        ${program.term}
      }
      fn finish(sum: f32) -> f32 {
        ${constants(program)}
        return ${program.result ?? "sum"};
      }
      fn main(index: i32) {
        let i = index / ${SUM_THREADS};
        let lane = i32(localIndex);
        var own = 0.0;
        if (i < uniforms.size) {
          for (var k = lane; k < uniforms.terms; k += ${SUM_THREADS}) { own += term(i, k); }
        }
        partial[lane] = own;
        workgroupBarrier();
        for (var half = ${SUM_THREADS / 2}; half > 0; half /= 2) {
          if (lane < half) { partial[lane] += partial[lane + half]; }
          workgroupBarrier();
        }
        if (lane == 0 && i < uniforms.size) { result[i] = finish(partial[0]); }
      }`;
    const ints = { ...program.ints, terms: program.terms };
    return this.#run(shape, { ...program, ints }, code, elementsOf(shape), SUM_THREADS);
  }

  #run(shape: Shape, program: ProgramInputs, code: string, workgroups: number, threads: number): TensorInfo {
    const { inputs, ints = {}, floats = {} } = program;
    const size = elementsOf(shape);
    const runnable: WebGPUProgram = {
      variableNames: Object.keys(inputs),
      outputShape: [size],
      dispatchLayout: { x: [0] },
      dispatch: [workgroups, 1, 1],
      workgroupSize: [threads, 1, 1],
      size: true,
      uniforms: [
        ...Object.keys(ints).map((name) => `${name} : i32, `),
        ...Object.keys(floats).map((name) => `${name} : f32, `),
      ].join(""),
      shaderKey: code,
      getUserCode: () => code,
    };
    const uniforms = [
      ...Object.values(ints).map((value) => ({ type: "int32", data: [value] })),
      ...Object.values(floats).map((value) => ({ type: "float32", data: [value] })),
    ];
    const flat = Object.values(inputs).map((info) => ({ ...info, shape: [elementsOf(info.shape)] }));
    const result = this.backend.runWebGPUProgram(runnable, flat, "float32", uniforms);
    return { ...result, shape: [...shape] };
  }
}

/** Uniforms under their own names. */
function constants({ ints = {}, floats = {} }: ProgramInputs): string {
  return [...Object.keys(ints), ...Object.keys(floats)].map((name) => `let ${name} = uniforms.${name};`).join(" ");
}
