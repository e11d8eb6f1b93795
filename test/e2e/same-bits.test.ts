/**
 * The chain on the engine that counts, with the real program: ten epochs, then fifteen, then eight; and a training that is
 * killed with SIGKILL within epochs. All of it in the bits of fifteen epochs straight: weights, history, predictions,
 * charts. Nothing that the user has set for TensorFlow moves them. Many more kills are in `same-bits.long.ts`.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engineRoot, findInstalled } from "../../src/ml/engine/engine-folder.ts";
import type { History } from "../../src/ml/train/history.ts";
import { createKillableProject, EPOCHS, outputsOf, runWithKills, stepWithin } from "./killed-training.ts";
import type { Project, RunResult } from "./project.ts";

const missing = findInstalled(engineRoot()) === undefined;
const SEED = 6;
/** What a user may have set, to no effect. */
const HOSTILE = {
  TF_ENABLE_ONEDNN_OPTS: "0",
  TF_DETERMINISTIC_OPS: "0",
  TF_NUM_INTRAOP_THREADS: "1",
  ONEDNN_MAX_CPU_ISA: "SSE41",
};

describe.skipIf(missing)(`on the native engine${missing ? " (not checked: it is not installed)" : ""}`, () => {
  let project: Project;
  let straight: RunResult;
  const argsOf = (epochs: number, ...more: string[]) => [
    "run",
    "tiny",
    "--json",
    "--param",
    `epochs=${epochs}`,
    ...more,
  ];
  beforeAll(async () => {
    project = await createKillableProject("native", "SGD, plateau and the best average");
    straight = await project.run(argsOf(EPOCHS, "--artifacts", "straight"));
    expect([straight.code, straight.stderr]).toEqual([0, ""]);
  });
  afterAll(() => project.remove());

  const historyOf = (artifacts: string) =>
    JSON.parse(project.read(`${artifacts}/tiny/train/history/history.json`)) as History;
  const trained = ({ events }: RunResult) =>
    events.flatMap((event) =>
      event.type === "stage-logged" ? (/^Epoch: (\d+)\/\d+ \| Train/.exec(event.line)?.[1] ?? []) : [],
    );

  test("the key says what TensorFlow was told", () => {
    const fingerprint = straight.stage("train").fingerprint!;
    const folder = project.path("straight/.store/traces", fingerprint.slice(0, 2), fingerprint);
    const [file] = readdirSync(folder);
    const { manifest } = JSON.parse(readFileSync(join(folder, file!), "utf8"));
    expect(manifest.numerics).toMatchObject({ engine: "native", threads: 2, oneDnn: "on", deterministicOps: "on" });
  });

  test("ten epochs, then fifteen, then eight are what fifteen straight were, whatever the user's shell has set", async () => {
    const chain = ["--artifacts", "chain"];
    expect(trained(await project.run(argsOf(10, "train", ...chain), HOSTILE))).toHaveLength(10);
    const longer = await project.run(argsOf(EPOCHS, ...chain), HOSTILE);
    expect(trained(longer)).toEqual(["011", "012", "013", "014", "015"]);
    expect(longer.stage("train").reason).toContain("resumes after epoch 10: trains 5 of 15");
    expect(outputsOf(longer)).toEqual(outputsOf(straight));
    const shorter = await project.run(argsOf(8, "train", ...chain), HOSTILE);
    expect(trained(shorter)).toEqual([]);
    const { loss, epochs } = historyOf("straight");
    expect(historyOf("chain")).toMatchObject({
      loss: loss.slice(0, 8 * (loss.length / EPOCHS)),
      epochs: epochs.slice(0, 8),
    });
  });

  test(`killed at random steps (seed ${SEED}), it goes on within epochs and is the same`, async () => {
    const { result, kills } = await runWithKills(project, argsOf(EPOCHS, "--artifacts", "killed"), {
      kills: 2,
      seed: SEED,
    });
    console.log(
      `seed ${SEED}: ${kills.map(({ victim, step, resumed }) => `${victim} at step ${step}: ${resumed}`).join("; ")}`,
    );
    const within = kills.flatMap(({ resumed, firstStep }) => {
      const step = stepWithin(resumed);
      return step === undefined ? [] : [[step, firstStep]];
    });
    expect(within.length, "resumed within an epoch").toBeGreaterThan(0);
    for (const [said, done] of within) expect(done).toBe(said);
    expect(outputsOf(result)).toEqual(outputsOf(straight));
  });
});
