import { expect, test } from "vitest";
import { stageResources } from "../../src/execute/stage-resources.ts";
import type { ExecutionSettings, PipelineStage } from "../../src/language/pipeline.ts";

const GIB = 2 ** 30;
const capacity = { cpus: 8, memoryBytes: 16 * GIB, gpus: 1 };
const stage = (
  settings: Partial<ExecutionSettings>,
  engine?: PipelineStage["engine"],
): Pick<PipelineStage, "name" | "execution" | "engine"> => ({
  name: "train",
  execution: { retries: 0, cache: true, frozen: false, ...settings },
  ...(engine === undefined ? {} : { engine }),
});
const native = { name: "native", threads: 2, precision: "float32", convolution: "auto" } as const;

test("a stage that says nothing takes one processor, one that computes on an engine all of them", () => {
  expect(stageResources(stage({}), capacity)).toEqual({ tokens: { cpus: 1, memoryBytes: 0, gpus: 0 }, warnings: [] });
  expect(stageResources(stage({}, native), capacity).tokens.cpus).toBe(8);
  expect(stageResources(stage({ cpus: 2 }, native), capacity).tokens.cpus).toBe(2);
});

test("a stage takes what it asks for", () => {
  expect(stageResources(stage({ cpus: 3, memoryBytes: 4 * GIB, gpus: 1 }), capacity)).toEqual({
    tokens: { cpus: 3, memoryBytes: 4 * GIB, gpus: 1 },
    warnings: [],
  });
});

test("a stage that asks for more than there is is told so, resource by resource", () => {
  expect(stageResources(stage({ cpus: 9, memoryBytes: 24.5 * GIB, gpus: 2 }), capacity).warnings).toEqual([
    "train asks for 9 cpus, and there are 8: it runs when it can have all of it",
    "train asks for 24.5 GiB of memory, and there is 16 GiB: it runs when it can have all of it",
    "train asks for 2 gpus, and there is 1: it runs when it can have all of it",
  ]);
});
