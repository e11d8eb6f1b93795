/** A run that executes nothing asks for nothing that executing needs. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { PuppetRunner } from "./puppet-run.ts";

const asked = vi.hoisted(() => ({ count: 0 }));
vi.mock("p-graph", async (original) => {
  const real = await original<typeof import("p-graph")>();
  return {
    PGraphError: real.PGraphError,
    get PGraph() {
      asked.count++;
      return real.PGraph;
    },
  };
});

let runner: PuppetRunner;
beforeEach(() => {
  runner = new PuppetRunner();
});
afterEach(() => runner.remove());

test("the graph is walked where something runs, and not where results are only restored", async () => {
  const stages = { first: { params: { text: "a" } }, second: { params: { text: "b" }, inputs: { from: "first" } } };
  await runner.run(stages);
  const walks = asked.count;
  expect(walks).toBeGreaterThan(0);
  rmSync(join(runner.folder, "artifacts", "puppets"), { recursive: true });
  expect((await runner.run(stages)).outcomes).toEqual({ first: "restored", second: "restored" });
  expect((await runner.run(stages)).outcomes).toEqual({ first: "fresh", second: "fresh" });
  expect(asked.count).toBe(walks);
  expect(runner.visible("second")).toBe("bfrom(a)");
});
