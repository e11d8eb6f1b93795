/**
 * From a plan to why: each stage's key beside a reference one, followed from input to input up to what the user changed.
 *
 *   train: input train changed <- normalize: input train changed <- split: seed 1 -> 2     (the root cause)
 *
 * A stage that waits has no key yet; all of it but the digests of what it waits for is known, and that is compared. The
 * keys are made by the same functions that decide, so an explanation cannot differ from a decision.
 */
import { producersOf } from "../graph/stage-graph.ts";
import { UnfitForArtifact } from "../identity/artifact-digest.ts";
import type { ExplainedDifference, Explanation, RootCause } from "../identity/explanation.ts";
import { diffKeys, type KeyedCode } from "../identity/fingerprint.ts";
import type { Pipeline, PipelineStage } from "../language/pipeline.ts";
import { describeDifferences } from "./decide.ts";
import { originOf } from "./difference-origin.ts";
import type { ResolvedEngine } from "./engine-port.ts";
import type { ConsumedBy, KeyReference, KnownKey } from "./key-reference.ts";
import type { DetailedStage } from "./plan.ts";
import { keyStageInputs } from "./stage-inputs.ts";
import { makeStageKey } from "./stage-key.ts";
import type { Workspace } from "./workspace.ts";

export interface ExplainRequest {
  readonly pipeline: Pipeline;
  /** What the pipeline's spans point into. */
  readonly texts: ReadonlyMap<string, string>;
  readonly engines: ReadonlyMap<string, ResolvedEngine>;
  /** Every stage that may be asked about, with all it needs, in order. */
  readonly plan: readonly DetailedStage[];
  readonly reference: KeyReference;
}

export interface Explainer {
  explain(stage: string): Promise<Explanation>;
  /** At most a few. Empty where nothing makes the stage run. */
  rootCausesOf(stage: string): Promise<readonly RootCause[]>;
  /** The key that a stage has as things are, or why it has none. */
  currentKey(stage: string): Promise<CurrentKey | string>;
  /** The plan, with reasons that name the root cause. */
  nameCauses(): Promise<readonly DetailedStage[]>;
}

export interface CurrentKey {
  readonly key: KeyedCode;
  /** Ports whose digest is not known: what makes them has yet to run. */
  readonly undecided: ReadonlySet<string>;
  /** What a source file is bundled into. */
  readonly partsOf?: (module: string) => readonly string[];
}

/** One stage beside its reference. */
interface Comparison {
  readonly reference?: KnownKey;
  readonly incomparable?: string;
  readonly differences: readonly ExplainedDifference[];
}

const MOST_ROOTS = 4;
const SHOWN_CLAUSES = 2;
/** Nobody reads on after so many stages, and the root cause is named anyway. */
const LONGEST_CHAIN = 40;
/** Stands for the digest of what has not been made. No sha256 reads like it. */
const UNMADE = { kind: "unmade", digest: "unmade" };

export function createExplainer(workspace: Workspace, request: ExplainRequest): Explainer {
  const { pipeline, engines, texts, reference } = request;
  const stages = new Map(pipeline.stages.map((stage) => [stage.name, stage]));
  const plan = new Map(request.plan.map((planned) => [planned.stage, planned]));
  const keys = new Map<string, Promise<CurrentKey | string>>();
  const comparisons = new Map<string, Promise<Comparison>>();
  const roots = new Map<string, Promise<readonly RootCause[]>>();

  const makeKey = async (stage: PipelineStage): Promise<CurrentKey | string> => {
    const undecided = new Set<string>();
    for (const [port, source] of Object.entries(stage.inputs))
      if (producersOf(source).some((made) => plan.get(made.stage)?.trace === undefined)) undecided.add(port);
    const outputOf = (name: string, output: string) => plan.get(name)?.trace?.outputs[output] ?? UNMADE;
    try {
      const inputs = await keyStageInputs(workspace, stage, outputOf);
      const engine = engines.get(stage.name);
      const key = makeStageKey(workspace, { stage, pipelineFolder: pipeline.folder, inputs, engine });
      const partsOf = key.resolved?.partsOf;
      return { key, undecided, ...(partsOf === undefined ? {} : { partsOf }) };
    } catch (error) {
      if (error instanceof UnfitForArtifact) return error.message;
      throw error;
    }
  };
  const currentKey = (name: string): Promise<CurrentKey | string> =>
    remember(keys, name, () => makeKey(stages.get(name)!));

  const compare = async (name: string, consumer: ConsumedBy | undefined): Promise<Comparison> => {
    const found = await reference.keyOf(name, consumer);
    if ("missing" in found) return { incomparable: found.missing, differences: [] };
    const current = await currentKey(name);
    if (typeof current === "string") return { reference: found, incomparable: current, differences: [] };
    return { reference: found, differences: differencesOf(stages.get(name)!, found, current, texts) };
  };
  /** By stage alone: the first reader that asks decides what a stage is compared with. */
  const comparisonOf = (name: string, consumer?: ConsumedBy): Promise<Comparison> =>
    remember(comparisons, name, () => compare(name, consumer));

  /** Stages that an input's difference leads to: those that give something else, or may. */
  const producersToAsk = (stage: PipelineStage, difference: ExplainedDifference): readonly string[] => {
    const source = difference.part === "input" ? stage.inputs[difference.name] : undefined;
    if (source === undefined || (difference.before === undefined && difference.undecided !== true)) return [];
    return [...new Set(producersOf(source).map((producer) => producer.stage))];
  };
  const consumedBy = (stage: PipelineStage, comparison: Comparison, difference: ExplainedDifference): ConsumedBy => ({
    key: comparison.reference!,
    // Of a collection the key has one digest for all its members.
    digests:
      difference.before !== undefined && stage.inputs[difference.name]?.from === "stage" ? [difference.before] : [],
  });

  const explain = async (name: string, told: Set<string>, links = 0, consumer?: ConsumedBy): Promise<Explanation> => {
    const stage = stages.get(name)!;
    const planned = plan.get(name)!;
    const head = {
      stage: name,
      stageType: stage.type,
      decision: planned.decision,
      reason: planned.reason,
      ...(stage.execution.frozen ? { frozen: true as const } : {}),
    };
    const comparison = await comparisonOf(name, consumer);
    if (told.has(name)) return { ...head, differences: [], repeated: true };
    told.add(name);
    if (links === LONGEST_CHAIN) return { ...head, differences: [], cut: true };
    const differences: ExplainedDifference[] = [];
    for (const difference of comparison.differences) {
      const because: Explanation[] = [];
      for (const producer of producersToAsk(stage, difference)) {
        const why = await explain(producer, told, links + 1, consumedBy(stage, comparison, difference));
        // Of a collection, only the members that differ, or of which nobody can tell.
        const moved =
          why.differences.length > 0 ||
          why.incomparable !== undefined ||
          why.decision === "run" ||
          why.decision === "pending" ||
          why.repeated ||
          why.cut;
        if (moved || stage.inputs[difference.name]!.from === "stage") because.push(why);
      }
      differences.push(because.length === 0 ? difference : { ...difference, because });
    }
    return {
      ...head,
      ...(comparison.reference === undefined ? {} : { against: comparison.reference.label }),
      ...(comparison.incomparable === undefined ? {} : { incomparable: comparison.incomparable }),
      differences,
    };
  };

  const findRoots = async (name: string, consumer?: ConsumedBy): Promise<readonly RootCause[]> => {
    const stage = stages.get(name)!;
    const planned = plan.get(name)!;
    const comparison = await comparisonOf(name, consumer);
    const found = new Map<string, RootCause>();
    const add = (root: RootCause) => found.size < MOST_ROOTS && found.set(`${root.stage} ${root.text}`, root);
    for (const difference of comparison.differences) {
      let deeper = 0;
      for (const producer of producersToAsk(stage, difference)) {
        for (const root of await rootsOf(producer, consumedBy(stage, comparison, difference))) {
          add(root);
          deeper++;
        }
      }
      if (deeper === 0 && difference.undecided !== true)
        add({ stage: name, difference, text: describeDifferences([difference], stage) });
    }
    if (found.size === 0 && planned.decision === "run") add({ stage: name, text: planned.reason });
    if (found.size === 0 && planned.decision === "pending") {
      for (const need of planned.needs) for (const root of await rootsOf(need)) add(root);
    }
    return [...found.values()];
  };
  const rootsOf = (name: string, consumer?: ConsumedBy): Promise<readonly RootCause[]> =>
    remember(roots, name, () => findRoots(name, consumer));

  /** ` (normalize: seed 1 -> 2, and more)`; empty where nothing is known. */
  const clauseOf = (found: readonly RootCause[]): string =>
    found.length === 0 ? "" : ` (${found[0]!.stage}: ${found[0]!.text}${found.length > 1 ? ", and more" : ""})`;

  /** `optimizer.learningRate 0.1 -> 0.05; input train changed (split: seed 1 -> 2)`. */
  const describe = async (planned: DetailedStage, comparison: Comparison, own: readonly ExplainedDifference[]) => {
    const stage = stages.get(planned.stage)!;
    const clauses: string[] = [];
    for (const difference of own.slice(0, SHOWN_CLAUSES)) {
      const found: RootCause[] = [];
      for (const producer of producersToAsk(stage, difference))
        found.push(...(await rootsOf(producer, consumedBy(stage, comparison, difference))));
      clauses.push(
        found.length === 0
          ? describeDifferences([difference], stage)
          : `input ${difference.name} changed${clauseOf(found)}`,
      );
    }
    const more = own.length - clauses.length;
    return [...clauses, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
  };

  const nameCause = async (planned: DetailedStage): Promise<string> => {
    const { decision, differences, reason } = planned;
    if (decision === "fresh" || decision === "restore") return reason;
    const stage = stages.get(planned.stage)!;
    const comparison = await comparisonOf(planned.stage);
    const own = comparison.differences.filter(({ undecided }) => undecided !== true);
    // The decision's own words stay where they say more than the differences do: forced, damaged, never run.
    const said = describeDifferences(differences, stage);
    if (own.length > 0 && differences.length > 0 && reason.startsWith(said))
      return (await describe(planned, comparison, own)) + reason.slice(said.length);
    return decision === "pending" && own.length === 0 && comparison.incomparable === undefined
      ? `${reason}${clauseOf(await rootsOf(planned.stage))}`
      : reason;
  };

  return {
    currentKey,
    explain: (name) => explain(name, new Set()),
    rootCausesOf: (name) => rootsOf(name),
    async nameCauses() {
      const named: DetailedStage[] = [];
      for (const planned of request.plan) {
        const reason = await nameCause(planned);
        named.push(reason === planned.reason ? planned : { ...planned, reason });
      }
      return named;
    },
  };
}

function differencesOf(
  stage: PipelineStage,
  reference: KnownKey,
  current: CurrentKey,
  texts: ReadonlyMap<string, string>,
): readonly ExplainedDifference[] {
  const undecided = new Set([...reference.undecided, ...current.undecided]);
  const open = new Set(undecided);
  const differences: ExplainedDifference[] = [];
  for (const difference of diffKeys(reference.key, current.key)) {
    const input = difference.part === "command" ? /^name of input (.*)$/.exec(difference.name)?.[1] : undefined;
    // What a file is called that has not been made is not known either.
    if (input !== undefined && undecided.has(input)) continue;
    const origin =
      difference.part === "code" ? partsText(current, difference.name) : originOf(stage, difference, texts);
    const value = difference.part === "command" ? stage.command?.references?.[difference.name] : undefined;
    const named = value === undefined ? difference : { ...difference, name: value.text };
    const located = origin === undefined ? named : { ...named, origin };
    if (difference.part !== "input" || !open.delete(difference.name)) {
      differences.push(located);
      continue;
    }
    const { before, after, ...rest } = located;
    const connected = before === undefined || after === undefined;
    differences.push({
      ...rest,
      ...(before === undefined || reference.undecided.has(rest.name) ? {} : { before }),
      ...(after === undefined || current.undecided.has(rest.name) ? {} : { after }),
      ...(connected ? {} : { undecided: true as const }),
    });
  }
  // Of these neither side is known, so nothing was seen to differ.
  for (const name of open) {
    if (stage.inputs[name] === undefined) continue;
    const origin = originOf(stage, { part: "input", name }, texts);
    differences.push({ part: "input", name, ...(origin === undefined ? {} : { origin }), undecided: true });
  }
  return differences;
}

function partsText({ partsOf }: CurrentKey, module: string): string | undefined {
  const parts = partsOf?.(module) ?? [];
  return parts.length === 0 ? undefined : parts.join(", ");
}

function remember<T>(known: Map<string, Promise<T>>, name: string, make: () => Promise<T>): Promise<T> {
  const found = known.get(name);
  if (found !== undefined) return found;
  const made = make();
  known.set(name, made);
  return made;
}
