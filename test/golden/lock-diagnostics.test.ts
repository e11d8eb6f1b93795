/** The whole screen of every diagnostic about a lock. `npx vitest run test/golden -u` writes the screens anew. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type Diagnostic, diagnose } from "../../src/diagnostics/diagnostic.ts";
import { renderDiagnostics } from "../../src/diagnostics/render-diagnostic.ts";
import type { LockProblem } from "../../src/execute/check-lock.ts";
import { diagnoseLock } from "../../src/execute/lock-diagnostics.ts";
import type { Lock } from "../../src/identity/lock.ts";
import { renderLock } from "../../src/identity/lock-text.ts";
import { createLockPlaces, parseLock } from "../../src/identity/parse-lock.ts";
import type { JsonObject } from "../../src/json.ts";
import { loadPipeline } from "../../src/language/load-pipeline.ts";
import { fixtureCatalogue } from "../language/fixture-catalogue.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const schema = JSON.parse(readFileSync(at("../../schemas/lock.schema.json"), "utf8")) as JsonObject;

const file = "pipelines/words.lock.yaml";
const PIPELINE = `name: words
params: { times: "3" }
stages:
  upper:
    inputs: { text: ./text.txt }
    outputs: { out: upper.txt }
    run: for i in $(seq "\${params.times}"); do tr a-z A-Z < "\${inputs.text}"; done > "\${outputs.out}"
  count:
    inputs: { text: upper }
    outputs: { out: count.txt }
    run: wc -l < "\${inputs.text}" > "\${outputs.out}"
`;
const { pipeline, texts } = loadPipeline(
  { file: "pipelines/words.yaml", folder: "/project/pipelines", text: PIPELINE },
  { profiles: [], overrides: [] },
  fixtureCatalogue,
);
const variable = Object.keys(pipeline!.stages[0]!.command!.values)[0]!;
const digest = "0123456789abcdef".repeat(4);
const stage = {
  fingerprint: digest,
  outputs: { out: { kind: "file", digest, sizeBytes: 8 } },
  metrics: {},
  sources: { text: "./text.txt" },
  machine: "linux-x64-avx2",
  key: {
    uses: "run",
    code: digest,
    modules: {},
    packages: {},
    params: {},
    inputs: { text: digest },
    outputs: ["out"],
    command: { [variable]: "2", text: digest },
    env: {},
    tools: {},
    numerics: {},
  },
};
const LOCK: Lock = {
  pipeline: "words",
  results: [
    { profiles: [], stages: { upper: stage, lower: stage } },
    { profiles: ["quick"], stages: { upper: stage } },
  ],
};
const text = renderLock(LOCK);
const placeOf = createLockPlaces({ file, text });

const found = (problem: LockProblem) =>
  diagnoseLock([problem], pipeline!, { file, name: "words", placeOf }, "pipe run words");
const parsed = (damaged: string) => {
  const diagnostics: Diagnostic[] = [];
  expect(parseLock({ file, text: damaged }, schema, (one) => diagnostics.push(one))).toBeUndefined();
  return diagnostics;
};

type Case = readonly [code: string, diagnostics: readonly Diagnostic[], damaged: string];

const CASES: readonly Case[] = ((): readonly Case[] => {
  const conflict = text.replace("      upper:\n", "<<<<<<< HEAD\n      upper:\n");
  const format = text.replace("tfpipe/lock/1", "tfpipe/lock/2");
  const machine = text.replace(/ {4}machine:\n(?: {6}.*\n)+/, "");
  const times = { part: "command", name: variable, before: "2", after: "3" } as const;
  return [
    ["merge-conflict", parsed(conflict), conflict],
    ["not-a-lock", parsed(format), format],
    ["without-machine", parsed(machine), machine],
    ["changed", found({ problem: "changed", stage: "upper", differences: [times] }), text],
    ["edited", found({ problem: "edited", stage: "upper", differences: [{ part: "input", name: "text" }] }), text],
    ["unlocked-stage", found({ problem: "unlocked", stage: "count" }), text],
    ["lost-stage", found({ problem: "lost", stage: "lower" }), text],
    [
      "lost-profile",
      [
        diagnose(
          "lock/lost-profile",
          { profiles: ["quick"], pipeline: "pipelines/words.yaml" },
          placeOf(["results", "words@quick"]),
        ),
      ],
      text,
    ],
    [
      "unreadable",
      found({
        problem: "unreadable",
        stage: "upper",
        reason: "/project/pipelines/text.txt does not exist",
        help: "put it there",
      }),
      text,
    ],
  ];
})();

test.each(CASES)("the screen of lock/%s", async (name, diagnostics, damaged) => {
  expect(diagnostics.map(({ code }) => code)).toContain(`lock/${name}`);
  const screen = renderDiagnostics(diagnostics, new Map([...texts, [file, damaged]]), { color: false });
  await expect(screen).toMatchFileSnapshot(at(`fixtures/lock/${name}.txt`));
});
