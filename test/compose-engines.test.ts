/** The programs that engines are tested by, as processes: what they print is believed, how they end is told. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createEngineTools } from "../src/compose-engines.ts";
import type { ResolvedEngine } from "../src/execute/engine-port.ts";
import { temporaryFolder } from "./bundle-worker.ts";

let folder: ReturnType<typeof temporaryFolder>;
let home: string | undefined;
beforeEach(() => {
  folder = temporaryFolder();
  home = process.env.TFPIPE_HOME;
  process.env.TFPIPE_HOME = folder.path;
  writeFileSync(join(folder.path, "package.json"), '{ "type": "module" }');
});
afterEach(() => {
  if (home === undefined) delete process.env.TFPIPE_HOME;
  else process.env.TFPIPE_HOME = home;
  folder.remove();
});

const program = (name: string, text: string) => writeFileSync(join(folder.path, `${name}.js`), text);
const { signal } = new AbortController();
const tools = () => createEngineTools({ dist: folder.path });
const proofs = () => readdirSync(join(folder.path, "engines")).filter((name) => name.startsWith("proven-"));

function wasm(): ResolvedEngine {
  const engine = tools().resolve({ name: "wasm", threads: 1, precision: "float32", convolution: "auto" } as Parameters<
    ReturnType<typeof tools>["resolve"]
  >[0]);
  if ("problem" in engine) throw new Error(engine.problem);
  return engine;
}

test("an engine proves itself at its first use, once; one that computes wrongly is refused every time", async () => {
  program(
    "self-test",
    'console.log("hello"); console.log(JSON.stringify({ ok: false, problem: "it computes wrongly" }));',
  );
  for (let i = 0; i < 2; i++) expect(await tools().prove(wasm(), signal)).toBe("it computes wrongly");
  program("self-test", "console.log(JSON.stringify({ ok: true, ms: 1 }));");
  expect(await tools().prove(wasm(), signal)).toBeUndefined();
  expect(proofs()).toEqual([expect.stringMatching(/^proven-wasm-TensorFlow\.js-wasm-[\d.]+-float32-auto\.json$/)]);
  program("self-test", "process.exit(1);");
  expect(await tools().prove(wasm(), signal)).toBeUndefined();
});

test("a self-test that crashes says how", async () => {
  program("self-test", 'console.error("illegal instruction"); process.kill(process.pid, "SIGKILL");');
  expect(await tools().prove(wasm(), signal)).toMatch(/ended with signal SIGKILL: illegal instruction/);
});

test("a full test runs the suite only where the self-test passes, and believes its report", async () => {
  program("self-test", "console.log(JSON.stringify({ ok: process.argv[2] === 'wasm', problem: 'no', ms: 1 }));");
  const report = { ok: true, rows: [], problems: [], cases: 3, ms: 5 };
  program(
    "contract",
    `console.log(JSON.stringify({ progress: { done: 1, of: 3, topic: "memory" } }));
     console.log(JSON.stringify({ report: ${JSON.stringify(report)} }));`,
  );
  const phases: string[] = [];
  const tests = await tools().test({
    names: ["wasm", "cpu"],
    full: true,
    onProgress: ({ phase }) => phases.push(phase),
    signal,
  });
  expect(tests.map(({ name, contracts }) => [name, contracts?.[0]])).toEqual([
    ["wasm", { precision: "float32", convolution: "auto", ...report }],
    ["cpu", undefined],
  ]);
  expect([...new Set(phases)]).toEqual(["testing wasm", "wasm: memory", "testing cpu"]);
  program("contract", "process.exit(7);");
  const [crashed] = await tools().test({ names: ["wasm"], full: true, onProgress: () => {}, signal });
  expect(crashed!.contracts![0]).toMatchObject({ ok: false, problems: ["its process ended with exit code 7"] });
});
