/** The error of a training that does not fit into memory: foreseen before its first step, or met in one. */
import { largestBatch, type MemoryPlan } from "./training-memory.ts";

export class TrainingOutOfMemory extends Error {
  readonly help: string;
  constructor(message: string, help: string, cause?: unknown) {
    super(message, { cause });
    this.name = "TrainingOutOfMemory";
    this.help = help;
  }
}

/** Throws where a training surely does not fit: where its tensors alone take more than there is. */
export function refuseWhatCannotFit(plan: MemoryPlan, batchSize: number): void {
  const needed = plan.needs.atLeast(batchSize);
  if (needed <= plan.limitBytes) return;
  throw new TrainingOutOfMemory(
    `a batch of ${batchSize} images needs at least ${gigabytes(needed)} of memory, and this process can have ${gigabytes(plan.limitBytes)}`,
    whatFits(batchSize, plan),
  );
}

/** A line for a training that may not fit; undefined where it is expected to. */
export function tightMemoryLine(plan: MemoryPlan, batchSize: number): string | undefined {
  const expected = plan.needs.expected(batchSize);
  if (expected <= plan.limitBytes) return undefined;
  return `This training may need ${gigabytes(expected)} of memory, and can have ${gigabytes(plan.limitBytes)}: ${whatFits(batchSize, plan)}`;
}

/** An engine's refusal of memory in a step as what it means; any other error as it is. */
export function asOutOfMemory(
  error: unknown,
  at: { readonly epoch: number; readonly step: number; readonly steps: number; readonly batchSize: number },
  plan: MemoryPlan | undefined,
): unknown {
  if (!isAllocationFailure(error)) return error;
  const { epoch, step, steps, batchSize } = at;
  const [reason] = (error as Error).message.split("\n");
  return new TrainingOutOfMemory(
    `out of memory at epoch ${epoch}, step ${step} of ${steps}, with ${batchSize} images in a batch: ${reason}`,
    whatFits(batchSize, plan),
    error,
  );
}

/** TensorFlow's ResourceExhausted, JavaScript's and WebAssembly's refusals of a buffer, Dawn's of one on the GPU. */
function isAllocationFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    /\bOOM\b|resource.?exhausted|out of memory|failed to allocate|allocation failed|cannot enlarge memory|bad_alloc/i.test(
      error.message,
    ) ||
    (error instanceof RangeError && /Invalid (typed )?array (buffer )?length/i.test(error.message))
  );
}

function whatFits(batchSize: number, plan: MemoryPlan | undefined): string {
  const foreseen = plan === undefined ? batchSize : largestBatch(plan);
  // What was expected to fit and did not: half of it, for want of a better figure.
  const most = foreseen < batchSize ? foreseen : Math.floor(batchSize / 2);
  if (most < 1) return "not even one image fits: take a smaller model or smaller images, or a machine with more memory";
  const fits = roundDown(most);
  const parts = [2, 3, 4, 5, 6, 8, 16].find((count) => batchSize % count === 0 && batchSize / count <= fits);
  const whole = parts === undefined ? undefined : batchSize / parts;
  if (whole === undefined) return `\`batchSize: ${fits}\` should fit`;
  const together = `with \`accumulateSteps: ${parts}\` for as many images in an optimiser step`;
  return `\`batchSize: ${fits}\` should fit, ${whole === fits ? together : `or \`batchSize: ${whole}\` ${together}`}`;
}

/** To a number people choose: a multiple of the power of two that is about a sixteenth of it. */
function roundDown(count: number): number {
  const unit = 2 ** Math.max(0, Math.floor(Math.log2(count)) - 3);
  return Math.floor(count / unit) * unit;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(bytes < 1e9 ? 2 : 1)} GB`;
}
