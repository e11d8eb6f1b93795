import { describe, expect, test } from "vitest";
import { openLoopRates } from "../../src/ml/schedule/open-loop-rates.ts";
import type { OpenLoopSchedule } from "../../src/ml/schedule/schedule-settings.ts";
import reference from "./reference/schedules.json" with { type: "json" };

const cases: Record<keyof typeof reference, OpenLoopSchedule> = {
  "step_10_0.1": { type: "step", stepSize: 10, gamma: 0.1 },
  "multistep_8_20_0.2": { type: "multistep", milestones: [8, 20], gamma: 0.2 },
  cosine_30: { type: "cosine", minLr: 0 },
  "cosine_30_min_0.001": { type: "cosine", minLr: 0.001 },
  linear_warmup_5_then_cosine_25: { type: "cosine", minLr: 0, warmup: { epochs: 5, startFactor: 0.2 } },
};

describe("learning rates are PyTorch's to the last digit", () => {
  test.each(Object.entries(cases))("%s", (name, schedule) => {
    expect(openLoopRates(schedule, 0.1, 30)).toEqual(reference[name as keyof typeof reference]);
  });
});
