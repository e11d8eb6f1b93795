/** A project with stages of its own, a shell stage and one in TypeScript, run by the real program. */
import { chmodSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { processIdentity } from "../../src/platform/process-tree.ts";
import { Project } from "./project.ts";
import { stagesThat } from "./tiny-pipeline.ts";

const PIPELINE = `name: own
params: { title: plain, note: first }
stages:
  prepare:
    inputs: { raw: "../data/raw.txt" }
    outputs: { text: text.txt }
    run: |
      # how it begins
      printf '%s\\n' "\${params.title}" > "\${outputs.text}"
      cat -- "\${inputs.raw}" >> "\${outputs.text}"
  count:
    uses: ../stages/count.ts
    inputs: { text: prepare }
    with: { least: 1, note: "\${params.note}" }
  show:
    inputs: { counts: count }
    outputs: { shown: shown.txt }
    run: cat -- "\${inputs.counts}" > "\${outputs.shown}"
`;

const COUNT = `
// what it does
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { shout } from "shout";
import { defineStage, StageFailure } from "tfpipe";
import { words } from "./words.ts";

export const count = defineStage<{ least: number }>({
  type: "count",
  description: "Counts words.",
  schema: {
    type: "object",
    properties: { least: { type: "integer", default: 1 }, note: { type: "string", "x-role": "execution" } },
  },
  inputs: { text: { kind: "any", description: "A text." } },
  outputs: { counts: { kind: "file", description: "How many." } },
  async run({ params, inputs, outputs, metric }) {
    const found = words(readFileSync(inputs.text!.path("text.txt"), "utf8"));
    if (found.length < params.least) throw new StageFailure("too few words", "write more");
    metric("words", found.length);
    writeFileSync(join(outputs.counts!.folder, "counts.txt"), shout(String(found.length)));
  },
});
`;

let project: Project;
beforeEach(() => {
  project = new Project();
  project.write("pipelines/own.yaml", PIPELINE);
  project.write("stages/count.ts", COUNT);
  project.write(
    "stages/words.ts",
    "export function words(text: string) {\n  return text.split(/\\s+/).filter(Boolean);\n}\n\nexport function unused() {\n  return 1;\n}\n",
  );
  project.write(
    "node_modules/shout/package.json",
    JSON.stringify({ name: "shout", version: "1.0.0", type: "module", exports: "./index.js" }),
  );
  project.write("node_modules/shout/index.js", "export const shout = (text) => text + '!';\n");
  project.write("data/raw.txt", "one two\n");
});
afterEach(() => project.remove());

const ran = async () => stagesThat((await project.run(["run", "own", "--json"])).outcomes, "ran");

test("its stages run, in their order, and a second run has nothing to do", async () => {
  expect(await ran()).toEqual(["prepare", "count", "show"]);
  expect(project.read("artifacts/own/show/shown/shown.txt")).toBe("3!");
  expect(await ran()).toEqual([]);
});

test("an edit reruns what it changes, and nothing else", async () => {
  await ran();
  const steps: readonly (readonly [string, () => void, readonly string[]])[] = [
    ["a comment of the module", () => project.edit("stages/count.ts", "what it does", "what it really does"), []],
    ["an unused function of an import", () => project.edit("stages/words.ts", "return 1", "return 2"), []],
    ["a setting in no key", () => project.edit("pipelines/own.yaml", "note: first", "note: second"), []],
    // The same count comes out: what needs it does not run.
    ["a used function of an import", () => project.edit("stages/words.ts", "/\\s+/", "/\\s/"), ["count"]],
    ["a package's version", () => project.edit("node_modules/shout/package.json", "1.0.0", "1.0.1"), ["count"]],
    ["a setting", () => project.edit("pipelines/own.yaml", "least: 1", "least: 2"), ["count"]],
    ["the command", () => project.edit("pipelines/own.yaml", "how it begins", "how it all begins"), ["prepare"]],
    ["the input", () => project.write("data/raw.txt", "one two three\n"), ["prepare", "count", "show"]],
  ];
  for (const [what, edit, expected] of steps) {
    edit();
    expect([what, await ran()]).toEqual([what, expected]);
  }
});

test("why names the module that was edited, and shows the line of the command that was", async () => {
  await ran();
  project.edit("stages/words.ts", "/\\s+/", "/ /");
  project.edit("pipelines/own.yaml", "how it begins", "how it all begins");
  expect((await project.run(["why", "own", "count"])).stdout).toContain("stages/words.ts");
  const why = (await project.run(["why", "own", "prepare"])).stdout;
  expect(why).toContain("# how it begins");
  expect(why).toContain("# how it all begins");
});

test("a pipeline in another folder shares the results", async () => {
  await ran();
  project.write("more/deeper/own.yaml", project.read("pipelines/own.yaml").replaceAll("../", "../../"));
  const run = await project.run(["run", "more/deeper/own.yaml", "--artifacts", "artifacts", "--json"]);
  expect([run.code, stagesThat(run.outcomes, "ran")]).toEqual([0, []]);
});

test("the project may lie anywhere: a copy of it, store and all, has nothing to do", async () => {
  await ran();
  const copy = new Project(undefined, "a copy of it");
  cpSync(project.folder, copy.folder, { recursive: true, preserveTimestamps: true });
  const run = await copy.run(["run", "own", "--json"]);
  expect([run.code, stagesThat(run.outcomes, "ran")]).toEqual([0, []]);
  copy.remove();
});

test("a declared environment variable counts by its value, in both kinds of stages; another one is not there", async () => {
  project.write(
    "stages/look.ts",
    `import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineStage } from "tfpipe";
export const look = defineStage({
  type: "look",
  description: "Looks around.",
  inputs: {},
  outputs: { out: { kind: "file", description: "What it saw." } },
  async run({ outputs }) {
    writeFileSync(join(outputs.out!.folder, "out.txt"), \`\${process.env.MODE} \${process.env.SECRET}\`);
  },
});
`,
  );
  project.write(
    "pipelines/env.yaml",
    `name: env
env: [MODE]
stages:
  look: { uses: ../stages/look.ts }
  shell:
    outputs: { out: out.txt }
    run: printf '%s' "\${env.MODE} \${SECRET-undefined}" > "\${outputs.out}"
`,
  );
  const runWith = (MODE: string) => project.run(["run", "env", "--json"], { MODE, SECRET: "leaks" });
  expect(stagesThat((await runWith("a")).outcomes, "ran")).toEqual(["look", "shell"]);
  for (const stage of ["look", "shell"]) expect(project.read(`artifacts/env/${stage}/out/out.txt`)).toBe("a undefined");
  expect(stagesThat((await runWith("a")).outcomes, "ran")).toEqual([]);
  expect(stagesThat((await runWith("b")).outcomes, "ran")).toEqual(["look", "shell"]);
  expect((await project.run(["why", "env", "shell"], { MODE: "c" })).stdout).toMatch(/env MODE b -> c/);
});

test("a listed program counts by its bytes, and one that is not there is named", async () => {
  project.write("bin/greet", "#!/bin/sh\necho hello\n");
  chmodSync(project.path("bin/greet"), 0o755);
  project.write(
    "pipelines/tools.yaml",
    `name: tools
stages:
  greet:
    tools: [greet]
    outputs: { out: out.txt }
    run: greet > "\${outputs.out}"
`,
  );
  const PATH = `${project.path("bin")}:${process.env.PATH}`;
  expect(stagesThat((await project.run(["run", "tools", "--json"], { PATH })).outcomes, "ran")).toEqual(["greet"]);
  expect(stagesThat((await project.run(["run", "tools", "--json"], { PATH })).outcomes, "ran")).toEqual([]);
  project.edit("bin/greet", "hello", "good day");
  expect((await project.run(["why", "tools", "greet"], { PATH })).stdout).toContain("the program greet is another one");
  await project.run(["run", "tools", "--json"], { PATH });
  expect(project.read("artifacts/tools/greet/out/out.txt")).toBe("good day\n");
  const missing = await project.run(["run", "tools", "--json"]);
  expect(missing.stage("greet").failure?.message).toMatch(/greet is listed under tools/);
});

test("a shell stage collects the instances of a matrix, a folder each", async () => {
  project.write(
    "pipelines/many.yaml",
    `name: many
stages:
  draw:
    matrix: { seed: [1, 2], size: [10] }
    outputs: { out: drawn.txt }
    run: echo "\${matrix.seed} of \${matrix.size}" > "\${outputs.out}"
  collect:
    inputs: { runs: "draw@*" }
    outputs: { out: all.txt }
    run: cd "\${inputs.runs}"; for one in *; do echo "$one $(cat "$one/drawn.txt")"; done > "\${outputs.out}"
`,
  );
  const run = await project.run(["run", "many", "--json"]);
  expect([run.stderr, run.code]).toEqual(["", 0]);
  expect(project.read("artifacts/many/collect/out/all.txt")).toBe("seed=1,size=10 1 of 10\nseed=2,size=10 2 of 10\n");
  project.edit("pipelines/many.yaml", "[1, 2]", "[1, 3]");
  const again = await project.run(["run", "many", "--json"]);
  expect(stagesThat(again.outcomes, "ran")).toEqual(["draw@seed=3,size=10", "collect"]);
});

test("Ctrl-C ends a command and what it started, and the next run starts it again", async () => {
  project.write(
    "pipelines/long.yaml",
    `name: long
stages:
  wait:
    outputs: { out: out.txt }
    run: |
      sleep 1000 & echo "$!"
      wait; touch "\${outputs.out}"
`,
  );
  const running = project.start(["run", "long", "--json"]);
  const said = await running.event((event) => event.type === "stage-logged");
  running.child.kill("SIGINT");
  const result = await running.result;
  expect([result.code, result.outcomes.wait]).toEqual([130, "interrupted"]);
  const pid = Number(said.type === "stage-logged" ? said.line : Number.NaN);
  await expect.poll(() => processIdentity(pid)).toBeUndefined();
  project.edit("pipelines/long.yaml", "sleep 1000", "sleep 0");
  expect((await project.run(["run", "long", "--json"])).code).toBe(0);
});

test("a command does not outlive a runner that was killed", async () => {
  project.write(
    "pipelines/long.yaml",
    `name: long
stages:
  wait:
    outputs: { out: out.txt }
    run: sleep 1000 & echo "$!"; wait; touch "\${outputs.out}"
`,
  );
  const running = project.start(["run", "long", "--json"]);
  const said = await running.event((event) => event.type === "stage-logged");
  running.child.kill("SIGKILL");
  await running.result;
  const pid = Number(said.type === "stage-logged" ? said.line : Number.NaN);
  await expect.poll(() => processIdentity(pid)).toBeUndefined();
});

test("what a command links into its output stays the user's own", async () => {
  project.write(
    "pipelines/link.yaml",
    `name: link
stages:
  link:
    outputs: { out: out.txt }
    run: ln ../data/raw.txt "\${outputs.out}"
`,
  );
  expect((await project.run(["run", "link", "--json"])).outcomes.link).toBe("ran");
  writeFileSync(project.path("data/raw.txt"), "edited by hand");
  rmSync(project.path("artifacts/link"), { recursive: true });
  const run = await project.run(["run", "link", "--json"]);
  expect([run.stderr, run.outcomes.link]).toEqual(["", "restored"]);
  expect(project.read("artifacts/link/link/out/out.txt")).toBe("one two\n");
});

describe("what is hostile arrives as it is", () => {
  test.each([
    ["blanks and line breaks", "two  words\nand more "],
    ["quotes and shell", `it's "so" $(touch pwned) \`touch pwned\` ; rm *`],
    ["a leading dash and letters of the world", "-n zażółć 猫"],
  ])("%s", async (_what, title) => {
    const name = title.replaceAll("/", "");
    project.write(`data/${name}`, "content\n");
    project.edit("pipelines/own.yaml", '"../data/raw.txt"', JSON.stringify(`../data/${name}`));
    const run = await project.run(["run", "own", "prepare", "--json", "--param", `title=${JSON.stringify(title)}`]);
    expect(run.stderr).toBe("");
    expect(project.read("artifacts/own/prepare/text/text.txt")).toBe(`${title}\ncontent\n`);
    expect(existsSync(project.path("pipelines/pwned"))).toBe(false);
  });
});

describe("what is wrong is said", () => {
  test("a mistake in the module stands at the place that uses it, with its own line", async () => {
    project.edit("stages/words.ts", "return 1;", "return = 1;");
    const run = await project.run(["plan", "own"]);
    expect(run.code).toBe(2);
    expect(run.stderr).toMatch(/pipelines\/own\.yaml:12:11/);
    expect(run.stderr).toMatch(/Unexpected "="/);
    expect(run.stderr).toMatch(/note: it is here\n +stages\/words\.ts:6:10\n/);
    expect(run.stderr).toContain("return = 1;");
  });

  test("a setting that the schema does not have is an error at its line", async () => {
    project.edit("pipelines/own.yaml", "least: 1", "leest: 1");
    const run = await project.run(["plan", "own"]);
    expect(run.code).toBe(2);
    expect(run.stderr).toMatch(/leest/);
    expect(run.stderr).toMatch(/did you mean "least"/);
  });

  test("a bug in the module names the line that was written", async () => {
    project.edit("stages/words.ts", "return text.split", "throw new TypeError('a bug');\n  return text.split");
    const run = await project.run(["run", "own", "--json"]);
    expect(run.code).toBe(1);
    expect(run.stage("count").failure?.message).toBe("a bug");
    expect(run.stage("count").failure?.stack).toMatch(/stages\/words\.ts:2:/);
  });

  test("a command that fails shows its last lines, and what is missing is named", async () => {
    project.edit("pipelines/own.yaml", "cat --", "echo 'no such column' >&2; exit 4; cat --");
    const failed = (await project.run(["run", "own", "--json"])).stage("prepare").failure;
    expect(failed).toMatchObject({ message: "its command ended with exit code 4", lastOutput: ["no such column"] });
    project.edit("pipelines/own.yaml", "exit 4;", "exit 0;");
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the language's notation.
    project.edit("pipelines/own.yaml", '"${outputs.text}"', "/dev/null");
    const missing = (await project.run(["run", "own", "--json"])).stage("prepare").failure;
    expect(missing?.message).toMatch(/did not write its output text/);
    expect(readFileSync(project.path("data/raw.txt"), "utf8")).toBe("one two\n");
  });
});
