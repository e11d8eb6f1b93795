/**
 * Results of earlier code of tfpipe's own stages, with the real program in a checkout whose sources are edited between two
 * runs: verified by the bundles that the store kept, and brought to the first step in which the code before and after differ.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Bisection } from "../../src/cache/bisect-runs.ts";
import type { Verification } from "../../src/cache/verification.ts";
import type { Project } from "./project.ts";
import { createTinyProject } from "./tiny-pipeline.ts";

const root = join(import.meta.dirname, "..", "..");

let checkout: string;
let project: Project;
beforeEach(async () => {
  checkout = mkdtempSync(join(tmpdir(), "checkout-"));
  for (const part of ["dist", "src", "stages", "assets", "schemas", "package.json", "tsconfig.json"])
    cpSync(join(root, part), join(checkout, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(checkout, "node_modules"), "junction");
  project = await createTinyProject(join(checkout, "dist", "pipe.js"));
});
afterEach(() => {
  project.remove();
  rmSync(checkout, { recursive: true });
});

function edit(path: string, change: (text: string) => string): void {
  const before = readFileSync(join(checkout, path), "utf8");
  const after = change(before);
  if (after === before) throw new Error(`nothing to edit in ${path}`);
  writeFileSync(join(checkout, path), after);
}

async function json<T>(...args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await project.run([...args, "--json"]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as T;
}

test("are verified by what made them, and bisected from the first minibatch that another optimiser takes otherwise", async () => {
  expect((await project.run(["run", "tiny", "train", "--name", "before"])).code).toBe(0);
  const mark = (text: string) => `${text}\nglobalThis.edited = true;\n`;
  edit("stages/fetch.ts", mark);
  edit("src/ml/engine/wasm/wasm-engine.ts", mark);
  edit("src/ml/optim/optimizer.ts", (text) => text.replace(": 1 - dampening;", ": step === 4 ? 0.5 : 1 - dampening;"));
  // The engine, a worker of threads and packages of both are among what the earlier code needs.
  const { stages } = await json<Verification>("verify", "tiny", "fetch", "train");
  expect(stages).toMatchObject([
    { stage: "fetch", verdict: "identical", earlierCode: true },
    { stage: "train", verdict: "identical", earlierCode: true },
  ]);

  expect((await project.run(["run", "tiny", "train", "--name", "after"])).code).toBe(0);
  const { partings, same } = await json<Bisection>("bisect", "before", "after");
  expect(same).toContain("fetch");
  expect(partings).toMatchObject([{ stage: "train", replay: { replayed: { epoch: 1, minibatch: 4, of: 6 } } }]);
  const [{ causes }] = partings as [Bisection["partings"][0]];
  expect(causes.map((cause) => [cause.class, cause.difference?.name])).toEqual([
    ["code", "src/ml/engine/wasm/wasm-engine.ts"],
    ["code", "src/ml/optim/optimizer.ts"],
  ]);
  const { stdout } = await project.run(["verify", "tiny", "fetch"]);
  expect(stdout).not.toContain("another one by now");
});
