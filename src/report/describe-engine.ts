/** What a stage computes on, in words: `native TensorFlow 2.18.1, 2 threads, bfloat16`. */
import type { EngineRecord } from "../record.ts";
import { formatPlural } from "./format-count.ts";

export function describeEngine(engine: EngineRecord): string {
  return `${engine.name} ${engine.version}, ${describeNumerics(engine)}`;
}

/** How it computes. The way of convolutions is named where it was chosen. */
export function describeNumerics({ threads, precision, convolution = "auto" }: EngineRecord): string {
  const chosen = convolution === "auto" ? "" : `, ${convolution} convolutions`;
  return `${formatPlural(threads, "thread")}, ${precision}${chosen}`;
}
