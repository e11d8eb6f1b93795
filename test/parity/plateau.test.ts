import { describe, expect, test } from "vitest";
import { initialPlateau, observePlateau } from "../../src/ml/schedule/plateau.ts";
import type { PlateauSchedule } from "../../src/ml/schedule/schedule-settings.ts";
import reference from "./reference/plateau.json" with { type: "json" };

describe("ReduceLROnPlateau gives PyTorch's rates to the last digit", () => {
  test.each(reference.map((row) => [`${row.mode} ${JSON.stringify(row.options)}`, row] as const))("%s", (_, row) => {
    const options = row.options as Record<string, number | string>;
    const schedule: PlateauSchedule = {
      type: "plateau",
      metric: "validAccuracy",
      mode: row.mode as "min" | "max",
      factor: row.factor,
      patience: Number(options.patience ?? 10),
      threshold: Number(options.threshold ?? 1e-4),
      thresholdMode: (options.threshold_mode ?? "rel") as "rel" | "abs",
      cooldown: Number(options.cooldown ?? 0),
      minLr: Number(options.min_lr ?? 0),
    };
    let state = initialPlateau(0.1);
    const rates = row.metrics.map((metric) => {
      state = observePlateau(schedule, state, metric);
      return state.learningRate;
    });
    expect(rates).toEqual(row.lrs);
  });
});
