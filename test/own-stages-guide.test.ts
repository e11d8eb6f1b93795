/** docs/stages.md is right: its TypeScript passes the compiler with the types of the package, and its project runs. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { Project } from "./e2e/project.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const guide = readFileSync(join(root, "docs", "stages.md"), "utf8");
/** Text by the path that stands before it. */
const files = new Map(
  [...guide.matchAll(/^`([^`\n]+)`:\n\n```\w+\n(.*?)^```$/gms)].map(([, path, text]) => [path!, text!]),
);

test("the guide has a pipeline, a stage and a module of its own", () => {
  expect([...files.keys()].sort()).toEqual(["pipelines/words.yaml", "stages/count-words.ts", "stages/split-words.ts"]);
});

describe("the stage of the guide", () => {
  /** What the compiler says, with `tfpipe` as the types are in this checkout. */
  function compile(changed: ReadonlyMap<string, string>): readonly string[] {
    const folder = mkdtempSync(join(tmpdir(), "guide-"));
    for (const [path, text] of changed) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    const options: ts.CompilerOptions = {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      allowImportingTsExtensions: true,
      noEmit: true,
      strict: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: true,
      types: ["node"],
      typeRoots: [join(root, "node_modules", "@types")],
      lib: ["lib.es2023.d.ts"],
      paths: { tfpipe: [join(root, "src", "contract.ts")] },
    };
    const program = ts.createProgram([join(folder, "stages", "count-words.ts")], options);
    const found = ts.getPreEmitDiagnostics(program);
    rmSync(folder, { recursive: true });
    return found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
  }

  test("passes the compiler", () => {
    expect(compile(files)).toEqual([]);
  });

  test("would not with a mistake in it", () => {
    const broken = files.get("stages/count-words.ts")!.replace("params.least", "params.most");
    expect(compile(new Map([...files, ["stages/count-words.ts", broken]]))).toEqual([
      expect.stringContaining("'most' does not exist on type 'CountParams'"),
    ]);
  });
});

test("the guide's project runs", async () => {
  const project = new Project();
  for (const [path, text] of files) project.write(path, text);
  project.write("data/raw.txt", "the owl\nand the cat\n");
  const run = await project.run(["run", "--json"]);
  expect(run.stderr).toBe("");
  expect(run.outcomes).toEqual({ prepare: "ran", count: "ran", upper: "ran" });
  expect(JSON.parse(project.read("artifacts/words/upper/counts/counts.json"))).toEqual({ THE: 3 });
  expect(run.stage("count").metrics).toEqual({ words: 1 });
  project.remove();
});
