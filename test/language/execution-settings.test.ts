// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the pipeline language's own notation.
import { describe, expect, test } from "vitest";
import { loadSound, problems } from "./load.ts";

const text = (settings: string) =>
  `name: x\nparams: { memory: 2 GB, tries: 3 }\nstages:\n  plot: { uses: plot, ${settings} }\n`;
const execution = (settings: string) => loadSound(text(settings)).stages[0]!.execution;

describe("how a stage is run", () => {
  test("is once, with the cache, where nothing is said", () => {
    expect(execution("with: {}")).toEqual({ retries: 0, cache: true, frozen: false });
    expect(execution("resources: null, timeout: null, retries: null")).toEqual({
      retries: 0,
      cache: true,
      frozen: false,
    });
  });

  test("may be said by params", () => {
    expect(
      execution('resources: { cpus: 2, memory: "${params.memory}", gpus: 1 }, retries: "${params.tries}"'),
    ).toEqual({
      cpus: 2,
      memoryBytes: 2e9,
      gpus: 1,
      retries: 3,
      cache: true,
      frozen: false,
    });
  });

  test.each([
    ["500 ms", 500],
    ["1.5 s", 1_500],
    ["30 min", 1_800_000],
    ["1 h 30 min", 5_400_000],
    ["2h", 7_200_000],
    ["1 d", 86_400_000],
  ])("a timeout of %s is %d ms", (timeout, ms) => {
    expect(execution(`timeout: ${timeout}`).timeoutMs).toBe(ms);
  });

  test.each([
    ["100 B", 100],
    ["1 kB", 1_000],
    ["512 MiB", 512 * 2 ** 20],
    ["1.5 GB", 1.5e9],
    ["4 GiB", 4 * 2 ** 30],
    ["2TB", 2e12],
  ])("memory of %s is %d bytes", (memory, bytes) => {
    expect(execution(`resources: { memory: ${memory} }`).memoryBytes).toBe(bytes);
  });

  test.each(["30", "min", "5 m", "-1 s", "1 s 2", "''", "1e3 s"])("a timeout of %s is none", (timeout) => {
    expect(problems(text(`timeout: ${timeout}`))).toHaveLength(1);
  });

  test.each(["4", "4 gb", "GB", "4 G", "-1 GB", "4 GB 2", "100000000 TB"])("memory of %s is none", (memory) => {
    expect(problems(text(`resources: { memory: ${memory} }`))).toHaveLength(1);
  });
});
