/** The screens of `pipe why`, whole: one stage, a chain of stages, another run, another pipeline, and any window. */
import { describe, expect, it } from "vitest";
import type { ExplainedDifference, Explanation, RootCause } from "../../src/identity/explanation.ts";
import { renderWhy, type Why } from "../../src/report/render-why.ts";
import { textWidth } from "../../src/report/text-width.ts";

const style = { color: false, columns: 80 };
const digest = "0123456789abcdef".repeat(4);
const other = "fedcba9876543210".repeat(4);
const against = {
  pipeline: "resnet34",
  profiles: [],
  runId: "20260102T101112-ab12cd",
  runName: "baseline",
  madeAt: "2026-01-02T10:11:12.000Z",
};

function explanation(more: Partial<Explanation>): Explanation {
  return { stage: "train", stageType: "train", decision: "run", reason: "never run", differences: [], ...more };
}

function why(more: Partial<Explanation>, rootCauses: readonly RootCause[] = []): Why {
  return { explanation: explanation(more), rootCauses, pipeline: "resnet34", profiles: [] };
}

const seed: ExplainedDifference = {
  part: "param",
  name: "seed",
  before: "1",
  after: "2",
  origin: "pipelines/resnet34.yaml:16",
};

/** Every kind of difference there is. */
const everything: readonly ExplainedDifference[] = [
  { part: "param", name: "optimizer.learningRate", before: "0.1", after: "0.05", origin: "pipelines/resnet34.yaml:31" },
  { part: "param", name: "earlyStop", after: "{}" },
  { part: "input", name: "train", before: digest, after: other, origin: "normalize.train" },
  { part: "input", name: "weights", origin: "../weights.safetensors" },
  { part: "input", name: "extra", before: digest },
  { part: "code", name: "src/ml/data/dataset.ts", before: digest, after: other, origin: "the stage, its loader" },
  { part: "code", name: "src/ml/optim/lars.ts", after: other },
  { part: "package", name: "vega", before: "6.3.0", after: "6.4.0" },
  { part: "numerics", name: "threads", before: "2", after: "4", origin: "pipelines/resnet34.yaml:7" },
  { part: "env", name: "DATA", before: "a", after: "b" },
  { part: "tool", name: "python3", before: digest, after: other },
  { part: "command", name: "shell", before: '["sh","-c"]', after: '["bash","-c"]' },
  { part: "command", name: "text", before: "clean\nsort a", after: "clean\nsort -u a" },
  {
    part: "param",
    name: "schedule",
    before: '{"factor":0.1,"metric":"validAccuracy","type":"plateau"}',
    after: '{"type":"cosine","finalLearningRate":0.0001}',
  },
];

const chain = why(
  {
    reason: "input train changed (split: seed 1 -> 2)",
    against,
    differences: [
      {
        part: "input",
        name: "train",
        before: digest,
        after: other,
        origin: "normalize.train",
        because: [
          explanation({
            stage: "normalize",
            decision: "fresh",
            reason: "up to date",
            against,
            differences: [
              {
                part: "input",
                name: "train",
                before: digest,
                after: other,
                origin: "split.train",
                because: [
                  explanation({
                    stage: "split",
                    decision: "fresh",
                    reason: "up to date",
                    against,
                    differences: [seed],
                  }),
                ],
              },
              {
                part: "input",
                name: "valid",
                before: digest,
                after: other,
                origin: "split.valid",
                because: [explanation({ stage: "split", decision: "fresh", reason: "up to date", repeated: true })],
              },
            ],
          }),
        ],
      },
    ],
  },
  [{ stage: "split", difference: seed, text: "seed 1 -> 2" }],
);

const pending = why(
  {
    stage: "evaluate",
    decision: "pending",
    reason: "runs only if train changes its output (train: stages/train.ts was edited, and more)",
    against,
    differences: [
      {
        part: "input",
        name: "model",
        before: digest,
        origin: "train.model",
        undecided: true,
        because: [
          explanation({
            decision: "run",
            reason: "stages/train.ts was edited",
            against,
            differences: [{ part: "code", name: "stages/train.ts", before: digest, after: other }, seed],
          }),
        ],
      },
    ],
  },
  [
    { stage: "train", text: "stages/train.ts was edited" },
    { stage: "train", difference: seed, text: "seed 1 -> 2" },
  ],
);

describe("why", () => {
  it("names each difference with where it comes from, old and new", () => {
    expect(
      renderWhy(
        why({ reason: "optimizer.learningRate 0.1 -> 0.05; and 13 more", against, differences: everything }),
        style,
      ),
    ).toMatchInlineSnapshot(`
      "train will run: optimizer.learningRate 0.1 -> 0.05; and 13 more
      against the run baseline (ab12cd, 2026-01-02 10:11):
        param optimizer.learningRate 0.1 -> 0.05 (pipelines/resnet34.yaml:31)
        param earlyStop (none) -> {}
        input train changed (normalize.train)  0123456789ab -> fedcba987654
        input weights is new (../weights.safetensors)
        input extra is gone
        code src/ml/data/dataset.ts was edited (the stage, its loader)
        code src/ml/optim/lars.ts is new
        package vega 6.3.0 -> 6.4.0
        engine threads 2 -> 4 (pipelines/resnet34.yaml:7)
        env DATA a -> b
        the program python3 is another one
        command shell ["sh","-c"] -> ["bash","-c"]
        its command was edited
          - sort a
          + sort -u a
        param schedule
             {"factor":0.1,"metric":"validAccuracy","type":"plateau"}
          -> {"type":"cosine","finalLearningRate":0.0001}"
    `);
  });

  it("follows a changed input from stage to stage to the root cause", () => {
    expect(renderWhy(chain, style)).toMatchInlineSnapshot(`
      "train will run: input train changed (split: seed 1 -> 2)
      against the run baseline (ab12cd, 2026-01-02 10:11):
        input train changed (normalize.train)  0123456789ab -> fedcba987654
          normalize has given another result:
            input train changed (split.train)  0123456789ab -> fedcba987654
              split has given another result:
                param seed 1 -> 2 (pipelines/resnet34.yaml:16)
            input valid changed (split.valid)  0123456789ab -> fedcba987654
              split: as above
      root cause: split: seed 1 -> 2 (pipelines/resnet34.yaml:16)"
    `);
  });

  it("says what may change, and why, of a stage that waits", () => {
    expect(renderWhy(pending, style)).toMatchInlineSnapshot(`
      "evaluate waits: runs only if train changes its output (train: stages/train.ts
        was edited, and more)
      against the run baseline (ab12cd, 2026-01-02 10:11):
        input model may change (train.model)
          train will run:
            code stages/train.ts was edited
            param seed 1 -> 2 (pipelines/resnet34.yaml:16)
      root cause: train: stages/train.ts was edited
             and: train: seed 1 -> 2 (pipelines/resnet34.yaml:16)"
    `);
  });

  it("ends a chain that is too long", () => {
    const cut = explanation({ stage: "normalize", decision: "pending", reason: "x", cut: true });
    const input = { part: "input", name: "train", before: digest, undecided: true, because: [cut] } as const;
    expect(renderWhy(why({ against, differences: [input] }), style)).toContain(
      "normalize, and so on up to the root cause",
    );
  });

  it("tells results that changed for the same key from those that changed for a reason", () => {
    const same = explanation({ stage: "normalize", decision: "fresh", reason: "up to date", against });
    const input = { part: "input", name: "train", before: digest, after: other, because: [same] } as const;
    expect(
      renderWhy(why({ reason: "input train changed (normalize)", against, differences: [input] }), style),
    ).toContain("normalize has given another result for the same key");
  });

  it("says so where a trace is gone", () => {
    expect(
      renderWhy(
        why({
          decision: "fresh",
          reason: "up to date",
          incomparable: "the trace of it was removed from the store, so its key is not known any more",
        }),
        style,
      ),
    ).toMatchInlineSnapshot(`
      "train is fresh: up to date
        the trace of it was removed from the store, so its key is not known any more"
    `);
  });

  it("says of a fresh stage what differs from another run, or that nothing does", () => {
    const fresh = { decision: "fresh", reason: "up to date", against } as const;
    expect(renderWhy(why({ ...fresh, differences: [seed] }), style)).toMatchInlineSnapshot(`
      "train is fresh: up to date
      against the run baseline (ab12cd, 2026-01-02 10:11):
        param seed 1 -> 2 (pipelines/resnet34.yaml:16)"
    `);
    expect(renderWhy(why(fresh), style)).toMatchInlineSnapshot(`
      "train is fresh: up to date
        nothing that counts differs from the run baseline (ab12cd, 2026-01-02 10:11)"
    `);
  });

  it("names the other pipeline, and whether its key has run", () => {
    const ran = { ...against, profiles: ["quick"] };
    const written = { pipeline: "resnet34", profiles: ["quick"] };
    const differences = [seed];
    expect(renderWhy(why({ against: ran, differences }), style)).toContain(
      "against the run baseline (ab12cd, 2026-01-02 10:11) of resnet34@quick:",
    );
    expect(renderWhy(why({ against: written, differences }), style)).toContain("against resnet34@quick as it is now:");
  });

  it("says what changed of a frozen stage, and that it stays", () => {
    expect(
      renderWhy(
        why({ decision: "fresh", reason: "frozen: seed 1 -> 2", frozen: true, against, differences: [seed] }),
        style,
      ),
    ).toMatchInlineSnapshot(`
      "train is fresh: frozen: seed 1 -> 2
        it is frozen: what it produced last is kept, whatever changed
      against the run baseline (ab12cd, 2026-01-02 10:11):
        param seed 1 -> 2 (pipelines/resnet34.yaml:16)"
    `);
  });

  it("keeps within every window, colours or not", () => {
    const all = [chain, pending, why({ against, reason: "x".repeat(90), differences: everything })];
    for (const columns of [24, 40, 60, 80, 120])
      for (const color of [false, true])
        for (const one of all)
          for (const line of renderWhy(one, { color, columns }).split("\n"))
            expect(textWidth(line), `${columns}: ${line}`).toBeLessThan(columns);
  });

  it("in a narrow window breaks lines, and loses nothing", () => {
    expect(renderWhy(chain, { color: false, columns: 40 })).toMatchInlineSnapshot(`
      "train will run: input train changed
        (split: seed 1 -> 2)
      against the run baseline (ab12cd,
        2026-01-02 10:11):
        input train changed (normalize.train)
          0123456789ab -> fedcba987654
          normalize has given another result:
            input train changed (split.train)
              0123456789ab -> fedcba987654
              split has given another result:
                param seed 1 -> 2
                  (pipelines/resnet34.yaml:16
                  )
            input valid changed (split.valid)
              0123456789ab -> fedcba987654
              split: as above
      root cause: split: seed 1 -> 2
        (pipelines/resnet34.yaml:16)"
    `);
  });
});
