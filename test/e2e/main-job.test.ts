/** What a user is promised of a run, with the real program: what runs, what does not, and what is left on disk. */
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Project, RunResult } from "./project.ts";
import { createTinyProject, stagesThat } from "./tiny-pipeline.ts";

const ALL = ["fetch", "split", "normalize", "model", "train", "evaluate", "plot"];
let project: Project;
let first: RunResult;

beforeAll(async () => {
  project = await createTinyProject();
  first = await project.run(["run", "tiny", "--json"]);
});
afterAll(() => project.remove());

const run = (...args: string[]) => project.run(["run", "tiny", "--json", ...args]);
const metricsFile = "artifacts/tiny/evaluate/metrics/metrics.json";

describe("the first run", () => {
  test("executes every stage and ends with 0", () => {
    expect(first.stderr).toBe("");
    expect(first.code).toBe(0);
    expect(stagesThat(first.outcomes, "ran").toSorted()).toEqual(ALL.toSorted());
  });

  test("leaves what people open: model, history, metrics, charts with spec, data and picture, report", () => {
    for (const path of [
      "train/model/model.safetensors",
      "train/model/architecture.json",
      "train/history/history.json",
      "evaluate/metrics/metrics.json",
      "evaluate/confusion/confusion.json",
      "evaluate/predictions/predictions.safetensors",
      "normalize/stats/statistics.json",
      ...["loss", "accuracy", "confusionMatrix", "examples"].map((chart) => `plot/charts/${chart}.svg`),
      "plot/charts/loss.data.json",
      "report.html",
    ])
      expect(existsSync(project.path("artifacts/tiny", path)), path).toBe(true);
  });

  test("keeps datasets in the store and shows their cards", () => {
    expect(readdirSync(project.path("artifacts/tiny/fetch/train"))).toEqual(["card.json"]);
    expect(JSON.parse(project.read("artifacts/tiny/fetch/train/card.json"))).toMatchObject({
      count: 72,
      height: 16,
      width: 16,
      classes: 3,
    });
  });

  test("really learns: three colours are told apart", () => {
    expect(JSON.parse(project.read(metricsFile)).top1).toBeGreaterThan(0.6);
    expect(first.stage("evaluate").metrics.testAccuracy).toBe(JSON.parse(project.read(metricsFile)).top1);
  });

  test("records peak memory and speed of the training, and no artifact holds a time or a path", () => {
    expect(first.stage("train").measurements.peakMemoryBytes).toBeGreaterThan(10_000_000);
    expect(first.stage("train").measurements.imagesPerSecond).toBeGreaterThan(0);
    for (const path of [
      metricsFile,
      "artifacts/tiny/train/history/history.json",
      "artifacts/tiny/plot/charts/loss.svg",
    ]) {
      expect(project.read(path)).not.toContain(project.folder);
      expect(project.read(path)).not.toMatch(/20\d\d-\d\d-\d\d/);
    }
  });
});

describe("the next run", () => {
  test("has nothing to do", async () => {
    const again = await run();
    expect(stagesThat(again.outcomes, "fresh")).toHaveLength(7);
    expect(again.code).toBe(0);
  });

  test("executes plot alone when the chart's title changes, and comes back from the store when it changes back", async () => {
    const changed = await run("--param", "title=Training loss");
    expect(stagesThat(changed.outcomes, "ran")).toEqual(["plot"]);
    expect(project.read("artifacts/tiny/plot/charts/loss.svg")).toContain("Training loss");
    const back = await run();
    expect(stagesThat(back.outcomes, "ran")).toEqual([]);
    expect(stagesThat(back.outcomes, "restored")).toEqual(["plot"]);
    expect(project.read("artifacts/tiny/plot/charts/loss.svg")).not.toContain("Training loss");
  });

  test("executes train and what follows when the learning rate changes, and why names it with both values and its line", async () => {
    project.edit("pipelines/tiny.yaml", "learningRate: 0.02", "learningRate: 0.01");
    const why = await project.run(["why", "tiny", "train"]);
    expect(why.stdout).toMatch(/optimizer\.learningRate\s+0\.02 -> 0\.01/);
    expect(why.stdout).toContain("pipelines/tiny.yaml:");
    const changed = await run();
    expect(stagesThat(changed.outcomes, "ran")).toEqual(["train", "evaluate", "plot"]);
    expect(changed.stage("train").reason).toContain("optimizer.learningRate 0.02 -> 0.01");
    project.edit("pipelines/tiny.yaml", "learningRate: 0.01", "learningRate: 0.02");
    expect(stagesThat((await run()).outcomes, "ran")).toEqual([]);
  });

  test("trains only the epochs that are new when there are to be more", async () => {
    const more = await run("--param", "epochs=3");
    const lines = more.events.flatMap((event) =>
      event.type === "stage-logged" && event.stage === "train" ? [event.line] : [],
    );
    expect(lines.filter((line) => /^Epoch: \d+\/\d+ \| Train/.test(line))).toHaveLength(1);
    await run();
  });

  test("puts an output right that somebody edited or removed", async () => {
    writeFileSync(project.path(metricsFile), "{}");
    const repaired = await run();
    expect(stagesThat(repaired.outcomes, "restored")).toEqual(["evaluate"]);
    expect(repaired.stage("evaluate").reason).toContain("metrics/metrics.json was changed");
    expect(JSON.parse(project.read(metricsFile)).count).toBe(18);
  });

  test("executes again what used an image that changed, as far as results differ", async () => {
    const image = project.path("data/test/amber/000.png");
    const bytes = readFileSync(image);
    writeFileSync(image, readFileSync(project.path("data/test/violet/000.png")));
    const changed = await run();
    // Another test image leaves the training set as it was, so the model is not trained again.
    expect(stagesThat(changed.outcomes, "ran")).toEqual(["fetch", "normalize", "evaluate", "plot"]);
    expect(stagesThat(changed.outcomes, "fresh")).toEqual(expect.arrayContaining(["split", "train"]));
    writeFileSync(image, bytes);
    expect(stagesThat((await run()).outcomes, "ran")).toEqual([]);
  });
});

/** One bit of one byte in the second half. */
function flip(bytes: Buffer): Buffer {
  const flipped = Buffer.from(bytes);
  const at = flipped.length - 3;
  flipped.writeUInt8(flipped.readUInt8(at) ^ 4, at);
  return flipped;
}

describe("a damaged store", () => {
  test.each([
    ["a flipped bit", flip],
    ["a truncated object", (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1)],
  ])("costs a rerun and never a wrong result: %s in the training images", async (_what, change) => {
    const [path] = (await project.run(["show", "tiny", "fetch", "--path", "train/images.safetensors"])).stdout.split(
      "\n",
    );
    const sound = readFileSync(path!);
    chmodSync(path!, 0o644);
    writeFileSync(path!, change(Buffer.from(sound)));
    const repaired = await run();
    expect(repaired.code).toBe(0);
    expect(stagesThat(repaired.outcomes, "ran")).toContain("fetch");
    expect(repaired.stage("fetch").reason).toMatch(/is damaged|is missing/);
    expect(readFileSync(path!).equals(sound)).toBe(true);
  });
});

describe("--force", () => {
  test("executes the named stage, or all, and refuses a name that is no stage", async () => {
    expect(stagesThat((await run("--force", "plot")).outcomes, "ran")).toEqual(["plot"]);
    expect((await run("--force", "plto")).code).toBe(2);
    const all = await project.run(["run", "--json", "--force", "pipelines/tiny.yaml", "split"]);
    expect(stagesThat(all.outcomes, "ran").toSorted()).toEqual(["fetch", "split"]);
  });
});

describe("the other commands", () => {
  test("plan says what would run and why, and changes nothing", async () => {
    const plan = await project.run(["plan", "tiny", "--param", "epochs=5"]);
    expect(plan.stdout).toMatch(/train\s+run\s+epochs 2 -> 5/);
    expect(plan.stdout).toMatch(/evaluate\s+pending/);
    expect(stagesThat((await run()).outcomes, "fresh")).toHaveLength(7);
  });

  test("status, show, dag and engine print without colour where nobody watches", async () => {
    for (const args of [
      ["status", "tiny"],
      ["show", "tiny", "evaluate"],
      ["dag", "tiny"],
      ["dag", "tiny", "--format", "mermaid"],
      ["dag", "tiny", "--format", "svg"],
    ]) {
      const result = await project.run(args);
      expect(result.stderr).toBe("");
      expect(result.code).toBe(0);
      expect(result.stdout).toContain("evaluate");
      expect(result.stdout).not.toContain("\u001b");
    }
  });

  test("clean removes what is visible, and a run brings it back without executing anything", async () => {
    await project.run(["clean", "tiny"]);
    expect(existsSync(project.path("artifacts/tiny"))).toBe(false);
    const back = await run();
    expect(stagesThat(back.outcomes, "restored")).toHaveLength(7);
    expect(existsSync(project.path("artifacts/tiny/report.html"))).toBe(true);
  });

  test("init writes a starter that is valid, and does not write over one", async () => {
    const made = await project.run(["init", "fresh"]);
    expect(made.code).toBe(0);
    expect(project.read("fresh/.gitignore")).toContain("artifacts/");
    const plan = await project.run(["plan", "fresh/pipelines/starter.yaml"]);
    expect(plan.stderr).toBe("");
    expect(plan.code).toBe(0);
    expect((await project.run(["init", "fresh"])).code).toBe(2);
  });

  test("an unknown stage, pipeline or option is code 2 and says what there is", async () => {
    const stage = await project.run(["run", "tiny", "trian"]);
    expect(stage.code).toBe(2);
    expect(stage.stderr).toContain("fetch, split, normalize, model, train, evaluate, plot");
    const pipeline = await project.run(["run", "pipelines/none.yaml"]);
    expect(pipeline.code).toBe(2);
    expect(pipeline.stderr).toContain("pipelines/tiny.yaml");
    expect((await project.run(["run", "--wat"])).code).toBe(2);
    expect((await project.run(["--help"])).code).toBe(0);
  });
});
