/**
 * YAML text to a whole `Pipeline`, or to everything that is wrong with it. Pure: what a stage type is comes in as the
 * catalogue, and whether a path exists is asked through `exists`.
 *
 *   text -> located values -> profiles and --param laid over -> outer shape -> ${params} resolved
 *        -> each stage drafted by its type's schema -> connected -> circles -> facts in order -> Pipeline
 */
import type { Facts } from "../contract.ts";
import { quote } from "../diagnostics/catalog.ts";
import { type Diagnostic, diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import { connectStage, type StageConnections, type StageDraft } from "./connect.ts";
import { checkEngine, type DraftContext, draftStage } from "./draft-stage.ts";
import {
  isNull,
  type Located,
  type LocatedEntry,
  type LocatedMap,
  locate,
  spansByPath,
  toJsonObject,
} from "./located.ts";
import { applyOverrides, mergeLocated, OVERRIDES_FILE, PROFILES_FILE, selectProfiles } from "./merge.ts";
import { parseYaml } from "./parse-yaml.ts";
import type { Pipeline, PipelineStage, StageCatalogue } from "./pipeline.ts";
import { checkOuterShape, mapOf, readPipeline } from "./pipeline-shape.ts";
import { orderStages } from "./stage-order.ts";
import { createVariables } from "./variables.ts";

export interface PipelineSource {
  /** Path as the user gave it, for messages. */
  readonly file: string;
  /** Absolute folder of the file: relative paths in it start there. */
  readonly folder: string;
  readonly text: string;
}

export interface LoadOptions {
  readonly profiles: readonly string[];
  /** `a.b=value`, as given to `--param`. */
  readonly overrides: readonly string[];
  /** Where relative paths in `--param` values start: the user's working folder. Left out: the file's folder. */
  readonly workingFolder?: string;
  /** Where given, paths that do not exist are a diagnostic. */
  readonly exists?: (path: string) => boolean;
}

export type LoadResult = LoadedPipeline | RefusedPipeline;

export interface LoadedPipeline {
  readonly pipeline: Pipeline;
  /** Warnings only. */
  readonly diagnostics: readonly Diagnostic[];
  readonly texts: ReadonlyMap<string, string>;
}

export interface RefusedPipeline {
  readonly pipeline?: undefined;
  readonly diagnostics: readonly Diagnostic[];
  /** What spans point into, for `renderDiagnostics`. */
  readonly texts: ReadonlyMap<string, string>;
}

export function loadPipeline(source: PipelineSource, options: LoadOptions, catalogue: StageCatalogue): LoadResult {
  const diagnostics: Diagnostic[] = [];
  const report: ReportDiagnostic = (diagnostic) => diagnostics.push(diagnostic);
  const texts = new Map([
    [source.file, source.text],
    [PROFILES_FILE, options.profiles.join("\n")],
    [OVERRIDES_FILE, options.overrides.join("\n")],
  ]);
  const pipeline = load(source, options, catalogue, report);
  return pipeline === undefined || diagnostics.some(({ severity }) => severity === "error")
    ? { diagnostics, texts }
    : { pipeline, diagnostics, texts };
}

function load(
  source: PipelineSource,
  options: LoadOptions,
  catalogue: StageCatalogue,
  report: ReportDiagnostic,
): Pipeline | undefined {
  const parsed = parseYaml(source, report);
  const outer = parsed === undefined ? undefined : checkOuterShape(parsed, report);
  if (outer === undefined) return undefined;
  const raw = readPipeline(layOver(outer, options, report), catalogue, report);
  const variables = createVariables(raw.params, report);
  const context: DraftContext = {
    catalogue,
    variables,
    folder: source.folder,
    workingFolder: options.workingFolder ?? source.folder,
    engine: raw.engine,
  };
  checkEngine(context, report);
  const drafts = new Map<string, StageDraft>();
  for (const stage of raw.stages) {
    const draft = draftStage(stage, context, report);
    if (draft !== undefined) drafts.set(stage.name, draft);
  }
  const connections = new Map<string, StageConnections>();
  const broken = new Set(raw.stageNames.filter((name) => !drafts.has(name)));
  for (const [name, draft] of drafts) connections.set(name, connectStage(draft, drafts, broken, report));
  if (options.exists !== undefined) reportMissingPaths(drafts, connections, options.exists, report);
  const order = orderOf(drafts, report);
  const stages = completeStages(order, drafts, connections, report);
  if (variables.params === undefined) return undefined;
  return {
    name: raw.name,
    file: source.file,
    folder: source.folder,
    profiles: options.profiles,
    availableProfiles: [...(mapOf(outer, "profiles", () => undefined)?.entries.keys() ?? [])],
    params: toJsonObject(variables.params),
    stages: [...drafts.keys()].flatMap((name) => stages.get(name) ?? []),
  };
}

/** The file with profiles, then `--param` values, laid over it. */
function layOver(outer: LocatedMap, options: LoadOptions, report: ReportDiagnostic): LocatedMap {
  const profiles = mapOf(outer, "profiles", () => undefined);
  let root: Located = outer;
  for (const profile of selectProfiles(profiles, options.profiles, report)) root = mergeLocated(root, profile);
  const merged = root as LocatedMap;
  const params = merged.entries.get("params");
  const isMap = params?.value.kind === "map";
  if (!isMap && params !== undefined && !isNull(params.value)) return merged;
  const base: LocatedMap = isMap ? (params.value as LocatedMap) : { kind: "map", span: outer.span, entries: new Map() };
  const value = applyOverrides(base, options.overrides, report);
  const entries = new Map<string, LocatedEntry>(merged.entries);
  entries.set("params", { keySpan: params?.keySpan ?? outer.span, value });
  return { ...merged, entries };
}

function reportMissingPaths(
  drafts: ReadonlyMap<string, StageDraft>,
  connections: ReadonlyMap<string, StageConnections>,
  exists: (path: string) => boolean,
  report: ReportDiagnostic,
): void {
  for (const [name, { inputs }] of connections) {
    for (const [port, input] of Object.entries(inputs)) {
      if (input.from !== "path" || exists(input.path)) continue;
      const { span, notes } = drafts.get(name)!.inputs.get(port)!;
      report(diagnose("language/missing-path", { text: input.text, path: input.path }, span, notes));
    }
  }
}

/** What a stage comes after, each with the place that says so. */
function edgesOf(draft: StageDraft) {
  const inputs = [...draft.inputs.values()].flatMap(({ source, span, notes }) =>
    source?.from === "stage" ? [{ stage: source.stage, span: notes[0]?.span ?? span, text: source.text }] : [],
  );
  return [...inputs, ...draft.after.map(({ stage, span }) => ({ stage, span, text: stage }))];
}

/** Topological order; each circle is a diagnostic with all its edges. */
function orderOf(drafts: ReadonlyMap<string, StageDraft>, report: ReportDiagnostic): readonly string[] {
  const needs = (name: string) => edgesOf(drafts.get(name)!).map(({ stage }) => stage);
  const { order, circles } = orderStages([...drafts.keys()], needs);
  for (const circle of circles) {
    const edges = circle.map((name, i) => {
      const needed = circle[(i + 1) % circle.length]!;
      const edge = edgesOf(drafts.get(name)!).find(({ stage }) => stage === needed)!;
      return { message: `${quote(name)} needs ${quote(edge.text)} here`, span: edge.span };
    });
    const span = drafts.get(circle[0]!)!.raw.nameSpan;
    report(diagnose("language/cycle", { stages: [...circle, circle[0]!] }, span, edges));
  }
  return circles.length > 0 ? [] : order;
}

/** In topological order: what each stage's own code says about its params and inputs, and what it will produce. */
function completeStages(
  order: readonly string[],
  drafts: ReadonlyMap<string, StageDraft>,
  connections: ReadonlyMap<string, StageConnections>,
  report: ReportDiagnostic,
): ReadonlyMap<string, PipelineStage> {
  const stages = new Map<string, PipelineStage>();
  for (const name of order) {
    const draft = drafts.get(name)!;
    const { inputs, sound } = connections.get(name)!;
    const { params, outputs } = draft;
    if (!sound || params === undefined || outputs === undefined) continue;
    const facts: Record<string, Facts> = {};
    for (const [port, input] of Object.entries(inputs)) {
      facts[port] = (input.from === "stage" ? stages.get(input.stage)?.facts[input.output] : undefined) ?? {};
    }
    const problems = draft.definition.check?.({ params, inputs: facts }) ?? [];
    for (const { path, message, help } of problems) {
      const { span, notes } = placeOfProblem(draft, path);
      report(diagnose("language/stage-check", { stage: name, problem: message, help }, span, notes));
    }
    if (problems.length > 0) continue;
    stages.set(name, {
      name,
      type: draft.raw.type,
      params,
      inputs,
      outputs,
      after: draft.after.map(({ stage }) => stage),
      ...(draft.engine === undefined ? {} : { engine: draft.engine }),
      execution: { retries: 0, cache: true, frozen: false },
      env: {},
      facts: draft.definition.describe?.({ params, inputs: facts }) ?? {},
      spans: {
        name: draft.raw.nameSpan,
        params: draft.settings === undefined ? {} : spansByPath(draft.settings),
        inputs: Object.fromEntries([...draft.inputs].map(([port, { span }]) => [port, span])),
        ...(draft.engineSpan === undefined ? {} : { engine: draft.engineSpan }),
        ...(draft.engineSettingSpans === undefined ? {} : { engineSettings: draft.engineSettingSpans }),
      },
    });
  }
  return stages;
}

/** The closest existing part of the stage to what a stage's own check points at. */
function placeOfProblem(draft: StageDraft, [part, ...path]: readonly (string | number)[]) {
  const { raw, settings } = draft;
  if (part === "inputs") {
    const input = draft.inputs.get(String(path[0]));
    return { span: input?.span ?? raw.nameSpan, notes: input?.notes ?? [] };
  }
  if (part === "engine") return { span: draft.engineSpan ?? raw.nameSpan, notes: [] };
  if (part !== "with" || settings === undefined) return { span: raw.settings?.keySpan ?? raw.nameSpan, notes: [] };
  const place = locate(settings, path);
  const notes = place.usedAt.map((span) => ({ message: "used here", span }));
  if (place.depth === 0) return { span: raw.settings?.keySpan ?? raw.nameSpan, notes };
  return { span: place.depth === path.length ? place.node.span : (place.keySpan ?? place.node.span), notes };
}
