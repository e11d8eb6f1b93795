/** The Markdown of `pipe report --md`, whole: of a run, of a lock, with and without something to compare with. */
import { describe, expect, test } from "vitest";
import type { ResultsChange } from "../../src/cache/results-change.ts";
import { renderMarkdown } from "../../src/report/render-markdown.ts";

const nothing: ResultsChange = {
  pipeline: "resnet34",
  profiles: ["quick"],
  after: { what: "run" },
  stages: [],
  causes: [],
  metrics: [],
  charts: [],
  outdated: [],
  unchecked: [],
  notes: [],
};
const lock = (file: string) => ({ what: "lock", file }) as const;
const picture = (file: string) => ({ artifact: "a".repeat(64), path: "loss.png", file });

const changed: ResultsChange = {
  ...nothing,
  before: lock("pipelines/resnet34.lock.yaml"),
  stages: [
    { stage: "fetch", state: "fresh", result: "same", reasons: [] },
    { stage: "split", state: "ran", result: "same", reasons: ["src/ml/data/split.ts was edited"] },
    {
      stage: "train",
      state: "ran",
      result: "other",
      reasons: ["epochs 6 -> 10", "optimizer.learningRate 0.1 -> 0.05"],
    },
    { stage: "evaluate", state: "ran", result: "other", reasons: ["input model changed (train: epochs 6 -> 10)"] },
    { stage: "export", state: "skipped", result: "unknown", reasons: ["evaluate failed"] },
    { stage: "plot@lr=0.1,seed=2", state: "restored", result: "new", reasons: [] },
    { stage: "old", result: "gone", reasons: [] },
  ],
  causes: [
    { stage: "train", text: "epochs 6 -> 10" },
    { stage: "train", text: "optimizer.learningRate 0.1 -> 0.05" },
  ],
  metrics: [
    { stage: "train", name: "bestEpoch", before: 6, after: 6, difference: 0 },
    { stage: "evaluate", name: "loss", before: 1.4021, after: 1.3021, difference: -0.1 },
    { stage: "evaluate", name: "top1", before: 0.5098, after: 0.5523, difference: 0.0425 },
    { stage: "evaluate", name: "top5", after: 0.91 },
  ],
  charts: [
    {
      stage: "plot",
      name: "loss",
      before: picture("plot-loss-0123.png"),
      after: picture("plot-loss-4567.png"),
      isSame: false,
    },
    { stage: "plot", name: "examples", after: picture("plot-examples-89ab.png"), isSame: false },
    { stage: "plot", name: "confusion", before: picture("plot-c.png"), after: picture("plot-c.png"), isSame: true },
  ],
  notes: ["made on linux-x64-avx2, before on linux-arm64-neon: equal bits are promised within one class of machines"],
};

describe("a run", () => {
  test("beside a lock: what gave something else, why, metrics and charts", () => {
    expect(renderMarkdown([changed], "")).toMatchInlineSnapshot(`
      "## \`resnet34@quick\`

      **2 of 4 stages have another result** in the last run than in \`pipelines/resnet34.lock.yaml\`, 1 new, 1 gone, 1 without a result.

      **Root causes**

      - \`train\`: \`epochs 6 -> 10\`
      - \`train\`: \`optimizer.learningRate 0.1 -> 0.05\`

      | stage | state | result | why |
      | --- | --- | --- | --- |
      | \`split\` | ran | same | \`src/ml/data/split.ts was edited\` |
      | \`train\` | ran | **other** | \`epochs 6 -> 10\`<br>\`optimizer.learningRate 0.1 -> 0.05\` |
      | \`evaluate\` | ran | **other** | \`input model changed (train: epochs 6 -> 10)\` |
      | \`export\` | skipped | none | \`evaluate failed\` |
      | \`plot@lr=0.1,seed=2\` | restored | **new** |  |
      | \`old\` |  | **gone** |  |

      <details><summary>1 stage as before</summary>

      \`fetch\`

      </details>

      ### Metrics

      | stage | metric | before | after | difference |
      | --- | --- | ---: | ---: | ---: |
      | \`evaluate\` | \`loss\` | 1.402 | 1.302 | -0.1000 |
      | \`evaluate\` | \`top1\` | 50.98 % | 55.23 % | +4.25 points |
      | \`evaluate\` | \`top5\` | - | 91.00 % |  |

      <details><summary>1 metric as before</summary>

      | stage | metric | before | after | difference |
      | --- | --- | ---: | ---: | ---: |
      | \`train\` | \`bestEpoch\` | 6 | 6 | = |

      </details>

      ### Charts

      | chart | before | after |
      | --- | --- | --- |
      | \`plot\`<br>\`loss\` | ![loss](plot-loss-0123.png) | ![loss](plot-loss-4567.png) |
      | \`plot\`<br>\`examples\` | - | ![examples](plot-examples-89ab.png) |

      <details><summary>1 chart as before</summary>

      | chart |  |
      | --- | --- |
      | \`plot\`<br>\`confusion\` | ![confusion](plot-c.png) |

      </details>

      - note: \`made on linux-x64-avx2, before on linux-arm64-neon: equal bits are promised within one class of machines\`
      "
    `);
  });

  test("without pictures names the charts that are drawn otherwise", () => {
    const text = renderMarkdown(
      [{ ...changed, stages: changed.stages.slice(0, 1), causes: [], metrics: [], notes: [] }],
      undefined,
    );
    expect(text).toMatchInlineSnapshot(`
      "## \`resnet34@quick\`

      1 stage has the same result in the last run as in \`pipelines/resnet34.lock.yaml\`.

      <details><summary>1 stage as before</summary>

      \`fetch\`

      </details>

      ### Charts

      Drawn otherwise: \`plot\` \`loss\`, \`plot\` \`examples\`
      "
    `);
  });

  test("links to pictures where they will be", () => {
    const text = renderMarkdown([changed], "https://example.org/reports/12");
    expect(text).toContain("![loss](https://example.org/reports/12/plot-loss-0123.png)");
  });

  test("alone: what became of each stage", () => {
    const { before: _before, ...alone } = changed;
    const text = renderMarkdown(
      [
        {
          ...alone,
          after: { what: "run", name: "baseline" },
          stages: [
            { stage: "fetch", state: "fresh", reasons: [] },
            { stage: "train", state: "failed", reasons: ["the loss became NaN at step 312"] },
            { stage: "evaluate", state: "skipped", reasons: ["train failed"] },
          ],
          causes: [],
          notes: [],
        },
      ],
      "",
    );
    expect(text).toMatchInlineSnapshot(`
      "## \`resnet34@quick\`

      The run \`baseline\`: 1 up to date, 1 failed, 1 skipped.

      | stage | state | why |
      | --- | --- | --- |
      | \`train\` | ✗ failed | \`the loss became NaN at step 312\` |
      | \`evaluate\` | skipped | \`train failed\` |

      <details><summary>1 stage</summary>

      \`fetch\`

      </details>

      ### Metrics

      | stage | metric | value |
      | --- | --- | ---: |
      | \`train\` | \`bestEpoch\` | 6 |
      | \`evaluate\` | \`loss\` | 1.302 |
      | \`evaluate\` | \`top1\` | 55.23 % |
      | \`evaluate\` | \`top5\` | 91.00 % |

      ### Charts

      | chart |  |
      | --- | --- |
      | \`plot\`<br>\`loss\` | ![loss](plot-loss-4567.png) |
      | \`plot\`<br>\`examples\` | ![examples](plot-examples-89ab.png) |
      | \`plot\`<br>\`confusion\` | ![confusion](plot-c.png) |
      "
    `);
  });

  test("in which nothing differs is one sentence", () => {
    const text = renderMarkdown(
      [
        {
          ...nothing,
          before: { what: "run", name: "last~1" },
          stages: [{ stage: "fetch", state: "fresh", result: "same", reasons: [] }],
        },
      ],
      undefined,
    );
    expect(text).toMatchInlineSnapshot(`
      "## \`resnet34@quick\`

      1 stage has the same result in the last run as in the run \`last~1\`.

      <details><summary>1 stage as before</summary>

      \`fetch\`

      </details>
      "
    `);
  });
});

describe("a lock", () => {
  const locked: ResultsChange = { ...nothing, after: lock("pipelines/resnet34.lock.yaml") };

  test("that follows from the files", () => {
    const stages = ["fetch", "train"].map((stage) => ({ stage, state: "follows", reasons: [] }) as const);
    const unchecked = ["../data/cifar10.tar.gz is not here (fetch)"];
    expect(renderMarkdown([{ ...locked, stages, unchecked }], undefined)).toMatchInlineSnapshot(`
      "## \`resnet34@quick\`

      ✓ \`pipelines/resnet34.lock.yaml\` follows from the files here: 2 stages.

      <details><summary>2 stages</summary>

      \`fetch\`, \`train\`

      </details>

      - not checked: \`../data/cifar10.tar.gz is not here (fetch)\`
      "
    `);
  });

  test("that does not follow, beside that of another branch", () => {
    const text = renderMarkdown(
      [
        {
          ...locked,
          before: { ...lock("pipelines/resnet34.lock.yaml"), isElsewhere: true },
          stages: [
            { stage: "fetch", state: "follows", result: "same", reasons: [] },
            { stage: "train", state: "outdated", result: "same", reasons: [] },
            { stage: "evaluate", state: "behind", result: "same", reasons: [] },
          ],
          outdated: [
            {
              file: "pipelines/resnet34.yaml",
              line: 31,
              text: 'stage "train" is not what is locked: learningRate 0.1 -> 0.05',
            },
          ],
        },
      ],
      undefined,
    );
    expect(text).toMatchInlineSnapshot(`
      "## \`resnet34@quick\`

      3 stages have the same result in \`pipelines/resnet34.lock.yaml\` as in the lock of the other checkout.

      ✗ **\`pipelines/resnet34.lock.yaml\` does not follow from the files here**; 1 more stage may change then:

      - \`pipelines/resnet34.yaml:31\` \`stage "train" is not what is locked: learningRate 0.1 -> 0.05\`

      | stage | state | result | why |
      | --- | --- | --- | --- |
      | \`train\` | ✗ does not follow | same |  |
      | \`evaluate\` | may change | same |  |

      <details><summary>1 stage as before</summary>

      \`fetch\`

      </details>
      "
    `);
  });

  test("of a pipeline that the other branch does not have", () => {
    const before = { ...lock("pipelines/resnet34.lock.yaml"), isElsewhere: true } as const;
    const stages = [{ stage: "fetch", state: "follows", result: "new", reasons: [] }] as const;
    expect(renderMarkdown([{ ...locked, before, stages }], undefined)).toMatchInlineSnapshot(`
      "## \`resnet34@quick\`

      ✓ \`pipelines/resnet34.lock.yaml\` follows from the files here: 1 stage.

      \`pipelines/resnet34.lock.yaml\` beside the lock of the other checkout: 1 new.

      | stage | state | result | why |
      | --- | --- | --- | --- |
      | \`fetch\` | follows | **new** |  |
      "
    `);
  });
});

test("nothing that a user wrote is markup, a link or somebody's name", () => {
  const text = "a | b `c` ``d`` <img src=x> @somebody #1 [x](https://example.org)\nnext *line*\u001b[31m";
  const stages = [{ stage: "a|b", state: "ran", result: "other", reasons: [text] }] as const;
  const before = lock("a.lock.yaml");
  const causes = [{ stage: "a|b", text }];
  const lines = renderMarkdown([{ ...nothing, before, stages, causes }], undefined).split("\n");
  const shown = "``` a | b `c` ``d`` <img src=x> @somebody #1 [x](https://example.org) next *line* ```";
  expect(lines).toContain(`- \`a|b\`: ${shown}`);
  expect(lines).toContain(`| \`a\\|b\` | ran | **other** | ${shown.replaceAll("|", "\\|")} |`);
});

test("of hundreds of stages the first hundred are shown", () => {
  const stages = Array.from({ length: 250 }, (_, i) => {
    return { stage: `s${i}`, state: "ran", result: "other", reasons: ["x 1 -> 2"] } as const;
  });
  const text = renderMarkdown([{ ...nothing, before: lock("a.lock.yaml"), stages }], undefined);
  expect(text.match(/^\| `s\d+`/gm)).toHaveLength(100);
  expect(text).toContain("... and 150 more stages.");
});
