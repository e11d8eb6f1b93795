/**
 * The one place that decides whether a stage runs, and says why at that moment. `plan` and the executor both call it, so
 * what was announced is what happens.
 *
 *   forced -> run     frozen -> its last trace, or refused     cache: false -> run     else by the key's traces
 */
import { join } from "node:path";
import type { Trace } from "../cache/trace-store.ts";
import type { Foresight } from "../contract.ts";
import { diffKeys } from "../identity/fingerprint.ts";
import type { KeyDifference } from "../identity/key-manifest.ts";
import type { PipelineStage } from "../language/pipeline.ts";
import { foreseeStage } from "./foresee-stage.ts";
import type { StageKey } from "./stage-key.ts";
import { findVisibleDifference } from "./visible-outputs.ts";
import type { Workspace } from "./workspace.ts";

export interface Decision {
  readonly decision: "fresh" | "restore" | "run";
  readonly reason: string;
  /** Where the decision is not `run`. */
  readonly trace?: Trace;
  /** Against the stage's last success; empty where there was none or the key is the same. */
  readonly differences: readonly KeyDifference[];
}

export interface DecideRequest {
  readonly stage: PipelineStage;
  /** Of a frozen stage, whose inputs need not be there, undefined where one of them cannot be known. */
  readonly key: StageKey | undefined;
  /** Of the stage's last success in this pipeline and profile. */
  readonly lastFingerprint: string | undefined;
  /** `artifacts/<pipeline>`. */
  readonly folder: string;
  /** Run whatever the cache has. */
  readonly force?: boolean;
  /** Why a stage made something else in this run, as `split: seed 1 -> 2`; undefined of one that did not run. */
  readonly rootOf?: RootOf;
}

export type RootOf = (stage: string) => string | undefined;

/** A frozen stage has nothing to be frozen to. */
export class NothingFrozen extends Error {
  readonly help: string;
  constructor(message: string, help: string) {
    super(message);
    this.name = "NothingFrozen";
    this.help = help;
  }
}

/** Throws `NothingFrozen` where a frozen stage has no result to keep. */
export async function decideStage(workspace: Workspace, request: DecideRequest): Promise<Decision> {
  const decided = await decideByKey(workspace, request);
  const { stage, key, lastFingerprint, force = false } = request;
  // A forced one begins at the beginning.
  if (decided.decision !== "run" || key === undefined || force) return decided;
  const foresight = await foreseeStage(workspace, stage, key);
  return { ...decided, reason: withForesight(workspace, decided, foresight, { key, lastFingerprint }) };
}

/** Why it runs, and what it goes on from. That nothing is there is worth saying only where something should be. */
export function withForesight(
  { traces }: Pick<Workspace, "traces">,
  { reason }: Pick<Decision, "reason">,
  foresight: Foresight | undefined,
  {
    key,
    lastFingerprint,
    force = false,
  }: { readonly key: StageKey; readonly lastFingerprint: string | undefined; readonly force?: boolean },
): string {
  if (foresight === undefined) return reason;
  const last = lastFingerprint === undefined ? undefined : traces.find(lastFingerprint)[0];
  const isWorthSaying = foresight.found || (!force && last?.checkpointBase === key.checkpointBase);
  return isWorthSaying ? `${reason}; ${foresight.text}` : reason;
}

/** `decideStage` without what a stage that is to run would go on from. */
export async function decideByKey(workspace: Workspace, request: DecideRequest): Promise<Decision> {
  const { stage, key, lastFingerprint, force = false } = request;
  const differences = key === undefined ? [] : explainKey(workspace, key, lastFingerprint);
  const run = (reason: string): Decision => ({ decision: "run", reason, differences });
  if (force) return run("forced");
  if (stage.execution.frozen) return decideFrozen(workspace, request, differences);
  if (key === undefined) throw new Error(`stage ${stage.name} is decided before its inputs are known`);
  if (!stage.execution.cache) return run("runs each time (cache: false)");
  // A trace of this class of machines first: another one is a valid hit, and is said to be one.
  const found = workspace.traces.find(key.fingerprint);
  const isOurs = ({ platformClass }: Trace) => platformClass === key.platformClass;
  const traces = [...found.filter(isOurs), ...found.filter((trace) => !isOurs(trace))];
  if (traces.length === 0) {
    if (lastFingerprint === undefined) return run("never run");
    if (lastFingerprint === key.fingerprint) return run("its trace is gone from the store");
    return run(
      differences.length === 0
        ? "its last trace is gone from the store"
        : describeDifferences(differences, stage, request.rootOf),
    );
  }
  const usable = await findUsable(workspace, request, traces);
  if ("damage" in usable) return run(usable.damage);
  const { trace, difference } = usable;
  const elsewhere = isOurs(trace) ? "" : `; made on another kind of machine (${trace.platformClass})`;
  if (difference === undefined) return { decision: "fresh", reason: `up to date${elsewhere}`, trace, differences };
  return {
    decision: "restore",
    reason: `${restoreReason(difference, lastFingerprint === key.fingerprint)}${elsewhere}`,
    trace,
    differences,
  };
}

/** Its last result stays, whatever changed; what did is in the reason. */
async function decideFrozen(
  workspace: Workspace,
  request: DecideRequest,
  differences: readonly KeyDifference[],
): Promise<Decision> {
  const { stage, key, lastFingerprint } = request;
  const help = `run it once without \`frozen: true\`, or with --force ${stage.name}`;
  if (lastFingerprint === undefined)
    throw new NothingFrozen(`stage ${stage.name} is frozen, and it never ran: there is nothing to keep`, help);
  const traces = workspace.traces.find(lastFingerprint);
  if (traces.length === 0)
    throw new NothingFrozen(`stage ${stage.name} is frozen, and its last trace is gone from the store`, help);
  const usable = await findUsable(workspace, request, traces);
  if ("damage" in usable) throw new NothingFrozen(`stage ${stage.name} is frozen, and ${usable.damage}`, help);
  const { trace, difference } = usable;
  const changed =
    key === undefined
      ? "what it needs may change"
      : differences.length === 0
        ? "nothing changed"
        : describeDifferences(differences, stage);
  return difference === undefined
    ? { decision: "fresh", reason: `frozen: ${changed}`, trace, differences }
    : { decision: "restore", reason: `frozen: ${changed}; ${difference}`, trace, differences };
}

/** The first trace whose outputs the store still has, and in what the visible ones differ from it. */
async function findUsable(
  workspace: Workspace,
  { stage, folder }: DecideRequest,
  traces: readonly Trace[],
): Promise<{ readonly trace: Trace; readonly difference: string | undefined } | { readonly damage: string }> {
  let damage = "";
  for (const trace of traces) {
    const damaged = await findDamage(workspace, trace);
    if (damaged === undefined) {
      const visible = { folder: join(folder, stage.name), outputs: trace.outputs, ports: stage.outputs };
      return { trace, difference: await findVisibleDifference(workspace, visible) };
    }
    damage = damaged;
  }
  return { damage };
}

function restoreReason(difference: string, sameKey: boolean): string {
  return sameKey ? difference : `run before with the same key; ${difference}`;
}

/** What of a trace's outputs the store no longer has as it was. */
async function findDamage({ artifacts }: Workspace, trace: Trace): Promise<string | undefined> {
  for (const [name, output] of Object.entries(trace.outputs)) {
    const damaged = await artifacts.inspect(output.digest);
    if (damaged !== undefined) return `output ${name}: ${damaged.message}`;
  }
  return undefined;
}

export function explainKey(
  { traces }: Pick<Workspace, "traces">,
  key: StageKey,
  lastFingerprint: string | undefined,
): readonly KeyDifference[] {
  if (lastFingerprint === undefined || lastFingerprint === key.fingerprint) return [];
  const last = traces.find(lastFingerprint)[0];
  return last === undefined ? [] : diffKeys(last, key);
}

const SHOWN = 2;

/** `learningRate 0.1 -> 0.05; input train changed (normalize)`. */
export function describeDifferences(
  differences: readonly KeyDifference[],
  stage: PipelineStage,
  rootOf: RootOf = () => undefined,
): string {
  const clauses = differences.slice(0, SHOWN).map((difference) => describeDifference(difference, stage, rootOf));
  const more = differences.length - SHOWN;
  return more > 0 ? `${clauses.join("; ")}; and ${more} more` : clauses.join("; ");
}

function describeDifference(
  { part, name, before, after }: KeyDifference,
  stage: PipelineStage,
  rootOf: RootOf,
): string {
  switch (part) {
    case "input": {
      const source = stage.inputs[name];
      const from = source?.from === "stage" ? (rootOf(source.stage) ?? source.stage) : source?.text;
      const origin = from === undefined ? "" : ` (${from})`;
      if (before === undefined) return `input ${name} was connected${origin}`;
      return after === undefined ? `input ${name} was disconnected` : `input ${name} changed${origin}`;
    }
    case "code":
      return before === undefined
        ? `${name} is new`
        : after === undefined
          ? `${name} is no longer used`
          : `${name} was edited`;
    case "command":
      if (name === "text") return "its command was edited";
      return `${stage.command?.references?.[name]?.text ?? name} ${before ?? "(none)"} -> ${after ?? "(none)"}`;
    case "tool":
      return `the program ${name} is another one`;
    default: {
      const label = part === "param" ? name : `${part} ${name}`;
      return `${label} ${before ?? "(none)"} -> ${after ?? "(none)"}`;
    }
  }
}
