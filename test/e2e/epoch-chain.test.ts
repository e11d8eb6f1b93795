/** Training as a chain of epochs, with the real program: what is shared is trained once, and the plan says so before. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Project, RunResult } from "./project.ts";
import { createSmallProject } from "./tiny-pipeline.ts";

let project: Project;
beforeEach(async () => {
  project = await createSmallProject();
});
afterEach(() => project.remove());

const epochsTrained = (result: RunResult) =>
  result.events
    .flatMap((event) =>
      event.type === "stage-logged" ? (/^Epoch: (\d+)\/\d+ \| Train/.exec(event.line)?.[1] ?? []) : [],
    )
    .map(Number);
const run = (epochs: number, ...more: string[]) =>
  project.run(["run", "tiny", "train", "--json", "--param", `epochs=${epochs}`, ...more]);
async function planned(epochs: number): Promise<string> {
  const { stdout } = await project.run(["plan", "tiny", "train", "--param", `epochs=${epochs}`]);
  return stdout.replace(/\s+/g, " ");
}
const digests = (result: RunResult) => Object.values(result.stage("train").outputs).map(({ digest }) => digest);

test("more epochs go on, fewer train none, and both say so in plan, why and the record", async () => {
  await run(3);
  expect(await planned(5)).toContain("epochs 3 -> 5; resumes after epoch 3: trains 2 of 5");
  const { stdout: why } = await project.run(["why", "tiny", "train", "--param", "epochs=5"]);
  expect(why.replace(/\s+/g, " ")).toContain("resumes after epoch 3: trains 2 of 5");
  const longer = await run(5);
  expect(epochsTrained(longer)).toEqual([4, 5]);
  expect(longer.stage("train").reason).toContain("resumes after epoch 3: trains 2 of 5");
  expect(digests(longer)).toEqual(digests(await run(5, "--artifacts", "straight")));

  expect(await planned(2)).toContain("epochs 5 -> 2; its 2 epochs are in the store: trains none");
  const shorter = await run(2);
  expect(epochsTrained(shorter)).toEqual([]);
  expect(digests(shorter)).toEqual(digests(await run(2, "--artifacts", "short")));

  const forced = await run(2, "--force", "train");
  expect(forced.stage("train").reason).toBe("forced");
  expect(epochsTrained(forced)).toEqual([1, 2]);
  expect(digests(forced)).toEqual(digests(shorter));
});

test("gc takes what is not kept first: then training goes on from the newest one left, and the plan says which", async () => {
  project.edit("pipelines/tiny.yaml", "batchSize: 9", "batchSize: 9\n      keep: every 2");
  await run(5);
  const shown = async () => (await project.run(["show", "tiny", "train"])).stdout;
  expect(await shown()).toMatch(/5 checkpoints take [\d.]+ \wB of the store; pipe gc leaves 3/);
  expect((await project.run(["gc"])).code).toBe(0);
  expect(await shown()).toMatch(/3 checkpoints take [\d.]+ \wB of the store; pipe gc leaves 3/);
  // Epochs 2, 4 and 5 are left.
  expect(await planned(6)).toContain("resumes after epoch 5: trains 1 of 6");
  expect(await planned(4)).toContain("its 4 epochs are in the store: trains none");
  expect(await planned(3)).toContain("resumes after epoch 2: trains 1 of 3");
  expect(epochsTrained(await run(3))).toEqual([3]);
});

test("a setting that was renamed is refused with its new name", async () => {
  project.edit("pipelines/tiny.yaml", "batchSize: 9", "batchSize: 9\n      keepCheckpoints: 2");
  const { code, stderr } = await project.run(["plan", "tiny"]);
  expect(code).toBe(2);
  expect(stderr).toContain("it is `keep` now: `all`, `last`, `best` or `every 5`");
});
