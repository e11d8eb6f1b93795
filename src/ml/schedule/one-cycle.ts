/** PyTorch's `OneCycleLR` in its order of operations: every step's learning rate and momentum. */
import { exactCosine } from "./exact-cosine.ts";
import type { OneCycleSchedule } from "./schedule-settings.ts";

export interface OneCycle {
  readonly learningRates: Float64Array;
  /** Undefined where the momentum is the optimiser's own throughout. */
  readonly momenta: Float64Array | undefined;
}

/** Over `steps` steps, with `maxLr` at the top. Throws where `oneCycleProblem` has something to say. */
export function oneCycle(schedule: OneCycleSchedule, maxLr: number, steps: number): OneCycle {
  const problem = oneCycleProblem(schedule, steps);
  if (problem !== undefined) throw new RangeError(problem);
  const { pctStart, divFactor, finalDivFactor, annealStrategy, cycleMomentum, baseMomentum, maxMomentum } = schedule;
  const initialLr = maxLr / divFactor;
  const minLr = initialLr / finalDivFactor;
  const top = pctStart * steps - 1;
  const learningRates = new Float64Array(steps);
  const momenta = cycleMomentum ? new Float64Array(steps) : undefined;
  for (let step = 0; step < steps; step++) {
    const rising = step <= top;
    const part = rising ? step / top : (step - top) / (steps - 1 - top);
    const share = annealStrategy === "cos" ? exactCosine(Math.PI * part) + 1 : part;
    const anneal = (start: number, end: number) =>
      annealStrategy === "cos" ? end + ((start - end) / 2) * share : (end - start) * share + start;
    learningRates[step] = rising ? anneal(initialLr, maxLr) : anneal(maxLr, minLr);
    if (momenta) momenta[step] = rising ? anneal(maxMomentum, baseMomentum) : anneal(baseMomentum, maxMomentum);
  }
  return { learningRates, momenta };
}

/** Why there is no such cycle over `steps` steps: PyTorch divides by zero there. */
export function oneCycleProblem({ pctStart }: Pick<OneCycleSchedule, "pctStart">, steps: number): string | undefined {
  return pctStart * steps === 1
    ? `oneCycle rises over pctStart = ${pctStart} of ${steps} steps, which is one step, and a rise takes two`
    : undefined;
}
