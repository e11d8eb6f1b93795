/** The merged file to drafts: params and environment resolved, stages fanned out, every instance drafted by itself. */
import { diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { StageDraft, Surroundings } from "./connect.ts";
import type { DraftContext } from "./draft-context.ts";
import { checkEngine, draftStage } from "./draft-stage.ts";
import { type Environment, readEnvironment } from "./environment.ts";
import { fanOut, type StageToFan } from "./fan-out.ts";
import { PATH, parseStageReference, resolvePath } from "./input-source.ts";
import { countValues, type Located, type LocatedEntry, type LocatedMap } from "./located.ts";
import { type Combination, type Matrix, MOST_COMBINATIONS, readMatrix } from "./matrix.ts";
import type { ParsedPipeline } from "./parse-pipeline.ts";
import type { StageCatalogue, StageTypeProblem } from "./pipeline.ts";
import { type FindStageType, type RawStage, readPipeline } from "./pipeline-shape.ts";
import { type Sweep, sweepOver } from "./sweep.ts";
import { createSweptParams, type SweptParams } from "./swept-params.ts";
import { axesReferredTo, createVariables } from "./variables.ts";

/** What all instances together may be made of. */
const MOST_VALUES = 2_000_000;

export interface CheckOptions {
  /** Where given, paths that do not exist are a diagnostic. */
  readonly exists?: (path: string) => boolean;
  /** The user's environment, of which only what `env` lists is read. Left out: nothing is set. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Why modules of the user's own stages could not be loaded, by absolute path. */
  readonly stageProblems?: ReadonlyMap<string, StageTypeProblem>;
}

export interface DraftedPipeline extends Surroundings {
  readonly name: string;
  /** Resolved. */
  readonly params: LocatedMap | undefined;
  /** In file order, without those that came to nothing. */
  readonly stages: readonly RawStage[];
  /** Of a sweep: what it tries. */
  readonly trials?: Matrix;
}

/** Undefined where there would be too much to draft. */
export function draftPipeline(
  parsed: ParsedPipeline & { readonly root: LocatedMap },
  options: CheckOptions,
  catalogue: StageCatalogue,
  report: ReportDiagnostic,
): DraftedPipeline | undefined {
  const findType: FindStageType = (text, span) =>
    catalogue.get(PATH.test(text) ? resolvePath(text, parsed.folderOf(span)) : text);
  const raw = readPipeline(parsed.root, findType, report);
  const values = options.environment ?? {};
  const environment = readEnvironment(raw.env, new Map(), values, report);
  const variables = createVariables(raw.params, environment, report);
  const resolveOutside = variables.within({ environment }, report);
  checkEngine(raw.engine, resolveOutside, report);

  const file = raw.matrix === undefined ? undefined : readMatrix(raw.matrix, resolveOutside, report);
  const crossed = parsed.sweep && sweepOver(file, parsed.sweep, report);
  const sweep = crossed && parsed.sweep;
  const common = crossed ?? file;
  const swept = createSweptParams(sweep, { params: raw.params, environment, common: variables });
  const broken = new Set(raw.stageNames);
  const environments = new Map<string, Environment>();
  const computes = (stage: RawStage): boolean =>
    stage.shell === undefined && findType(stage.type, stage.typeSpan)?.definition.computes === true;
  const sweptBy = (stage: RawStage): Iterable<string> => [
    ...swept.of(stage.node),
    ...(raw.engine !== undefined && computes(stage) ? swept.of(raw.engine.value) : []),
  ];
  for (const matrix of [raw.matrix, ...raw.stages.map((stage) => stage.matrix)])
    if (matrix !== undefined) refuseInMatrix(matrix, swept, sweep, report);
  const toFan: StageToFan[] = [];
  const hasMatrix =
    common !== undefined || raw.matrix !== undefined || raw.stages.some(({ matrix }) => matrix !== undefined);
  for (const stage of raw.stages) {
    const own = readEnvironment(stage.env, environment, values, report);
    environments.set(stage.name, own);
    const plain = { name: stage.name, span: stage.nameSpan };
    if (!hasMatrix) toFan.push({ ...plain, axes: NONE, reads: [] });
    else {
      const matrix = stage.matrix && readMatrix(stage.matrix, variables.within({ environment: own }, report), report);
      const axes = new Set([...axesReferredTo(stage.node), ...sweptBy(stage)]);
      // What stands on a matrix that is wrong is not looked at.
      const isLost = stage.matrix !== undefined && matrix === undefined;
      if (isLost || (raw.matrix !== undefined && file === undefined && axes.size > 0)) continue;
      const reads = readsOf(stage, { swept, environment: own, matrices: [matrix, common] });
      toFan.push({ ...plain, axes, reads, ...(matrix === undefined ? {} : { matrix }) });
    }
    broken.delete(stage.name);
  }
  if (sweep !== undefined && broken.size === 0) reportUnused(sweep, toFan, report);
  const fanned = fanOut(toFan, common, report);
  if (fanned.size < toFan.length) return undefined;
  const sizes = raw.stages.map(({ name, node, matrix }) => {
    const { length } = fanned.get(name)?.instances ?? [];
    const own = countValues(node) - (matrix === undefined ? 0 : countValues(matrix.value));
    return length < 2 ? 0 : length * own;
  });
  if (sizes.reduce((sum, size) => sum + size, 0) > MOST_VALUES) {
    const { nameSpan } = raw.stages[sizes.indexOf(Math.max(...sizes))]!;
    const words = { what: "the instances of all matrices hold too much", limit: `${MOST_VALUES} values` };
    report(diagnose("language/too-large", words, nameSpan));
    return undefined;
  }

  const drafts = new Map<string, StageDraft>();
  const stages = raw.stages.filter(({ name }) => !broken.has(name));
  for (const stage of stages) {
    const own = environments.get(stage.name)!;
    const { instances, axes } = fanned.get(stage.name)!;
    const known = [...new Set([...axes, ...(common?.axes ?? [])])].filter((axis) => !sweep?.spans.has(axis));
    for (const instance of instances) {
      const matrix = swept.without(instance.values);
      const inTrial = swept.variablesIn(instance.values);
      const scope = { environment: own, axes: known, ...(matrix.size === 0 ? {} : { matrix }) };
      const context: DraftContext = {
        catalogue,
        findType,
        stageProblems: options.stageProblems ?? new Map(),
        resolve: inTrial.within(scope, report),
        resolveOutside: inTrial.within({ environment }, report),
        environment: own,
        folder: parsed.source.folder,
        folderOf: parsed.folderOf,
        textOf: (file) => parsed.texts.get(file) ?? "",
        ...(options.exists === undefined ? {} : { exists: options.exists }),
        engine: raw.engine,
      };
      const draft = draftStage(stage, instance, context, report);
      if (draft === undefined) broken.add(stage.name);
      else drafts.set(instance.name, draft);
    }
  }
  return {
    name: raw.name,
    params: variables.params,
    stages,
    drafts,
    fanned,
    broken,
    ...(crossed && { trials: crossed }),
  };
}

const NONE: ReadonlySet<string> = new Set();

/** A matrix is one for the whole sweep. */
function refuseInMatrix(
  matrix: LocatedEntry,
  swept: SweptParams,
  sweep: Sweep | undefined,
  report: ReportDiagnostic,
): void {
  for (const name of swept.of(matrix.value)) {
    const words = {
      text: name,
      problem: "decides over a matrix, so it cannot be swept",
      help: "sweep what the instances are given",
    };
    report(
      diagnose("language/bad-sweep", words, sweep!.spans.get(name)!, [{ message: "the matrix", span: matrix.keySpan }]),
    );
  }
}

/** A param that no stage uses would give the same trial many times. */
function reportUnused(sweep: Sweep, stages: readonly StageToFan[], report: ReportDiagnostic): void {
  for (const [name, span] of sweep.spans) {
    if (stages.some(({ axes }) => axes.has(name))) continue;
    const words = {
      text: name,
      problem: "is used by no stage: its trials would all be the same",
      help: `write "\${params.${name}}" where it belongs`,
    };
    report(diagnose("language/bad-sweep", words, span));
  }
}

interface ReadingScope {
  readonly swept: SweptParams;
  readonly environment: Environment;
  /** The stage's own before the pipeline's. */
  readonly matrices: readonly (Matrix | undefined)[];
}

/** Stages whose outputs a stage reads one by one, whatever its values are. Problems are told when it is drafted. */
function readsOf(stage: RawStage, { swept, environment, matrices }: ReadingScope): readonly string[] {
  const reads = new Set<string>();
  for (const { value } of stage.inputs.values()) {
    const axes = [...axesReferredTo(value), ...swept.of(value)];
    for (const values of valuesOfAxes(axes, matrices)) {
      const matrix = swept.without(values);
      const resolved = swept.variablesIn(values).within({ environment, matrix }, () => undefined)(value);
      if (resolved?.kind !== "scalar" || typeof resolved.value !== "string") continue;
      const reference = PATH.test(resolved.value) ? undefined : parseStageReference(resolved.value);
      if (reference !== undefined && !reference.every) reads.add(reference.stage);
    }
  }
  return [...reads];
}

/** Every way in which some axes can have values, up to a bound that no matrix exceeds. */
function valuesOfAxes(axes: readonly string[], matrices: readonly (Matrix | undefined)[]): readonly Combination[] {
  let combinations: readonly Combination[] = [new Map()];
  for (const axis of axes) {
    const matrix = matrices.find((one) => one?.spans.has(axis));
    const values = new Map<unknown, Located>();
    for (const combination of matrix?.combinations ?? []) {
      const value = combination.get(axis)!;
      values.set(value.kind === "scalar" ? value.value : value, value);
    }
    combinations = combinations
      .flatMap((one) => [...values.values()].map((value) => new Map([...one, [axis, value]])))
      .slice(0, MOST_COMBINATIONS);
  }
  return combinations;
}
