/**
 * A training with the real program that is killed with SIGKILL at random steps and started again, until it comes to its
 * end: the program itself, or the process that trains. Its state is saved every few milliseconds, so that most times it goes on
 * from within an epoch.
 */
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { createRng } from "../../src/rng.ts";
import type { Project, RunResult } from "./project.ts";
import { createSmallProject } from "./tiny-pipeline.ts";

export const EPOCHS = 15;
/** 54 images in batches of three. */
const STEPS = 18;
/** Between two states that are saved within an epoch: that changes no key. */
const MINUTES = 0.0002;

const TRAININGS = {
  "SGD, plateau and the best average": `optimizer: { type: sgd, learningRate: 0.02, momentum: 0.9, nesterov: true }
      schedule: { type: plateau, metric: validLoss, factor: 0.5, patience: 0 }
      weightAverage: { decay: 0.9 }
      trainAccuracy: running
      select: best`,
  "AdamW, warm-up and mixup": `optimizer: { type: adamw, learningRate: 0.002 }
      schedule: { type: cosine, epochs: 20, per: step, warmup: { steps: 7 } }
      mixup: { alpha: 0.3 }
      accumulateSteps: 2
      trainAccuracy: none`,
} as const;
export type KilledTraining = keyof typeof TRAININGS;

/** The seven stages with a network that is small enough to be saved at every other step. */
export async function createKillableProject(engine: "native" | "wasm", training: KilledTraining): Promise<Project> {
  const project = await createSmallProject();
  const edit = (from: string | RegExp, to: string) => project.edit("pipelines/tiny.yaml", from, to);
  if (engine === "native") edit(/^engine: .*$/m, "engine: { name: native, threads: 2 }");
  edit("title: Loss }", "title: Loss, minutes: 10 }");
  edit(
    "{ randomHorizontalFlip: 0.5 }]",
    "{ randomHorizontalFlip: 0.5 }, { colorJitter: 0.2 }, { randomErasing: 0.3 }]",
  );
  edit(
    /batchSize: 9\n(?: {6}(?:optimizer|schedule).*\n){2}/,
    `batchSize: 3\n      checkpointMinutes: "\${params.minutes}"\n      ${TRAININGS[training]}\n`,
  );
  return project;
}

export interface Kill {
  /** Steps over all epochs after which it was aimed. */
  readonly step: number;
  readonly victim: "program" | "worker";
  /** What the next run said of where it went on, and which step it took first. */
  readonly resumed: string;
  readonly firstStep: number;
}

/** Kills so many times, then lets it come to its end. */
export async function runWithKills(
  project: Project,
  args: readonly string[],
  { kills: count, seed }: { readonly kills: number; readonly seed: number },
): Promise<{ readonly result: RunResult; readonly kills: readonly Kill[] }> {
  const aims = drawAims(count, seed);
  const kills: Kill[] = [];
  for (const aim of [...aims, undefined]) {
    const running = project.start([...args, "--param", `minutes=${MINUTES}`]);
    if (aim !== undefined) {
      await running.event(
        (event) => event.type === "stage-progressed" && event.stage === "train" && event.progress.done >= aim.step,
      );
      if (aim.victim === "program") running.child.kill("SIGKILL");
      else for (const pid of workersOf(project)) process.kill(pid, "SIGKILL");
    }
    const result = await running.result;
    const before = kills.at(-1);
    if (before !== undefined) kills[kills.length - 1] = { ...before, ...resumptionOf(result) };
    if (aim === undefined) return { result, kills };
    if (aim.victim === "program" ? result.signal !== "SIGKILL" : result.code !== 1)
      throw new Error(`the ${aim.victim} was killed, and the run ended with ${result.code}:\n${result.stderr}`);
    kills.push({ ...aim, resumed: "", firstStep: 0 });
  }
  throw new Error("unreachable");
}

/** Steps in order, each in the middle of an epoch: between what is drawn and its effect there is always some time. */
function drawAims(count: number, seed: number): readonly Pick<Kill, "step" | "victim">[] {
  const rng = createRng(seed, "kills");
  const epochs = [...rng.permutation(EPOCHS).slice(0, count)].sort((a, b) => a - b);
  const first = rng.integer(2);
  return epochs.map((epoch, at) => ({
    step: epoch * STEPS + 3 + rng.integer(STEPS - 6),
    victim: process.platform === "linux" && (first + at) % 2 === 1 ? "worker" : "program",
  }));
}

function resumptionOf({ events }: RunResult): Pick<Kill, "resumed" | "firstStep"> {
  let [resumed, firstStep] = ["", 0];
  for (const event of events) {
    if (event.type === "stage-logged" && event.line.startsWith("Resumed ")) resumed = event.line;
    if (firstStep === 0 && event.type === "stage-progressed" && event.stage === "train")
      firstStep = event.progress.done;
  }
  return { resumed, firstStep };
}

/** `Resumed in epoch 3, after batch 7`: its first step is the eighth of that epoch. Undefined of one that went on after an epoch. */
export function stepWithin(resumed: string): number | undefined {
  const [, epoch, batch] = /^Resumed in epoch (\d+), after batch (\d+)$/.exec(resumed) ?? [];
  return epoch === undefined ? undefined : (Number(epoch) - 1) * STEPS + Number(batch) + 1;
}

/** Processes that run a stage in the project's folder. */
export function workersOf({ folder }: Project): readonly number[] {
  return readdirSync("/proc")
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
        return /worker\.js/.test(command) && realpathSync(`/proc/${pid}/cwd`) === realpathSync(folder);
      } catch {
        return false; // not a process, or gone meanwhile
      }
    })
    .map(Number);
}

/** Digests of every output of every stage: weights, history, predictions and charts among them. */
export function outputsOf({ record }: RunResult): Readonly<Record<string, string>> {
  return Object.fromEntries(
    record!.stages.flatMap(({ stage, outputs }) =>
      Object.entries(outputs).map(([output, { digest }]) => [`${stage}.${output}`, digest]),
    ),
  );
}
