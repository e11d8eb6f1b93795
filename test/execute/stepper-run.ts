/** A stage that takes steps and leaves checkpoints, as a training does, run by the real planner, executor and worker. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StageDefinition } from "../../src/contract.ts";
import type { Workspace } from "../../src/execute/workspace.ts";
import type { JsonObject } from "../../src/json.ts";
import type { Pipeline } from "../../src/language/pipeline.ts";
import { PuppetRunner, type PuppetStage } from "./puppet-run.ts";

export const STEPS = 8;
export const EPOCHS = 3;

/** A weight that grows by steps, and is moved a little once where it is told to be. The loss is a coarse look at it. */
const STEPPER = `
import { existsSync, readFileSync, writeFileSync } from "node:fs";
export const puppet = { type: "puppet", async run({ params, checkpoints, outputs, progress, signal }) {
  const { epochs, steps, nudgeAt, nudge, blur, flag } = params;
  let state = { step: 0, weight: 1, loss: [], epochs: [] };
  for (let epoch = epochs; epoch > 0; epoch--) {
    const found = await checkpoints.find({ epoch });
    if (found === undefined) continue;
    state = JSON.parse(readFileSync(found.path("state.json"), "utf8"));
    break;
  }
  const write = (folder) => {
    const header = JSON.stringify({ weight: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }).padEnd(96);
    const bytes = Buffer.alloc(8 + 96 + 4);
    bytes.writeBigUInt64LE(96n);
    bytes.write(header, 8);
    bytes.writeFloatLE(state.weight, 104);
    writeFileSync(folder + "/model.safetensors", bytes);
  };
  const save = (key) => checkpoints.save(key, async (folder) => {
    write(folder);
    writeFileSync(folder + "/state.json", JSON.stringify(state));
  });
  while (state.step < epochs * steps) {
    const epoch = Math.floor(state.step / steps) + 1;
    state.loss.push(Math.round(state.weight / blur));
    state.step++;
    state.weight = Math.fround(state.weight * 1.25 + (state.step === nudgeAt || existsSync(flag) ? nudge : 0));
    progress({ phase: "epoch " + epoch, done: state.step, total: epochs * steps, unit: "steps" });
    if (signal.aborted) {
      await save({ within: epoch });
      throw signal.reason;
    }
    if (state.step % steps > 0) continue;
    state.epochs.push({ epoch, trainLoss: state.loss.at(-1) });
    await save({ epoch });
  }
  write(outputs.model.folder);
  const { loss, epochs: records } = state;
  writeFileSync(outputs.history.folder + "/history.json", JSON.stringify({ iterationsPerEpoch: steps, loss, epochs: records }));
} };
`;

const outputs = {
  model: { kind: "model", description: "The weight." },
  history: { kind: "history", description: "What was seen of it." },
} as const;

const definition: StageDefinition = {
  type: "puppet",
  description: "Takes steps.",
  inputs: {},
  outputs,
  stretches: async ({ params }) =>
    Array.from({ length: Number(params.epochs) }, (_, before) => ({
      name: `epoch ${before + 1}`,
      needs: before === 0 ? [] : [{ epoch: before }],
      to: { epoch: before + 1 },
      done: (before + 1) * Number(params.steps),
    })),
  run: async () => {},
};

export class StepperRunner extends PuppetRunner {
  constructor() {
    super();
    writeFileSync(join(this.folder, "code", "puppet.mjs"), STEPPER);
  }

  override async workspace(...parts: Parameters<PuppetRunner["workspace"]>): Promise<Workspace> {
    return { ...(await super.workspace(...parts)), catalogue: new Map([["puppet", { definition, schema: {} }]]) };
  }

  override pipeline(stages: Readonly<Record<string, PuppetStage>>, name?: string): Pipeline {
    const pipeline = super.pipeline(stages, name);
    return { ...pipeline, stages: pipeline.stages.map((stage) => ({ ...stage, outputs })) };
  }

  /** Params of a stage; the weight is nudged while there is a file `flag`, and at a step. */
  params(more: JsonObject = {}): JsonObject {
    const flag = join(this.folder, "flag");
    return { epochs: EPOCHS, steps: STEPS, nudgeAt: 0, nudge: 0.001, blur: 0.0001, flag, ...more };
  }
}
