/**
 * Every diagnostic code's whole screen. `<code>[.<case>].yaml` is the pipeline, the `.txt` beside it the screen; after a
 * wanted change, `npx vitest run test/golden -u` writes the screens anew, to be read in the diff.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { App } from "../../src/cli/app.ts";
import type { OpenedPipeline } from "../../src/cli/open-pipeline.ts";
import { resolveEngines } from "../../src/cli/resolve-engines.ts";
import { createEngineTools } from "../../src/compose-engines.ts";
import { catalog } from "../../src/diagnostics/catalog.ts";
import { diagnose } from "../../src/diagnostics/diagnostic.ts";
import { renderDiagnostics } from "../../src/diagnostics/render-diagnostic.ts";
import { type LoadOptions, type LoadResult, loadPipeline } from "../../src/language/load-pipeline.ts";
import { fixtureCatalogue } from "../language/fixture-catalogue.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));

/** Cases that need more than the file. */
const options: Readonly<Record<string, Partial<LoadOptions>>> = {
  "wrong-type": { overrides: ["epochs=fifty"] },
  "unknown-param.override": { overrides: ["epochs=2", "epoch=3", "optimizer.momentum=0.9"] },
  "unknown-profile": { profiles: ["quick", "quik"] },
  "bad-override": { overrides: ["epochs", "epochs=2", "=3", "sizes=[1, 2", "a..b=1"] },
  "bad-sweep": {
    sweep: {
      grid: ["title", "title=a,,b", "momentum=0.9,0.99"],
      random: ["momentum=uniform(0..1)", "epochs=normal(1..2)", "width=int(1..2.5)", "rate=log(0..1)"],
      trials: 3,
      seed: 0,
    },
  },
  "bad-sweep.use": { sweep: { grid: ["sizes=[1],[2]", "unused=1,2"], random: [], trials: 1, seed: 0 } },
  "bad-sweep.axis": { sweep: { grid: ["fold=1,2"], random: [], trials: 1, seed: 0 } },
  "include-cycle": {
    readText: (path) =>
      ({
        "/project/pipelines/a.yaml": "include: ./deep/b.yaml\n",
        "/project/pipelines/deep/b.yaml": "# back again\ninclude: ../a.yaml\n",
      })[path],
  },
  "bad-module": {
    stageProblems: new Map([
      [
        "/project/pipelines/stages/broken.ts",
        { problem: "exports no stage", help: "export one: defineStage({ ... })" },
      ],
    ]),
  },
  "unlisted-environment": { environment: { DATA: "/data", DATE: "today", HOME: "/root" } },
  "unset-environment": { environment: { DATA: "/data" } },
  "wrong-value.execution": { environment: {} },
  "missing-path": { exists: () => false, overrides: ["data=elsewhere/images.tar.gz", "data=../images.tar.gz"] },
};

/** Codes that the runner finds when the language has nothing against the file. */
const FOUND_BY_RUNNER = ["engine-unavailable", "unsupported-on-engine"];

const cases = readdirSync(`${folder}fixtures/language`)
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => name.slice(0, -".yaml".length));

function load(name: string): LoadResult {
  const text = readFileSync(`${folder}fixtures/language/${name}.yaml`, "utf8");
  const source = { file: `pipelines/${name}.yaml`, folder: "/project/pipelines", text };
  return loadPipeline(
    source,
    { profiles: [], overrides: [], workingFolder: "/project", ...options[name] },
    fixtureCatalogue,
  );
}

describe("the screen of", () => {
  test.each(cases.filter((name) => !FOUND_BY_RUNNER.includes(name)))("language/%s", async (name) => {
    const result = load(name);
    expect(result.pipeline).toBeUndefined();
    expect(result.diagnostics.map(({ code }) => code)).toContain(`language/${name.split(".")[0]}`);
    const screen = renderDiagnostics(result.diagnostics, result.texts, { color: false });
    await expect(screen).toMatchFileSnapshot(`${folder}fixtures/language/${name}.txt`);
  });

  test("language/engine-unavailable, which the runner finds", async () => {
    const { pipeline, texts } = load("engine-unavailable");
    const train = pipeline!.stages.find(({ name }) => name === "train")!;
    const words = {
      stage: "train",
      engine: "native",
      reason: "it is not installed",
      help: "install it with: pipe engine install",
    };
    const diagnostic = diagnose("language/engine-unavailable", words, train.spans.engine!);
    const screen = renderDiagnostics([diagnostic], texts, { color: false });
    await expect(screen).toMatchFileSnapshot(`${folder}fixtures/language/engine-unavailable.txt`);
  });

  test("language/unsupported-on-engine, which the runner finds before anything runs", async () => {
    const { pipeline, texts } = load("unsupported-on-engine");
    let screen = "";
    const app = { engines: createEngineTools({ dist: "" }), err: { write: (text: string) => (screen += text) } };
    const selected = pipeline!.stages.map(({ name }) => name);
    const opened = { pipeline, texts, selected } as unknown as OpenedPipeline;
    expect(await resolveEngines(app as unknown as App, opened, { install: false })).toBeUndefined();
    await expect(screen).toMatchFileSnapshot(`${folder}fixtures/language/unsupported-on-engine.txt`);
  });
});

test("the screen of ledger/nondeterministic, which the store knows of", async () => {
  const { pipeline, texts } = load("engine-unavailable");
  const { spans, name } = pipeline!.stages.find((stage) => stage.name === "train")!;
  const words = { stage: name, verify: `pipe verify pipelines/engine-unavailable.yaml ${name}` };
  const screen = renderDiagnostics([diagnose("ledger/nondeterministic", words, spans.name)], texts, { color: false });
  await expect(screen).toMatchFileSnapshot(`${folder}fixtures/ledger/nondeterministic.txt`);
});

test("every code of the catalogue has a screen", () => {
  const shown = new Set([
    ...cases.map((name) => `language/${name.split(".")[0]}`),
    "ledger/nondeterministic",
    // Those of locks are found by `lock-diagnostics.test.ts`.
    ...readdirSync(`${folder}fixtures/lock`).map((name) => `lock/${name.slice(0, -".txt".length)}`),
  ]);
  expect([...shown].sort()).toEqual(Object.keys(catalog).sort());
});
