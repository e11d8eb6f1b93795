/** `pipe engine test` against engines that are right, wrong and absent: what it prints and its exit code. */
import { expect, test } from "vitest";
import type { App } from "../../src/cli/app.ts";
import { engineTestCommand } from "../../src/cli/engine.ts";
import type { EngineListing, EngineTest } from "../../src/cli/engine-tools.ts";

const wasm: EngineListing = { name: "wasm", available: true, version: "4.22.0", selfTest: { ok: true, ms: 40 } };
const absent: EngineListing = { name: "webgpu", available: false, problem: "there is no GPU", help: "buy one" };

function appWith(tests: readonly EngineTest[]) {
  let [out, err] = ["", ""];
  const output = (write: (text: string) => void) => ({ write, color: false, isTerminal: false, columns: () => 80 });
  const app = {
    out: output((text) => {
      out += text;
    }),
    err: output((text) => {
      err += text;
    }),
    nowMs: () => 0,
    interrupts: { listen() {}, stop: new AbortController().signal },
    engines: { list: async () => [wasm, absent], test: async () => tests },
  } as unknown as App;
  return { app, printed: () => out, noted: () => err };
}

const row = { op: "conv2d", cases: 22, worstError: 1.1e-6, tolerance: 2e-5, ok: true };

test("engines that compute rightly are listed, and the exit code is 0", async () => {
  const { app, printed } = appWith([wasm, absent]);
  expect(await engineTestCommand(app, [], { full: false, json: false })).toBe(0);
  expect(printed()).toMatch(/✓ {2}wasm .* passed in 40 ms/);
  expect(printed()).toContain("webgpu: there is no GPU");
});

test("one that fails its self-test is an exit code of 4", async () => {
  const wrong = { ...wasm, selfTest: { ok: false, problem: "the loss of step 1 is 3 instead of 1" } };
  const { app, printed } = appWith([wrong]);
  expect(await engineTestCommand(app, ["wasm"], { full: false, json: false })).toBe(4);
  expect(printed()).toContain("failed: the loss of step 1 is 3 instead of 1");
});

const settings = { precision: "float32", convolution: "direct" };

test("a full test prints its table, op by op, and says what does not hold", async () => {
  const rows = [
    row,
    { op: "memory", cases: 9, ok: true },
    { ...row, op: "maxPool", cases: 6, worstError: 0.25, ok: false },
  ];
  const problems = ["max pooling: never takes padding for the maximum: y: error 0.25 relative to 2, more than 0.00002"];
  const { app, printed } = appWith([
    { ...wasm, contracts: [{ ...settings, ok: false, rows, problems, cases: 37, ms: 2000 }] },
  ]);
  expect(await engineTestCommand(app, [], { full: true, json: false })).toBe(4);
  expect(printed().slice(printed().indexOf("wasm (4.22.0)"))).toMatchInlineSnapshot(`
    "wasm (4.22.0), float32, convolution direct, 2.0 s
       op       cases  worst error  tolerance
    ✓  conv2d      22       1.1e-6     2.0e-5
    ✓  memory       9         bits          -
    ✗  maxPool      6       2.5e-1     2.0e-5

    ✗ max pooling: never takes padding for the maximum: y: error 0.25 relative to
      2, more than 0.00002
    1 of 37 cases do not hold
    "
  `);
});

test("--json prints one array with the table in it", async () => {
  const contracts = [{ ...settings, ok: true, rows: [row], problems: [], cases: 22, ms: 1 }];
  const { app, printed } = appWith([{ ...wasm, contracts }]);
  expect(await engineTestCommand(app, [], { full: true, json: true })).toBe(0);
  expect(JSON.parse(printed())).toEqual([{ ...wasm, contracts }]);
});

test("an engine that does not exist, and one that is not here, are usage errors with a way out", async () => {
  const { app } = appWith([absent]);
  const options = { full: false, json: false };
  await expect(engineTestCommand(app, ["cuda"], options)).rejects.toMatchObject({
    message: 'there is no engine "cuda"',
    help: "engines: wasm, webgpu",
  });
  await expect(engineTestCommand(app, ["webgpu"], options)).rejects.toMatchObject({
    message: "the webgpu engine is not available: there is no GPU",
    help: "buy one",
  });
});
