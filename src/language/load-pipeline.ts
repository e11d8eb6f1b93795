/**
 * YAML text to a whole `Pipeline`, or to everything that is wrong with it. Pure: what a stage type is comes in as the
 * catalogue, files and the environment through functions and values of the options.
 *
 *   text -> located values, includes below -> profiles and --param laid over                    (parsePipeline)
 *        -> outer shape -> params resolved -> fanned out by matrices -> each instance drafted by its type's schema
 *        -> connected -> circles -> facts in order -> Pipeline                                  (checkPipeline)
 */
import type { Facts } from "../contract.ts";
import { quote } from "../diagnostics/catalog.ts";
import { type Diagnostic, diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";
import type { JsonObject } from "../json.ts";
import { connectStage, type StageConnections, type StageDraft } from "./connect.ts";
import { type CheckOptions, type DraftedPipeline, draftPipeline } from "./draft-pipeline.ts";
import { locate, spansByPath, toJson, toJsonObject } from "./located.ts";
import { type Combination, combinationName } from "./matrix.ts";
import { type ParsedPipeline, type ParseOptions, parsePipeline } from "./parse-pipeline.ts";
import type { MatrixInstance, Pipeline, PipelineStage, StageCatalogue } from "./pipeline.ts";
import type { PipelineSource } from "./source-files.ts";
import { orderStages } from "./stage-order.ts";

export interface LoadOptions extends ParseOptions, CheckOptions {}

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

/** Both halves in one, where the catalogue has all that the pipeline needs. */
export function loadPipeline(source: PipelineSource, options: LoadOptions, catalogue: StageCatalogue): LoadResult {
  return checkPipeline(parsePipeline(source, options), options, catalogue);
}

/** The second half: `catalogue` has the user's own stages by absolute path, `options.stageProblems` why one is missing. */
export function checkPipeline(parsed: ParsedPipeline, options: CheckOptions, catalogue: StageCatalogue): LoadResult {
  const diagnostics: Diagnostic[] = [];
  const told = new Set<string>();
  const report: ReportDiagnostic = (diagnostic) => {
    // What is wrong with a stage is wrong with each of its instances.
    const { code, message, span } = diagnostic;
    const key = `${code} ${span.file} ${span.start} ${message}`;
    if (!told.has(key)) diagnostics.push(diagnostic);
    told.add(key);
    if (diagnostics.length >= MOST_PROBLEMS) throw new TooManyProblems();
  };
  const { root } = parsed;
  const places = [...(options.stageProblems?.values() ?? [])].flatMap(({ place }) => place ?? []);
  const texts = new Map([...parsed.texts, ...places.map(({ span, text }) => [span.file, text] as const)]);
  let pipeline: Pipeline | undefined;
  try {
    for (const diagnostic of parsed.diagnostics) report(diagnostic);
    if (root !== undefined) pipeline = check({ ...parsed, root }, options, catalogue, report);
  } catch (error) {
    if (!(error instanceof TooManyProblems)) throw error;
  }
  return pipeline === undefined || diagnostics.some(({ severity }) => severity === "error")
    ? { diagnostics, texts }
    : { pipeline, diagnostics, texts };
}

/** Who has so many wants no more; each costs a search for what was meant. */
const MOST_PROBLEMS = 5_000;

/** Ends the check of a file made to have problems. */
class TooManyProblems extends Error {}

function check(
  parsed: ParsedPipeline & Required<Pick<ParsedPipeline, "root">>,
  options: CheckOptions,
  catalogue: StageCatalogue,
  report: ReportDiagnostic,
): Pipeline | undefined {
  const drafted = draftPipeline(parsed, options, catalogue, report);
  if (drafted === undefined) return undefined;
  const { drafts } = drafted;
  const connections = new Map<string, StageConnections>();
  for (const [name, draft] of drafts) connections.set(name, connectStage(draft, drafted, report));
  if (options.exists !== undefined) reportMissingPaths(drafts, connections, options.exists, report);
  const stages = completeStages(orderOf(drafted, report), drafted, connections, report);
  if (drafted.params === undefined) return undefined;
  return {
    name: drafted.name,
    file: parsed.source.file,
    folder: parsed.source.folder,
    profiles: parsed.profiles,
    availableProfiles: parsed.availableProfiles,
    params: toJsonObject(drafted.params),
    ...sweepOf(parsed, drafted),
    stages: [...drafts.keys()].flatMap((name) => stages.get(name) ?? []),
  };
}

function sweepOf({ sweep }: ParsedPipeline, { trials }: DraftedPipeline): Pick<Pipeline, "sweep"> {
  if (sweep === undefined || trials === undefined) return {};
  const tried = trials.combinations.map((one) => ({ name: combinationName(one), values: valuesOf(one) }));
  return { sweep: { params: sweep.axes, trials: tried } };
}

function valuesOf(combination: Combination): JsonObject {
  return Object.fromEntries([...combination].map(([axis, value]) => [axis, toJson(value)]));
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

interface StageNeed {
  readonly stage: string;
  /** The place that says so, and how. */
  readonly span: Span;
  readonly text: string;
}

/** What any of a stage's instances comes after, by its name in the file. */
function needsOf({ fanned, drafts }: DraftedPipeline, name: string): readonly StageNeed[] {
  const needs = new Map<string, StageNeed>();
  const add = (need: StageNeed): void => {
    if (!needs.has(need.stage)) needs.set(need.stage, need);
  };
  for (const instance of fanned.get(name)!.instances) {
    const draft = drafts.get(instance.name);
    for (const { source, span, notes } of draft?.inputs.values() ?? [])
      if (source?.from === "stage") add({ stage: source.stage, span: notes[0]?.span ?? span, text: source.text });
    for (const { stage, every, span } of draft?.after ?? []) add({ stage, span, text: every ? `${stage}@*` : stage });
  }
  return [...needs.values()];
}

/** Names in the file, each after all that it needs. Each circle is a diagnostic with all its edges. */
function orderOf(drafted: DraftedPipeline, report: ReportDiagnostic): readonly string[] {
  const needs = new Map(drafted.stages.map(({ name }) => [name, needsOf(drafted, name)]));
  const { order, circles } = orderStages([...needs.keys()], (name) => needs.get(name)!.map(({ stage }) => stage));
  for (const circle of circles) {
    const edges = circle.map((name, i) => {
      const needed = circle[(i + 1) % circle.length]!;
      const edge = needs.get(name)!.find(({ stage }) => stage === needed)!;
      return { message: `${quote(name)} needs ${quote(edge.text)} here`, span: edge.span };
    });
    const span = drafted.stages.find(({ name }) => name === circle[0])!.nameSpan;
    report(diagnose("language/cycle", { stages: [...circle, circle[0]!] }, span, edges));
  }
  return circles.length > 0 ? [] : order;
}

/** In topological order: what each stage's own code says about its params and inputs, and what it will produce. */
function completeStages(
  order: readonly string[],
  { fanned, drafts }: DraftedPipeline,
  connections: ReadonlyMap<string, StageConnections>,
  report: ReportDiagnostic,
): ReadonlyMap<string, PipelineStage> {
  const stages = new Map<string, PipelineStage>();
  for (const { name } of order.flatMap((stage) => fanned.get(stage)!.instances)) {
    const draft = drafts.get(name);
    if (draft === undefined) continue;
    const { inputs, after, sound } = connections.get(name)!;
    const { params, outputs, module, command } = draft;
    if (!sound || params === undefined || outputs === undefined) continue;
    const facts: Record<string, Facts> = {};
    for (const [port, input] of Object.entries(inputs)) {
      facts[port] = (input.from === "stage" ? stages.get(input.stage)?.facts[input.output] : undefined) ?? {};
    }
    const problems = draft.definition.check?.({ params, inputs: facts }) ?? [];
    for (const { path, message, help } of problems) {
      const { span, notes } = placeOfProblem(draft, path);
      report(diagnose("language/stage-check", { stage: draft.raw.name, problem: message, help }, span, notes));
    }
    if (problems.length > 0) continue;
    stages.set(name, {
      name,
      type: draft.raw.type,
      ...instanceOf(draft),
      ...(module === undefined ? {} : { module }),
      ...(command === undefined ? {} : { command }),
      params,
      inputs,
      outputs,
      after,
      ...(draft.engine === undefined ? {} : { engine: draft.engine }),
      execution: draft.execution,
      env: draft.env,
      facts: draft.definition.describe?.({ params, inputs: facts }) ?? {},
      spans: {
        name: draft.raw.nameSpan,
        type: draft.raw.typeSpan,
        params: draft.settings === undefined ? {} : spansByPath(draft.settings),
        inputs: Object.fromEntries([...draft.inputs].map(([port, { span }]) => [port, span])),
        ...(draft.engineSpan === undefined ? {} : { engine: draft.engineSpan }),
        ...(draft.engineSettingSpans === undefined ? {} : { engineSettings: draft.engineSettingSpans }),
      },
    });
  }
  return stages;
}

function instanceOf({ raw, instance }: StageDraft): { readonly instance?: MatrixInstance } {
  if (instance.values.size === 0) return {};
  return { instance: { of: raw.name, name: instance.suffix, values: valuesOf(instance.values) } };
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
