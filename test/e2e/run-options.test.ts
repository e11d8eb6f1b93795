/** The real program's ways to run a part of a pipeline, or nothing. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Project } from "./project.ts";
import { stagesThat } from "./tiny-pipeline.ts";
import { createWordsProject, oneStage } from "./words-pipeline.ts";

let project: Project;
beforeEach(() => {
  project = createWordsProject();
});
afterEach(() => project.remove());

const run = (...args: string[]) => project.run(["run", "words.yaml", "--json", ...args]);

describe("pipe run", () => {
  test("--dry-run shows what would run, and why, and runs nothing", async () => {
    const { code, stdout, events } = await project.run(["run", "words.yaml", "--dry-run", "--until", "twice"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^upper +run +never run/m);
    expect(stdout).toMatch(/^twice +pending +never run; waits for upper/m);
    expect(stdout).not.toMatch(/^count/m);
    expect(events).toEqual([]);
    expect(existsSync(project.path("artifacts", "words"))).toBe(false);
  });

  test("--until brings a stage and what it needs up to date", async () => {
    expect(Object.keys((await run("--until", "twice")).outcomes)).toEqual(["upper", "twice"]);
  });

  test("--from considers a stage and what depends on it, once what comes before is up to date", async () => {
    const refused = await run("--from", "twice");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("--from twice: what comes before is not up to date: upper (never run)");
    expect(refused.stderr).toContain("pipe run words.yaml upper");
    expect(refused.events).toEqual([]);

    await run("--until", "upper");
    const { code, outcomes } = await run("--from", "twice");
    expect(code).toBe(0);
    expect(outcomes).toEqual({ upper: "fresh", twice: "ran", count: "ran" });
  });

  test("--from and --until that do not meet are refused", async () => {
    const { code, stderr } = await run("--from", "other", "--until", "count");
    expect(code).toBe(2);
    expect(stderr).toContain("--from other: count does not depend on it");
  });

  test("a stage that is not there is named with the nearest one", async () => {
    const { code, stderr } = await run("--until", "twize");
    expect(code).toBe(2);
    expect(stderr).toContain('did you mean "twice"?');
  });

  test("stops where a changed input gives the same bytes", async () => {
    await run();
    project.write("text.txt", "ONE\nTWO\n");
    expect((await run()).outcomes).toEqual({ upper: "ran", twice: "fresh", count: "fresh", other: "fresh" });
  });

  test("refuses a frozen stage that has nothing to keep, before anything runs", async () => {
    project.edit(
      "words.yaml",
      "    outputs: { out: count.txt }\n",
      "    outputs: { out: count.txt }\n    frozen: true\n",
    );
    const refused = await run();
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("stage count is frozen, and it never ran");
    expect(stagesThat(refused.outcomes, "ran")).toEqual([]);
    const forced = await run("--force", "count");
    expect(stagesThat(forced.outcomes, "ran")).toEqual(["upper", "twice", "count", "other"]);
    project.write("text.txt", "three\n");
    expect((await run()).outcomes).toEqual({ upper: "ran", twice: "ran", count: "fresh", other: "ran" });
  });

  test("two at once on one pipeline execute each stage once, and both end well", async () => {
    const both = await Promise.all([run(), run()]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    const started = both.flatMap(({ events }) =>
      events.flatMap((event) => (event.type === "stage-started" ? [event.stage] : [])),
    );
    expect(started.sort()).toEqual(["count", "other", "twice", "upper"]);
  });
});

describe("a stage that fails", () => {
  test("is tried again as often as it may be", async () => {
    // `tried` lies beside the pipeline: the command cheats, so that its second attempt is another one.
    project.write(
      "one.yaml",
      oneStage(`test -e tried || { touch tried; exit 3; }\necho done > "\${outputs.out}"`, "    retries: 1\n"),
    );
    const { code, events } = await project.run(["run", "one.yaml", "--json"]);
    expect(code).toBe(0);
    expect(events.find(({ type }) => type === "stage-retrying")).toMatchObject({
      stage: "only",
      attempt: 1,
      attempts: 2,
      failure: { message: "its command ended with exit code 3" },
    });
  });

  test("by its timeout takes all its processes with it", async () => {
    project.write("one.yaml", oneStage("sleep 1000 &\nsetsid sleep 1000 &\nsleep 1000", "    timeout: 300 ms\n"));
    const result = await project.run(["run", "one.yaml", "--json"]);
    expect(result.code).toBe(1);
    expect(result.stage("only").failure?.message).toBe("it ran longer than its timeout of 0.3 s, and was killed");
    expect(processesIn(project.folder)).toEqual([]);
  });
});

test.each([1, 2])("Ctrl-C, pressed %i times, ends every process that a stage has started", async (times) => {
  project.write("one.yaml", oneStage("setsid sleep 1000 &\necho ready\nsleep 1000"));
  const running = project.start(["run", "one.yaml", "--json"]);
  await running.event((event) => event.type === "stage-logged" && event.line === "ready");
  for (let i = 0; i < times; i++) running.child.kill("SIGINT");
  expect((await running.result).code).toBe(130);
  expect(processesIn(project.folder)).toEqual([]);
});

/** Command lines of the living processes that work in a folder. */
function processesIn(folder: string): readonly string[] {
  return readdirSync("/proc").flatMap((pid) => {
    try {
      if (readlinkSync(`/proc/${pid}/cwd`) !== folder) return [];
      return [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")];
    } catch {
      return []; // not a process, or gone meanwhile
    }
  });
}
