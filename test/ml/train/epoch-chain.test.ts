import { describe, expect, test } from "vitest";
import { epochChain } from "../../../src/ml/train/epoch-chain.ts";

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
const { type: _, ...rule } = plateau;
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
const sha256 = expect.stringMatching(/^[0-9a-f]{64}$/);

describe("links", () => {
  test("of a schedule per epoch hold each epoch's rate", () => {
    const chain = epochChain({ type: "step", stepSize: 1, gamma: 0.5 }, 0.1, length);
    expect(chain.link(3)).toEqual({
      type: "train/epoch",
      epochs: [{ learningRate: 0.1 }, { learningRate: 0.05 }, { learningRate: 0.025 }],
    });
    expect(chain.within(1)).toEqual({ type: "train/within-epoch", epochs: [{ learningRate: 0.1 }] });
  });

  test("of a plateau hold its rule, behind the rates of its warm-up", () => {
    const chain = epochChain({ ...plateau, warmup: { epochs: 1, startFactor: 0.5 } }, 0.1, length);
    const judged = { plateau: { type: "plateau", ...rule, mode: "max" } };
    expect(chain.link(3)).toEqual({ type: "train/epoch", epochs: [{ learningRate: 0.05 }, judged, judged] });
  });

  test("of a plateau whose warm-up ends within an epoch hold both for that one", () => {
    const chain = epochChain({ ...plateau, warmup: { steps: 2, startFactor: 0.5 } }, 0.1, length);
    const judged = { plateau: { type: "plateau", ...rule, mode: "max" } };
    expect(chain.link(2)).toEqual({ type: "train/epoch", epochs: [{ learningRates: sha256, ...judged }, judged] });
    expect(chain.rate(1, 1, chain.initialPlateau).learningRate).toBe(0.05);
    expect(chain.rate(1, 4, chain.initialPlateau).learningRate).toBe(0.1);
    expect(chain.rate(2, 1, chain.initialPlateau).learningRate).toBe(0.1);
  });

  test("of a schedule per step hold the digest of all the epoch's rates and momenta", () => {
    const chain = epochChain(oneCycle, 0.1, length);
    expect(chain.link(1)).toEqual({ type: "train/epoch", epochs: [{ learningRates: sha256, momenta: sha256 }] });
    const other = epochChain({ ...oneCycle, cycleMomentum: false }, 0.1, length);
    expect(other.link(1)).toEqual({ type: "train/epoch", epochs: [{ learningRates: sha256 }] });
    expect(epochChain(oneCycle, 0.1, { ...length, epochs: 4 }).link(1)).not.toEqual(chain.link(1));
    expect(epochChain(oneCycle, 0.1, length).link(3)).toEqual(chain.link(3));
  });

  test("of an epoch in which a schedule per step stands still are those of one per epoch", () => {
    const stepwise = epochChain({ type: "step", stepSize: 8, gamma: 0.5, per: "step" }, 0.1, length);
    const epochwise = epochChain({ type: "step", stepSize: 2, gamma: 0.5 }, 0.1, length);
    expect(stepwise.link(3)).toEqual(epochwise.link(3));
  });

  test("hold a cosine that is fixed to some epochs whatever the horizon", () => {
    const cosine = { type: "cosine", epochs: 5, minLr: 0, per: "step" } as const;
    const longer = epochChain(cosine, 0.1, { epochs: 5, stepsPerEpoch: 4 });
    expect(epochChain(cosine, 0.1, length).link(3)).toEqual(longer.link(3));
  });
});
