/** The world's refusals: each ends with 1 or 2, names what is wrong and what to do, and loses nothing. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Project } from "./project.ts";
import { createTinyProject, stagesThat } from "./tiny-pipeline.ts";

let project: Project;
beforeEach(async () => {
  project = await createTinyProject();
});
afterEach(() => project.remove());

const run = (...args: string[]) => project.run(["run", "tiny", "--json", ...args]);

describe("a stage that fails", () => {
  test("on a corrupt archive is named with the archive and the reason, and what depends on it is skipped", async () => {
    project.write("data.tar.gz", gzipSync(Buffer.from("not a tar at all".repeat(100))).subarray(0, 40));
    project.edit("pipelines/tiny.yaml", "../data", "../data.tar.gz");
    const result = await run();
    expect(result.code).toBe(1);
    expect(result.stage("fetch").failure?.message).toMatch(/data\.tar\.gz|input source/);
    expect(result.stage("fetch").failure?.stack).toBeUndefined();
    expect(result.stage("train").outcome).toBe("skipped");
    const shown = await project.run(["run", "tiny"]);
    expect(shown.stdout).not.toContain("    at ");
  });

  test("on a model with another number of classes than the folder turns out to have names both", async () => {
    project.edit("pipelines/tiny.yaml", "numClasses: 3", "numClasses: 4");
    const result = await run();
    expect(result.code).toBe(1);
    expect(result.stage("train").failure?.message).toMatch(/3.*4|4.*3/);
    expect(result.stage("train").failure?.stack).toBeUndefined();
  });

  test("on a corrupt image names the image", async () => {
    writeFileSync(project.path("data/train/amber/003.png"), "not a png");
    const result = await run();
    expect(result.code).toBe(1);
    expect(result.stage("fetch").failure?.message).toContain("train/amber/003.png");
  });

  test("leaves the results of the last success as they are", async () => {
    expect((await run()).code).toBe(0);
    const before = project.read("artifacts/tiny/evaluate/metrics/metrics.json");
    writeFileSync(project.path("data/test/amber/003.png"), "not a png");
    expect((await run()).code).toBe(1);
    expect(project.read("artifacts/tiny/evaluate/metrics/metrics.json")).toBe(before);
  });
});

describe("what is wrong before anything runs ends with 2 and a frame at the line", () => {
  test.each([
    [
      "an engine that is not here",
      "engine: { name: wasm, threads: 1 }",
      "engine: { name: native }",
      /native/,
      { TFPIPE_HOME: "/nonexistent" },
    ],
    [
      "a precision that the engine does not have",
      "engine: { name: wasm, threads: 1 }",
      "engine: { name: wasm, threads: 1, precision: bfloat16 }",
      /the wasm engine cannot do bfloat16 arithmetic; native can/,
      {},
    ],
    ["a split fraction of 0", "valid: 0.25", "valid: 0", /fractions/, {}],
    [
      "class names that do not fit",
      "formats: [svg]",
      "formats: [svg]\n      classNames: [a, b]",
      /2 class names are given, but predictions has 3 classes/,
      {},
    ],
    ["a misspelt setting", 'learningRate: "${', 'lerningRate: "${', /did you mean "learningRate"/, {}],
    ["an unknown stage", "normalize.valid", "normalise.valid", /did you mean "normalize"/, {}],
    ["a missing folder", "../data", "../dta", /no file or folder/, {}],
  ] as const)("%s", async (_what, from, to, message, environment) => {
    project.edit("pipelines/tiny.yaml", from, to);
    const result = await project.run(["run", "tiny"], environment);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(message);
    const line = project
      .read("pipelines/tiny.yaml")
      .slice(0, project.read("pipelines/tiny.yaml").indexOf(to))
      .split("\n").length;
    const framed = [...result.stderr.matchAll(/tiny\.yaml:(\d+):/g)].map((match) => Number(match[1]));
    expect(
      framed.some((at) => Math.abs(at - line) <= 1),
      `${result.stderr}\nexpected line ${line}`,
    ).toBe(true);
    expect(result.stderr).toMatch(/\^/);
  });
});

test("a full disk is said to be full, what is finished stays, and the run goes on when there is room", async ({
  skip,
}) => {
  const folder = project.path("small");
  mkdirSync(folder);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], { stdio: "ignore" });
  } catch {
    skip("a small file system cannot be mounted here");
  }
  try {
    const full = await run("--artifacts", "small");
    expect(full.code).toBe(1);
    const failed = full.record!.stages.find((stage) => stage.outcome === "failed")!;
    expect(failed.failure?.message).toMatch(/^the disk is full/);
    expect(failed.failure?.help).toMatch(/free some space/);
    expect(failed.failure?.stack).toBeUndefined();
    execFileSync("mount", ["-o", "remount,size=400m", folder]);
    const later = await run("--artifacts", "small");
    expect(later.code).toBe(0);
    expect(stagesThat(later.outcomes, "fresh").length).toBe(stagesThat(full.outcomes, "ran").length);
  } finally {
    execFileSync("umount", [folder]);
  }
});

test("a file that changes while a stage reads it fails that stage, and nothing is stored", async () => {
  const running = project.start(["run", "tiny", "--json"]);
  await running.event((event) => event.type === "stage-started" && event.stage === "fetch");
  const image = project.path("data/train/amber/000.png");
  writeFileSync(image, readFileSync(project.path("data/train/violet/000.png")));
  const result = await running.result;
  expect(result.code).toBe(1);
  expect(result.stage("fetch").failure?.message).toMatch(/000\.png was changed while the stage ran/);
  expect((await run()).stage("fetch").outcome).toBe("ran");
});
