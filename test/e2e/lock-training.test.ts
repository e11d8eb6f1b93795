/** A lock of the seven stage types, trained by whatever engine `auto` is here, in a clone that has no data and no engine. */
import { cpSync } from "node:fs";
import { expect, test } from "vitest";
import type { FrozenJson } from "../../src/cli/check-frozen.ts";
import { Project } from "./project.ts";
import { createTinyProject } from "./tiny-pipeline.ts";

test("what was trained is checked without data and without an engine, and a change is told at its line", async () => {
  const project = await createTinyProject();
  const clone = new Project();
  try {
    project.edit("pipelines/tiny.yaml", "engine: { name: wasm,", "engine: { name: auto,");
    expect((await project.run(["run", "tiny"])).code).toBe(0);
    expect((await project.run(["lock", "tiny"])).code).toBe(0);
    expect(project.read("pipelines/tiny.lock.yaml")).toMatch(/\n {8}metrics:\n {10}testAccuracy: /);
    cpSync(project.path("pipelines"), clone.path("pipelines"), { recursive: true });
    // Where engines are put: nothing is there.
    const nowhere = { TFPIPE_HOME: clone.path("cache") };
    const check = async () => {
      const { code, stdout } = await clone.run(["check", "--frozen", "--json"], nowhere);
      return { code, ...(JSON.parse(stdout) as FrozenJson).results[0]! };
    };
    const first = await check();
    expect(first).toMatchObject({ code: 0, follows: true, stages: 7, diagnostics: [] });
    expect(first.unchecked).toEqual([{ part: "input", stage: "fetch", name: "source", path: "../data" }]);
    const isNative = project.read("pipelines/tiny.lock.yaml").includes("engine: native");
    expect(first.notes.join()).toMatch(isNative ? /^locked on native .*, which is not installed here$/ : /^$/);
    clone.edit("pipelines/tiny.yaml", "threads: 1", "threads: 2");
    clone.edit("pipelines/tiny.yaml", "learningRate: 0.02", "learningRate: 0.03");
    const changed = await check();
    expect(changed.code).toBe(4);
    expect(changed.diagnostics.map(({ line, message }) => `${line} ${message}`).sort()).toEqual([
      '3 stage "train" is not what is locked: optimizer.learningRate 0.02 -> 0.03',
      '4 stage "evaluate" is not what is locked: numerics threads 1 -> 2',
      '4 stage "train" is not what is locked: numerics threads 1 -> 2',
    ]);
    expect(changed.behind).toEqual(["plot"]);
  } finally {
    project.remove();
    clone.remove();
  }
});
