import { describe, expect, it } from "vitest";
import type { SweepRecord } from "../../src/record.ts";
import { renderSweep, sweepAsCsv, sweepTitle } from "../../src/report/render-sweep.ts";

const sweep: SweepRecord = {
  params: ["learningRate", "note"],
  seed: 7,
  objective: { metric: "evaluate.testLoss", mode: "min" },
  trials: [
    {
      name: "learningRate=0.1,note=a",
      values: { learningRate: 0.1, note: "a" },
      state: "done",
      stages: [],
      metrics: { "train.validLoss": 2, "evaluate.testLoss": 0.5, "evaluate.testAccuracy": 0.25 },
      epochsTrained: 3,
      epochs: 3,
    },
    {
      name: "learningRate=9,note=b",
      values: { learningRate: 9, note: "b, c" },
      state: "failed",
      stages: [],
      metrics: {},
      failure: "train: the loss is NaN",
    },
    {
      name: "learningRate=0.01,note=a",
      values: { learningRate: 0.01, note: "a" },
      state: "done",
      stages: [],
      metrics: { "train.validLoss": 1, "evaluate.testLoss": 0.25, "evaluate.testAccuracy": 0.75 },
      epochsTrained: 1,
      epochs: 3,
    },
  ],
};
const lines = (given: SweepRecord, columns = 100) =>
  renderSweep(given, sweepTitle(given, "tiny"), { color: false, columns }).split("\n");

describe("the trials of a sweep", () => {
  it("stand in a table, the best first, with what failed below", () => {
    expect(lines(sweep)).toEqual([
      "3 trials of tiny by evaluate.testLoss, smallest first; seed 7",
      "",
      "#  learningRate  note  evaluate.testLoss  state   trained  shared",
      "1          0.01     a             0.2500  done          1       2",
      "2           0.1     a             0.5000  done          3       0",
      "3             9  b, c                  -  failed        -       -",
      "",
      "  learningRate=9,note=b: train: the loss is NaN",
      "",
      "trained 4 of 6 epochs; 2 were there, from other trials or earlier runs",
    ]);
  });

  it("come as they were asked for where nothing judges them, with the metrics of the last stage", () => {
    const { objective: _, ...plain } = sweep;
    expect(lines(plain)[2]).toBe(
      "#  learningRate  note  evaluate.testLoss  evaluate.testAccuracy  state   trained  shared",
    );
    expect(lines(plain)[3]).toMatch(/^1 +0\.1 +a/);
    expect(lines(plain).at(-1)).toBe("to rank them: --metric evaluate.testLoss");
  });

  it("say that a sweep which was interrupted can go on", () => {
    const [first, ...others] = sweep.trials;
    const stopped = { ...sweep, trials: [{ ...first!, state: "interrupted" as const }, ...others] };
    expect(lines(stopped).at(-1)).toBe("the same command goes on where it was");
    expect(lines(sweep).at(-1)).not.toContain("goes on");
  });

  it("stay within a narrow window", () => {
    for (const line of lines(sweep, 40)) expect(line.length).toBeLessThan(40);
  });

  it("are CSV for programs, every value in full and quoted where it must be", () => {
    expect(sweepAsCsv(sweep).split("\n")).toEqual([
      "trial,params.learningRate,params.note,train.validLoss,evaluate.testLoss,evaluate.testAccuracy,state,epochsTrained,epochs,failure",
      '"learningRate=0.01,note=a",0.01,a,1,0.25,0.75,done,1,3,',
      '"learningRate=0.1,note=a",0.1,a,2,0.5,0.25,done,3,3,',
      '"learningRate=9,note=b",9,"b, c",,,,failed,,,train: the loss is NaN',
    ]);
  });
});
