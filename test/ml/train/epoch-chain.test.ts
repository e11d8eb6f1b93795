import { describe, expect, test } from "vitest";
import { type EpochChain, epochChain } from "../../../src/ml/train/epoch-chain.ts";

const plateau = {
  type: "plateau",
  metric: "validAccuracy",
  mode: "auto",
  factor: 0.1,
  patience: 1,
  threshold: 0,
  thresholdMode: "rel",
  cooldown: 0,
  minLr: 0,
} as const;
const length = { epochs: 3, stepsPerEpoch: 4 };
const oneCycle = {
  type: "oneCycle",
  pctStart: 0.3,
  divFactor: 25,
  finalDivFactor: 1e4,
  annealStrategy: "linear",
  cycleMomentum: true,
  baseMomentum: 0.85,
  maxMomentum: 0.95,
} as const;

/** How many of the first epochs two chains have in common. */
function shared(a: EpochChain, b: EpochChain, epochs = length.epochs): number {
  let count = 0;
  while (count < epochs && JSON.stringify(a.link(count + 1)) === JSON.stringify(b.link(count + 1))) count++;
  for (let epoch = 1; epoch <= epochs; epoch++)
    expect(JSON.stringify(a.within(epoch)) === JSON.stringify(b.within(epoch)), `within ${epoch}`).toBe(epoch <= count);
  return count;
}
const chain = (schedule: Parameters<typeof epochChain>[0], epochs = length.epochs, rate = 0.1) =>
  epochChain(schedule, rate, { ...length, epochs });

describe("a link", () => {
  test("is named by its epoch and a digest of what was decided up to it", () => {
    const decided = expect.stringMatching(/^[0-9a-f]{64}$/);
    const links = chain({ type: "step", stepSize: 1, gamma: 0.5 });
    expect(links.link(3)).toEqual({ type: "train/epoch", epoch: 3, decided });
    expect(links.within(1)).toEqual({ type: "train/within-epoch", epoch: 1, decided });
    expect(new Set([1, 2, 3].map((epoch) => JSON.stringify(links.link(epoch)))).size).toBe(3);
  });

  test("of one chain is never one of another that parted earlier, though its own epoch is the same", () => {
    // 0.1, 0.05, 0.05 and 0.1, 0.1, 0.05.
    const a = chain({ type: "multistep", milestones: [1], gamma: 0.5 });
    const b = chain({ type: "multistep", milestones: [2], gamma: 0.5 });
    expect(shared(a, b)).toBe(1);
  });

  test("holds each epoch's rate, whatever schedule it comes from", () => {
    const step = chain({ type: "step", stepSize: 2, gamma: 0.5 });
    expect(shared(step, chain({ type: "multistep", milestones: [2], gamma: 0.5 }))).toBe(3);
    expect(shared(step, chain({ type: "constant" }))).toBe(2);
    expect(shared(step, chain({ type: "step", stepSize: 2, gamma: 0.5 }, 3, 0.2))).toBe(0);
  });

  test("of a schedule per step that stands still for an epoch is that of one per epoch", () => {
    const stepwise = chain({ type: "step", stepSize: 8, gamma: 0.5, per: "step" });
    expect(shared(stepwise, chain({ type: "step", stepSize: 2, gamma: 0.5 }))).toBe(3);
    expect(shared(stepwise, chain({ type: "step", stepSize: 7, gamma: 0.5, per: "step" }))).toBe(1);
  });

  test("does not know how many epochs there will be", () => {
    expect(shared(chain({ type: "constant" }), chain({ type: "constant" }, 9))).toBe(3);
    expect(shared(chain(plateau), chain(plateau, 9))).toBe(3);
  });
});

describe("over another horizon", () => {
  test("a cosine shares its first epoch, whose rate is the base rate, and nothing where it moves per step", () => {
    const cosine = { type: "cosine", minLr: 0 } as const;
    expect(shared(chain(cosine), chain(cosine, 4))).toBe(1);
    expect(shared(chain({ ...cosine, per: "step" }), chain({ ...cosine, per: "step" }, 4))).toBe(0);
  });

  test("a cosine over a fixed number of epochs shares all", () => {
    const cosine = { type: "cosine", epochs: 5, minLr: 0, per: "step" } as const;
    expect(shared(chain(cosine), chain(cosine, 5))).toBe(3);
  });

  test("one cycle shares nothing, and with the momentum's cycle it is another one", () => {
    expect(shared(chain(oneCycle), chain(oneCycle))).toBe(3);
    expect(shared(chain(oneCycle), chain(oneCycle, 4))).toBe(0);
    expect(shared(chain(oneCycle), chain({ ...oneCycle, cycleMomentum: false }))).toBe(0);
  });
});

describe("a plateau", () => {
  test("is told by its rule, behind the rates of its warm-up", () => {
    const warm = { ...plateau, warmup: { epochs: 1, startFactor: 0.5 } };
    expect(shared(chain(warm), chain({ ...warm, patience: 2 }))).toBe(1);
    expect(shared(chain(plateau), chain({ ...plateau, patience: 2 }))).toBe(0);
    expect(shared(chain(plateau), chain({ ...plateau, mode: "max" }))).toBe(3);
    expect(shared(chain(plateau), chain({ ...plateau, mode: "min" }))).toBe(0);
  });

  test("whose warm-up ends within an epoch has both in that one", () => {
    const warm = { ...plateau, warmup: { steps: 2, startFactor: 0.5 } };
    const links = chain(warm);
    expect(shared(links, chain({ ...warm, patience: 2 }))).toBe(0);
    expect(shared(links, chain({ ...warm, warmup: { steps: 2, startFactor: 0.25 } }))).toBe(0);
    expect(links.rate(1, 1, links.initialPlateau).learningRate).toBe(0.05);
    expect(links.rate(1, 4, links.initialPlateau).learningRate).toBe(0.1);
    expect(links.rate(2, 1, links.initialPlateau).learningRate).toBe(0.1);
  });
});
