/** `pipe verify` and `pipe bisect` with the real program: what is identical, what is not down to the element, where runs part. */
import { readdirSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import type { Bisection } from "../../src/cache/bisect-runs.ts";
import type { Verification } from "../../src/cache/verification.ts";
import type { PlannedStage } from "../../src/record.ts";
import { createRng } from "../../src/rng.ts";
import type { Project } from "./project.ts";
import { createTinyProject } from "./tiny-pipeline.ts";
import { createWordsProject } from "./words-pipeline.ts";

let project: Project;
afterEach(() => project.remove());

const json = async <T>(...args: readonly string[]) => {
  const { code, stdout, stderr } = await project.run([...args, "--json"]);
  return { code, value: JSON.parse(stdout === "" ? "null" : stdout) as T, stderr };
};
const verdicts = ({ stages }: Verification) => Object.fromEntries(stages.map(({ stage, verdict }) => [stage, verdict]));

/** A command whose second execution has one weight one unit in the last place off. */
function weights(at: number): string {
  return `import { existsSync, writeFileSync } from "node:fs";
const [out, flag] = process.argv.slice(2);
const header = Buffer.from(JSON.stringify({
  bias: { dtype: "F32", shape: [4], data_offsets: [0, 16] },
  weight: { dtype: "F32", shape: [6, 4], data_offsets: [16, 112] },
}).padEnd(160));
const bytes = Buffer.alloc(8 + 160 + 112);
bytes.writeBigUInt64LE(160n);
header.copy(bytes, 8);
for (let i = 0; i < 28; i++) bytes.writeFloatLE((i + 1) / 3, 168 + 4 * i);
const at = 168 + 16 + 4 * ${at};
if (existsSync(flag)) bytes.writeInt32LE(bytes.readInt32LE(at) + 1, at);
writeFileSync(flag, "");
writeFileSync(out, bytes);
`;
}

describe("pipe verify", () => {
  test("says that all is identical, leaves nothing behind and changes nothing", async () => {
    project = createWordsProject();
    expect((await project.run(["run", "words.yaml"])).code).toBe(0);
    const before = readdirSync(project.path("artifacts")).sort();
    const { code, stdout } = await project.run(["verify", "words.yaml"]);
    expect(stdout).toContain("verified 4 of 4 stages: 4 identical");
    expect(code).toBe(0);
    expect(readdirSync(project.path("artifacts")).sort()).toEqual(before);
    const again = await project.run(["run", "words.yaml", "--json"]);
    expect(Object.values(again.outcomes).every((outcome) => outcome === "fresh")).toBe(true);
  });

  test("names the one weight that is one ULP off, whichever it is", async () => {
    project = createWordsProject();
    const at = createRng(11, "weight").integer(24);
    project.write("weights.mjs", weights(at));
    project.write(
      "model.yaml",
      `name: model
params: { flag: ${JSON.stringify(project.path("flag"))} }
stages:
  model:
    inputs: { script: ./weights.mjs }
    outputs: { out: model.safetensors }
    run: node "\${inputs.script}" "\${outputs.out}" "\${params.flag}"
`,
    );
    expect((await project.run(["run", "model.yaml"])).code).toBe(0);
    const { code, value } = await json<Verification>("verify", "model.yaml");
    expect(code).toBe(4);
    const before = Math.fround((4 + at + 1) / 3);
    expect(value.stages).toMatchObject([
      {
        stage: "model",
        verdict: "differs",
        differences: [
          {
            output: "out",
            differing: [
              {
                how: "tensors",
                path: "model.safetensors",
                tensors: 2,
                differing: [
                  {
                    tensor: "weight",
                    elements: 24,
                    differing: 1,
                    first: { index: [Math.floor(at / 4), at % 4], before },
                    maxUlp: 1,
                    nanChanges: 0,
                    infinityChanges: 0,
                  },
                ],
              },
            ],
          },
        ],
      },
    ]);
    const { stdout } = await project.run(["verify", "model.yaml"]);
    expect(stdout).toContain(`weight[${Math.floor(at / 4)}, ${at % 4}]`);
    expect(stdout).toContain("1 ULP");
  });

  test("verifies a sample, the same one for the same seed", async () => {
    project = createWordsProject();
    await project.run(["run", "words.yaml"]);
    const sample = ["verify", "words.yaml", "--sample", "50%", "--seed", "3"];
    const { code, value } = await json<Verification>(...sample);
    expect(code).toBe(0);
    expect(Object.values(verdicts(value)).sort()).toEqual(["identical", "identical", "left-out", "left-out"]);
    expect(verdicts((await json<Verification>(...sample)).value)).toEqual(verdicts(value));
  });

  test("says of what cannot be run again as it was why, and fails", async () => {
    project = createWordsProject();
    await project.run(["run", "words.yaml"]);
    project.write("text.txt", "other\n");
    const { code, value } = await json<Verification>("verify", "words.yaml");
    expect(code).toBe(4);
    expect(value.stages[0]).toMatchObject({
      stage: "upper",
      verdict: "unchecked",
      reason: "input text (./text.txt) is not what it was",
    });
    expect(verdicts(value)).toMatchObject({ twice: "identical", count: "identical" });
    expect((await project.run(["verify", "words.yaml", "--sample", "0%"])).code).toBe(2);
  });

  test("refuses what has never run", async () => {
    project = createWordsProject();
    const { code, stderr } = await project.run(["verify", "words.yaml"]);
    expect(code).toBe(2);
    expect(stderr).toContain("none of these stages has ever run");
  });
});

describe("pipe verify of a stage of the user's own", () => {
  test("runs the code that made the result, whatever it was edited to since", async () => {
    project = createWordsProject();
    const stage = (text: string) => `import { writeFileSync } from "node:fs";
export const own = { type: "own", description: "Writes.", inputs: {}, outputs: { out: { kind: "text", description: "It." } },
  async run({ outputs }) { writeFileSync(outputs.out.folder + "/text.txt", "${text}"); } };
`;
    project.write("stages/own.mjs", stage("one"));
    project.write("own.yaml", "name: own\nstages:\n  own: { uses: ./stages/own.mjs }\n");
    expect((await project.run(["run", "own.yaml"])).code).toBe(0);
    project.write("stages/own.mjs", stage("two"));
    const { code, value } = await json<Verification>("verify", "own.yaml");
    expect(value.stages).toMatchObject([{ stage: "own", verdict: "identical", earlierCode: true }]);
    expect(code).toBe(0);
    const { stdout } = await project.run(["verify", "own.yaml"]);
    expect(stdout).toContain("by the code that made it, which is another one by now");
    expect((await project.run(["run", "own.yaml"])).code).toBe(0);
    const { value: parted } = await json<Bisection>("bisect", "last~1", "last");
    expect(parted.partings).toMatchObject([
      { stage: "own", causes: [{ class: "code", difference: { name: "stages/own.mjs" } }] },
    ]);
    // It stays as long as the result does, whatever is edited and collected.
    project.write("stages/own.mjs", stage("three"));
    await project.run(["plan", "own.yaml"]);
    await project.run(["gc"]);
    const { value: kept } = await json<Verification>("verify", "own.yaml");
    expect(kept.stages).toMatchObject([{ verdict: "identical", earlierCode: true }]);
  });
});

describe("the ledger", () => {
  test("makes check fail for what gave two results, whoever found it, unless the file has a reason", async () => {
    project = createWordsProject();
    project.write(
      "dice.yaml",
      `name: dice
stages:
  dice: { outputs: { out: d.txt }, run: 'head -c 16 /dev/urandom > "\${outputs.out}"' }
  last: { inputs: { data: dice }, outputs: { out: e.txt }, run: 'cp "\${inputs.data}" "\${outputs.out}"' }
`,
    );
    await project.run(["run", "dice.yaml"]);
    expect((await project.run(["check", "dice.yaml"])).code).toBe(0);
    expect((await project.run(["verify", "dice.yaml"])).code).toBe(4);
    const { code, stderr } = await project.run(["check", "dice.yaml"]);
    expect(stderr).toContain("error[ledger/nondeterministic]");
    expect(stderr).not.toContain('"last"');
    expect(code).toBe(4);
    // What was found is no result: the next run finds all as it was.
    expect((await project.run(["run", "dice.yaml", "--json"])).outcomes).toEqual({ dice: "fresh", last: "fresh" });

    project.edit("dice.yaml", "dice: {", 'dice: { nondeterministic: "it throws dice",');
    expect((await project.run(["check", "dice.yaml"])).code).toBe(0);
    const verified = await project.run(["verify", "dice.yaml"]);
    expect(verified.stdout).toContain("let pass: it throws dice");
    expect(verified.code).toBe(0);

    await project.run(["run", "dice.yaml", "--force", "dice"]);
    const { value: parted } = await json<Bisection>("bisect", "last~1", "last");
    expect(parted.partings).toMatchObject([{ stage: "dice", causes: [{ class: "nondeterminism" }] }]);
    expect(parted.following).toEqual(["last"]);
  });
});

describe("what is nondeterministic", () => {
  test("is marked wherever the state of a stage is told, and so is what is built on it", async () => {
    project = createWordsProject();
    project.write(
      "dice.yaml",
      `name: dice
stages:
  dice: { outputs: { out: d.txt }, run: 'head -c 16 /dev/urandom > "\${outputs.out}"' }
  last: { inputs: { data: dice }, outputs: { out: e.txt }, run: 'cp "\${inputs.data}" "\${outputs.out}"' }
  aside: { outputs: { out: f.txt }, run: 'echo 1 > "\${outputs.out}"' }
`,
    );
    const text = async (...args: readonly string[]) => (await project.run(args)).stdout.replace(/\s+/g, " ");
    await project.run(["run", "dice.yaml"]);
    for (const command of ["run", "plan", "status"])
      expect(await text(command, "dice.yaml")).not.toContain("nondeterministic");
    expect((await project.run(["verify", "dice.yaml"])).code).toBe(4);

    const stages = async () => {
      const { value } = await json<{ readonly stages: readonly PlannedStage[] }>("status", "dice.yaml");
      return Object.fromEntries(value.stages.map(({ stage, nondeterminism }) => [stage, nondeterminism?.stages]));
    };
    expect(await stages()).toEqual({ dice: ["dice"], last: ["dice"], aside: undefined });
    expect(await text("plan", "dice.yaml")).toContain("up to date; nondeterministic");
    expect(await text("plan", "dice.yaml")).toContain("up to date; built on nondeterministic dice");
    expect(await text("status", "dice.yaml")).toContain("built on nondeterministic dice");
    expect(await text("show", "dice.yaml", "last")).toContain("built on nondeterministic dice");
    expect(await text("why", "dice.yaml", "last")).toContain("it is built on nondeterministic dice");
    const idle = await project.run(["run", "dice.yaml", "--json"]);
    expect(idle.stage("last").nondeterminism).toEqual({ stages: ["dice"] });
    expect(idle.stage("aside").nondeterminism).toBeUndefined();
    expect(await text("run", "dice.yaml")).toContain(
      "dice is nondeterministic: one key gave two results; last is built on it",
    );

    project.edit("dice.yaml", "dice: {", 'dice: { nondeterministic: "it throws dice",');
    project.edit("dice.yaml", "echo 1", "echo 2");
    const busy = await project.run(["run", "dice.yaml", "--json"]);
    expect(busy.outcomes).toEqual({ dice: "fresh", last: "fresh", aside: "ran" });
    expect(busy.stage("dice").nondeterminism).toEqual({ stages: ["dice"], waived: "it throws dice" });
    expect(project.read("artifacts/dice/report.html")).toContain(
      "dice is nondeterministic: one key gave two results (it throws dice); last is built on it",
    );
    expect(await text("show", "dice.yaml", "--run", "last")).toContain("built on nondeterministic dice");
  });
});

describe("pipe bisect", () => {
  test("finds a changed epoch count, a changed rate and a changed file in trainings", async () => {
    project = await createTinyProject();
    const run = async (...args: readonly string[]) =>
      expect((await project.run(["run", "--until", "train", ...args])).code).toBe(0);
    const bisect = async (...runs: readonly string[]) => {
      const { code, value, stderr } = await json<Bisection>("bisect", ...runs);
      expect(code, stderr).toBe(0);
      return value;
    };
    await run("--name", "base");

    await run("--name", "longer", "--param", "epochs=3");
    const longer = await bisect("base", "longer");
    expect(longer.partings).toMatchObject([
      {
        stage: "train",
        causes: [{ class: "params", difference: { name: "epochs", before: "2", after: "3" } }],
        training: { epochs: { before: 2, after: 3 }, equalEpochs: 2 },
      },
    ]);

    await run("--name", "faster", "--param", "learningRate=0.03");
    const faster = await bisect("base", "faster");
    expect(faster.partings).toMatchObject([
      {
        stage: "train",
        causes: [{ class: "params" }],
        training: { equalEpochs: 0, minibatch: { minibatch: 2 } },
        // The first step is taken at another rate: its loss is the same, and the weights behind it are not.
        replay: {
          checkpoint: { name: "epoch 1" },
          replayed: { epoch: 1, minibatch: 1, of: 6, difference: { differing: [{ path: "model.safetensors" }] } },
        },
      },
    ]);
    const recorded = await bisect("base", "faster", "--no-replay");
    expect(recorded.partings[0]!.replay).toBeUndefined();
    expect(readdirSync(project.path("artifacts")).sort()).toEqual([".store", "tiny"]);

    const [image] = readdirSync(project.path("data", "train", "amber"));
    const [other] = readdirSync(project.path("data", "train", "violet"));
    const { readFileSync } = await import("node:fs");
    project.write(`data/train/amber/${image}`, readFileSync(project.path("data", "train", "violet", other!)));
    await run("--name", "edited");
    const edited = await bisect("base", "edited");
    expect(edited.partings).toMatchObject([{ stage: "fetch", causes: [{ class: "data" }] }]);
    expect(edited.following).toContain("train");
    const { stdout } = await project.run(["bisect", "base", "edited"]);
    expect(stdout).toContain("part at fetch: data");
  });
});
