/** `pipe verify` of a training with the real program: one epoch of it replayed, what is forged named, and a clean end by Ctrl-C. */
import { readdirSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Verification } from "../../src/cache/verification.ts";
import { createRng } from "../../src/rng.ts";
import type { Project } from "./project.ts";
import { createTinyProject } from "./tiny-pipeline.ts";
import { openTrainingLinks } from "./training-links.ts";

let project: Project;
beforeEach(async () => {
  project = await createTinyProject();
  project.edit("pipelines/tiny.yaml", "epochs: 2", "epochs: 3");
  expect((await project.run(["run", "tiny", "train"])).code).toBe(0);
});
afterEach(() => project.remove());

/** A seed with which this one of so many epochs is drawn. */
function seedFor(index: number, count: number): number {
  for (let seed = 0; ; seed++) if (createRng(seed, "verify", "train").permutation(count)[0] === index) return seed;
}

const sample = (seed: number) => ["verify", "tiny", "train", "--sample", "20%", "--seed", `${seed}`];
async function verified(...args: readonly string[]) {
  const { code, stdout } = await project.run([...args, "--json"]);
  const { stages } = JSON.parse(stdout) as Verification;
  return { code, stage: stages[0]! };
}
const left = () => [
  readdirSync(project.path("artifacts")).sort(),
  ...["tmp", "leases", "locks"].map((name) => readdirSync(project.path("artifacts", ".store", name))),
];

test("a sample replays one epoch from its predecessor, names a forged weight, and makes do with the links that are left", async () => {
  const { stdout } = await project.run(sample(seedFor(1, 3)));
  expect(stdout).toContain("epoch 2 alone, from the checkpoint of epoch 1;");
  expect(stdout).toContain("1 identical (a sample: --sample 20%");
  const links = openTrainingLinks(project);
  const at = createRng(5, "weight").integer(64 * 3 * 7 * 7);
  const forged = await links.forge(2, "conv1.weight", at);
  const index = [Math.floor(at / 147), Math.floor((at % 147) / 49), Math.floor((at % 49) / 7), at % 7];
  const { code, stage } = await verified(...sample(seedFor(1, 3)));
  expect(code).toBe(4);
  expect(stage).toMatchObject({
    verdict: "differs",
    stretch: { name: "epoch 2", after: "epoch 1" },
    differences: [
      {
        output: "epoch 2",
        kind: "checkpoint",
        files: 3,
        differing: [
          {
            path: "model.safetensors",
            differing: [{ tensor: "conv1.weight", differing: 1, first: { index, after: forged }, maxUlp: 1 }],
          },
        ],
      },
    ],
  });
  // The key has given two results.
  expect((await project.run(["check", "tiny"])).code).toBe(4);

  // Of epochs 1 to 3 only the first can be replayed alone where the second is gone, and then none.
  links.lose(2);
  expect((await verified(...sample(1))).stage).toMatchObject({ verdict: "identical", stretch: { name: "epoch 1" } });
  links.lose(1);
  const { stdout: whole } = await project.run(sample(1));
  expect(whole.replace(/\s+/g, " ")).toContain(
    "run whole: no part of it has both its own checkpoint and the one before",
  );
  expect(whole).toContain("1 identical");
  expect(left()).toEqual([[".store", "tiny"], [], [], []]);
});

test("Ctrl-C ends it with 130, and leaves nothing behind; so it is of bisect", async () => {
  expect((await project.run(["run", "tiny", "train", "--param", "learningRate=0.03"])).code).toBe(0);
  const before = left();
  const overlay = () => readdirSync(project.path("artifacts")).filter((name) => name.startsWith(".store-"));
  for (const [args, signals] of [
    [["verify", "tiny", "train"], ["SIGINT"]],
    [
      ["verify", "tiny", "train"],
      ["SIGINT", "SIGTERM"],
    ],
    [["bisect", "last~1", "last"], ["SIGINT"]],
  ] as const) {
    const running = project.start(args);
    await expect.poll(overlay, { interval: 5, timeout: 20_000 }).toHaveLength(1);
    for (const signal of signals) running.child.kill(signal);
    const { code } = await running.result;
    expect(code).toBe(130);
    expect(left()).toEqual(before);
  }
  const again = ["run", "tiny", "train", "--json", "--param", "learningRate=0.03"];
  expect((await project.run(again)).outcomes).toMatchObject({ train: "fresh" });
});
