/**
 * `pipe verify [stage...]`: runs stages again from what they had, beside the store, and compares bit by bit. A sample is
 * some of the stages, and of a stage that leaves checkpoints one stretch: of a training one epoch, from its predecessor.
 */
import { createRunStore } from "../cache/run-store.ts";
import type { Trace } from "../cache/trace-store.ts";
import type { StageVerdict, StageVerification, Verification } from "../cache/verification.ts";
import { readLastRun } from "../execute/last-run.ts";
import type { OutputLookup } from "../execute/recorded-stage.ts";
import { type VerifiedResult, verifyStage } from "../execute/verify-stage.ts";
import type { WorkerNews } from "../execute/worker-protocol.ts";
import type { Workspace } from "../execute/workspace.ts";
import type { PipelineStage } from "../language/pipeline.ts";
import { renderStageVerification, renderVerificationTotal } from "../report/render-verification.ts";
import { createRng } from "../rng.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { holdStore } from "./hold-store.ts";
import { type OpenedPipeline, openPipeline } from "./open-pipeline.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { createProgressLine } from "./progress-line.ts";
import { drawingOrder, type RandomSample, readSample, sizeOfSample } from "./random-sample.ts";

export interface VerifyOptions extends PipelineOptions {
  readonly json: boolean;
  /** `20%`; left out: every stage. */
  readonly sample?: string;
  readonly seed?: string;
}

export async function verifyCommand(app: App, words: readonly string[], options: VerifyOptions): Promise<ExitCode> {
  const sample = readSample(app, "--sample", options.sample, options.seed);
  const opened = await openPipeline(app, words, options);
  if (opened === undefined) return 2;
  app.interrupts.listen();
  const { pipeline, artifactsFolder, userStages } = opened;
  const workspace = await app.openWorkspace(artifactsFolder, { paranoid: false, userStages });
  const last = readLastRun(workspace, pipeline)?.stages ?? {};
  const names = opened.stageNames.length > 0 ? new Set(opened.stageNames) : undefined;
  const stages = opened.graph.order.filter((name) => names?.has(name) ?? true);
  if (stages.every((name) => last[name] === undefined))
    throw new UsageError(
      stages.length === 1 ? `stage ${stages[0]} has never run` : "none of these stages has ever run",
      `there is nothing to verify yet: pipe run${opened.commandSuffix}`,
    );
  const chosen = sample === undefined ? new Set(stages) : drawStages(stages, sample);
  const verifier = createVerifier(app, workspace, opened, { last, sample });
  const lease = holdStore(app, workspace, "what is to be verified");
  const verified: StageVerification[] = [];
  const style = { color: app.out.color, columns: app.out.columns() };
  try {
    for (const name of stages) {
      const one = chosen.has(name) ? await verifier.verify(name) : verifier.describe(name, { verdict: "left-out" });
      verified.push(one);
      if (!options.json && one.verdict !== "left-out")
        app.out.write(
          `${renderStageVerification(
            one,
            pipeline.stages.map(({ name: stage }) => ({ stage })),
            style,
          )}\n`,
        );
      if (one.verdict === "interrupted") break;
    }
  } finally {
    lease.release();
  }
  const verification: Verification = {
    pipeline: pipeline.name,
    profiles: pipeline.profiles,
    ...(sample === undefined ? {} : { sample }),
    stages: verified,
  };
  app.out.write(
    options.json ? `${JSON.stringify(verification)}\n` : `\n${renderVerificationTotal(verification, style)}\n`,
  );
  return exitCodeOf(verified);
}

/** A difference outweighs a failure; what could not be checked was not shown to hold. */
function exitCodeOf(stages: readonly StageVerification[]): ExitCode {
  const some = (verdict: StageVerification["verdict"]) => stages.some((one) => one.verdict === verdict);
  if (some("interrupted")) return 130;
  if (stages.some((one) => one.verdict === "differs" && one.waived === undefined)) return 4;
  if (some("failed")) return 1;
  return some("unchecked") ? 4 : 0;
}

function drawStages(stages: readonly string[], sample: RandomSample): ReadonlySet<string> {
  const order = drawingOrder(stages.length, sample.seed, "verify");
  return new Set(order.slice(0, sizeOfSample(stages.length, sample)).map((at) => stages[at]!));
}

function createVerifier(
  app: App,
  workspace: Workspace,
  { pipeline }: OpenedPipeline,
  { last, sample }: { readonly last: Readonly<Record<string, string>>; readonly sample: RandomSample | undefined },
) {
  const runs = createRunStore(workspace);
  const byName = new Map(pipeline.stages.map((stage) => [stage.name, stage]));
  const tracesOf = (name: string): readonly Trace[] => {
    const fingerprint = last[name];
    return fingerprint === undefined ? [] : workspace.traces.find(fingerprint);
  };
  const describe = (name: string, verdict: StageVerdict, trace?: Trace): StageVerification => {
    const { type: stageType } = byName.get(name)!;
    const { fingerprint, runId } = trace ?? tracesOf(name)[0] ?? {};
    return {
      stage: name,
      stageType,
      ...(fingerprint === undefined ? {} : { fingerprint }),
      ...(runId === undefined ? {} : { runId }),
      ...verdict,
    };
  };
  /** What stages gave last, and what they had given when a trace was made. */
  const lookupsFor = (traces: readonly Trace[]): readonly OutputLookup[] => [
    (stage, output) => tracesOf(stage)[0]?.outputs[output],
    ...[...new Set(traces.map(({ runId }) => runId))].map(
      (runId): OutputLookup =>
        (stage, output) =>
          runs.readStage(runId, stage)?.outputs[output],
    ),
    (stage, output) => tracesOf(stage).at(-1)?.outputs[output],
  ];
  const run = async (stage: PipelineStage, traces: readonly Trace[]): Promise<VerifiedResult> => {
    const line = createProgressLine(app.err, app.nowMs);
    const { durationMs } = traces[0]!;
    const phase = `${stage.name} runs again`;
    if (app.err.isTerminal) line.show({ phase, done: 0, unit: "" });
    try {
      return await verifyStage(workspace, {
        stage,
        traces,
        pipelineFolder: pipeline.folder,
        lookups: lookupsFor(traces),
        comparer: app.comparer,
        worker: app.worker,
        environment: app.environment,
        signal: app.interrupts.stop,
        killSignal: app.interrupts.kill,
        ...(sample === undefined
          ? {}
          : { draw: (count: number) => createRng(sample.seed, "verify", stage.name).permutation(count) }),
        onMessage(message: WorkerNews) {
          if (message.type === "progress" && (app.err.isTerminal || durationMs > LONG_MS))
            line.show({ ...message.progress, phase: `${stage.name}: ${message.progress.phase}` });
        },
      });
    } finally {
      line.end();
    }
  };
  return {
    describe,
    async verify(name: string): Promise<StageVerification> {
      if (app.interrupts.stop.aborted) return describe(name, { verdict: "interrupted" });
      const traces = tracesOf(name);
      if (traces.length === 0) {
        const reason = last[name] === undefined ? "it has never run" : "its trace is gone from the store";
        return describe(name, { verdict: "unchecked", reason });
      }
      const { trace, verdict, disagreeing } = await run(byName.get(name)!, traces);
      if (disagreeing !== undefined) workspace.ledger.add(disagreeing.before, disagreeing.after, "verify");
      return describe(name, verdict, trace);
    },
  };
}

/** Elsewhere than in a terminal, shorter ones need no progress. */
const LONG_MS = 10_000;
