/**
 * Trainings of the real program on the engines that can be installed, killed many times at random steps. `TFPIPE_SEED` says
 * which; left out, they are drawn anew, and the seed is printed.
 */
import { afterEach, describe, expect, test } from "vitest";
import { engineRoot, findInstalled } from "../../src/ml/engine/engine-folder.ts";
import {
  createKillableProject,
  EPOCHS,
  type KilledTraining,
  outputsOf,
  runWithKills,
  stepWithin,
} from "./killed-training.ts";
import type { Project } from "./project.ts";

const KILLS = 8;
const seed = Number(process.env.TFPIPE_SEED ?? Math.floor(Math.random() * 1e6));
const missing = findInstalled(engineRoot()) === undefined;

let project: Project | undefined;
afterEach(() => project?.remove());

describe.each<["native" | "wasm", KilledTraining]>([
  ["native", "SGD, plateau and the best average"],
  ["native", "AdamW, warm-up and mixup"],
  ["wasm", "AdamW, warm-up and mixup"],
])("on %s: %s", (engine, training) => {
  test.skipIf(engine === "native" && missing).each([seed, seed + 1])(
    `TFPIPE_SEED=%i: killed ${KILLS} times, it is what it is straight`,
    async (own) => {
      project = await createKillableProject(engine, training);
      const args = ["run", "tiny", "--json", "--param", `epochs=${EPOCHS}`];
      const { result, kills } = await runWithKills(project, args, { kills: KILLS, seed: own });
      for (const { victim, step, resumed } of kills) console.log(`seed ${own}: ${victim} at step ${step}: ${resumed}`);
      expect(kills.filter(({ resumed }) => stepWithin(resumed) !== undefined).length).toBeGreaterThan(KILLS / 2);
      for (const { resumed, firstStep } of kills) expect(stepWithin(resumed) ?? firstStep).toBe(firstStep);
      const straight = await project.run([...args, "--artifacts", "straight"]);
      expect(outputsOf(result)).toEqual(outputsOf(straight));
    },
  );
});
