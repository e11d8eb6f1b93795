/** The merged file to drafts: params and environment resolved, stages fanned out, every instance drafted by itself. */
import { diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { StageDraft, Surroundings } from "./connect.ts";
import type { DraftContext } from "./draft-context.ts";
import { checkEngine, draftStage } from "./draft-stage.ts";
import { type Environment, readEnvironment } from "./environment.ts";
import { fanOut, type StageToFan } from "./fan-out.ts";
import { PATH, parseStageReference, resolvePath } from "./input-source.ts";
import { countValues, type Located, type LocatedMap } from "./located.ts";
import { type Combination, type Matrix, MOST_COMBINATIONS, readMatrix } from "./matrix.ts";
import type { ParsedPipeline } from "./parse-pipeline.ts";
import type { StageCatalogue, StageTypeProblem } from "./pipeline.ts";
import { type FindStageType, type RawStage, readPipeline } from "./pipeline-shape.ts";
import { axesReferredTo, createVariables, type Variables } from "./variables.ts";

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

  const common = raw.matrix === undefined ? undefined : readMatrix(raw.matrix, resolveOutside, report);
  const broken = new Set(raw.stageNames);
  const environments = new Map<string, Environment>();
  const toFan: StageToFan[] = [];
  const hasMatrix = raw.matrix !== undefined || raw.stages.some(({ matrix }) => matrix !== undefined);
  for (const stage of raw.stages) {
    const own = readEnvironment(stage.env, environment, values, report);
    environments.set(stage.name, own);
    const plain = { name: stage.name, span: stage.nameSpan };
    if (!hasMatrix) toFan.push({ ...plain, axes: NONE, reads: [] });
    else {
      const matrix = stage.matrix && readMatrix(stage.matrix, variables.within({ environment: own }, report), report);
      const axes = axesReferredTo(stage.node);
      // What stands on a matrix that is wrong is not looked at.
      const isLost = stage.matrix !== undefined && matrix === undefined;
      if (isLost || (raw.matrix !== undefined && common === undefined && axes.size > 0)) continue;
      const reads = readsOf(stage, { variables, environment: own, matrices: [matrix, common] });
      toFan.push({ ...plain, axes, reads, ...(matrix === undefined ? {} : { matrix }) });
    }
    broken.delete(stage.name);
  }
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
    const known = [...new Set([...axes, ...(common?.axes ?? [])])];
    for (const instance of instances) {
      const scope = { environment: own, axes: known, ...(axes.length === 0 ? {} : { matrix: instance.values }) };
      const context: DraftContext = {
        catalogue,
        findType,
        stageProblems: options.stageProblems ?? new Map(),
        resolve: variables.within(scope, report),
        resolveOutside,
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
  return { name: raw.name, params: variables.params, stages, drafts, fanned, broken };
}

const NONE: ReadonlySet<string> = new Set();

interface ReadingScope {
  readonly variables: Variables;
  readonly environment: Environment;
  /** The stage's own before the pipeline's. */
  readonly matrices: readonly (Matrix | undefined)[];
}

/** Stages whose outputs a stage reads one by one, whatever its values are. Problems are told when it is drafted. */
function readsOf(stage: RawStage, { variables, environment, matrices }: ReadingScope): readonly string[] {
  const reads = new Set<string>();
  for (const { value } of stage.inputs.values()) {
    for (const matrix of valuesOfAxes([...axesReferredTo(value)], matrices)) {
      const resolved = variables.within({ environment, matrix }, () => undefined)(value);
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
