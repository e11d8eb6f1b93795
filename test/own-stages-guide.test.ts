/**
 * docs/stages.md is right: in a project where the package is installed, its TypeScript passes the compiler and its pipeline
 * runs; a stage with an engine may use the package's library.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "./e2e/project.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
/** Text by the path that stands before it. */
const files = new Map(
  [...readFileSync(join(root, "docs", "stages.md"), "utf8").matchAll(/^`([^`\n]+)`:\n\n```\w+\n(.*?)^```$/gms)].map(
    ([, path, text]) => [path!, text!],
  ),
);
let project: Project;

/** The package as it is published, and its dependencies, which are large and the same, by links. */
function install(folder: string): void {
  const own = join(folder, "tfpipe");
  mkdirSync(own, { recursive: true });
  for (const part of ["dist", "assets", "schemas", "package.json"])
    if (existsSync(join(root, part))) cpSync(join(root, part), join(own, part), { recursive: true });
  const types = ["-p", join(root, "tsconfig.build.json"), "--outDir", join(own, "dist", "types")];
  execFileSync(process.execPath, [compiler, ...types], { cwd: root });
  for (const name of readdirSync(join(root, "node_modules")))
    if (name !== "tfpipe" && name !== ".bin") symlinkSync(join(root, "node_modules", name), join(folder, name));
}

beforeAll(() => {
  project = new Project();
  install(project.path("node_modules"));
  for (const [path, text] of files) project.write(path, text);
  project.write("data/raw.txt", "the owl\nand the cat\n");
  const compilerOptions = {
    target: "es2022",
    module: "nodenext",
    allowImportingTsExtensions: true,
    noEmit: true,
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    types: ["node"],
  };
  project.write("tsconfig.json", JSON.stringify({ compilerOptions, include: ["stages"] }));
  project.write("package.json", '{ "type": "module" }\n');
});
afterAll(() => project.remove());

const compile = () => spawnSync(process.execPath, [compiler, "-p", project.folder], { encoding: "utf8" }).stdout;
/** With the installed program. */
async function run(pipeline: string) {
  const program = project.path("node_modules", "tfpipe", "dist", "pipe.js");
  const args = [program, "run", pipeline, "--json"];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: project.folder, encoding: "utf8" });
  expect(stderr).toBe("");
  const last = stdout.trim().split("\n").at(-1)!;
  return (JSON.parse(last) as { record: { stages: { stage: string; outcome: string; metrics: object }[] } }).record
    .stages;
}

test("the guide has a pipeline, a stage and a module of its own", () => {
  expect([...files.keys()].sort()).toEqual(["pipelines/words.yaml", "stages/count-words.ts", "stages/split-words.ts"]);
});

test("the guide's stage passes the compiler, and would not with a mistake in it", () => {
  expect(compile()).toBe("");
  project.edit("stages/count-words.ts", "params.least", "params.most");
  expect(compile()).toContain("Property 'most' does not exist on type 'CountParams'");
  project.edit("stages/count-words.ts", "params.most", "params.least");
});

test("the guide's project runs", async () => {
  const stages = await run("words");
  expect(stages.map(({ stage, outcome }) => [stage, outcome])).toEqual([
    ["prepare", "ran"],
    ["count", "ran"],
    ["upper", "ran"],
  ]);
  expect(JSON.parse(project.read("artifacts/words/upper/counts/counts.json"))).toEqual({ THE: 3 });
  expect(stages[1]!.metrics).toEqual({ words: 1 });
});

test("a stage that computes gets its engine, and may use the package's library", async () => {
  project.write(
    "stages/draw.ts",
    `import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineStage } from "tfpipe";
import { describeModel, type Engine, openEngine } from "tfpipe/ml";

export const draw = defineStage<{ seed: number }, Engine>({
  type: "draw",
  description: "Draws.",
  schema: { type: "object", required: ["seed"], properties: { seed: { type: "integer" } } },
  inputs: {},
  outputs: { out: { kind: "file", description: "What was drawn." } },
  computes: true,
  async run({ engine, outputs, rng }) {
    const { architecture } = describeModel({ architecture: "resnet18", numClasses: 3 } as Parameters<typeof describeModel>[0]);
    const text = [engine.name, architecture, typeof rng("x").uniform(), typeof openEngine].join(" ");
    writeFileSync(join(outputs.out!.folder, "out.txt"), text);
  },
});
`,
  );
  project.write(
    "pipelines/draw.yaml",
    "name: draw\nengine: { name: wasm, threads: 1 }\nstages:\n  draw: { uses: ../stages/draw.ts, with: { seed: 3 } }\n",
  );
  expect(compile()).toBe("");
  expect((await run("draw")).map(({ outcome }) => outcome)).toEqual(["ran"]);
  expect(project.read("artifacts/draw/draw/out/out.txt")).toMatch(/^wasm resnet18 number function$/);
});
