/** One stage by itself: its type found, variables resolved, settings and engine checked, inputs parsed, outputs known. */

import type { StageDefinition } from "../contract.ts";
import { quote } from "../diagnostics/catalog.ts";
import { type DiagnosticNote, diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import { closestName } from "../diagnostics/suggest.ts";
import type { JsonObject } from "../json.ts";
import { checkParams } from "./check-params.ts";
import { type DraftInput, portOf, type StageDraft } from "./connect.ts";
import { ENGINE_SCHEMA } from "./engine-schema.generated.ts";
import { parseInputSource } from "./input-source.ts";
import { isNull, type Located, type LocatedEntry, type LocatedMap, spansByPath } from "./located.ts";
import { mergeLocated, OVERRIDES_FILE } from "./merge.ts";
import type { EngineSetting, StageCatalogue } from "./pipeline.ts";
import { type RawStage, wrongType } from "./pipeline-shape.ts";
import type { Variables } from "./variables.ts";

export interface DraftContext {
  readonly catalogue: StageCatalogue;
  readonly variables: Variables;
  /** Where relative paths in the file start. */
  readonly folder: string;
  /** Where relative paths in `--param` values start. */
  readonly workingFolder: string;
  /** Of the whole pipeline. */
  readonly engine: LocatedEntry | undefined;
}

/** Undefined where the stage type is unknown. */
export function draftStage(raw: RawStage, context: DraftContext, report: ReportDiagnostic): StageDraft | undefined {
  const type = context.catalogue.get(raw.type);
  if (type === undefined) {
    const known = [...context.catalogue.keys()];
    report(
      diagnose(
        "language/unknown-stage-type",
        { type: raw.type, suggestion: closestName(raw.type, known), known },
        raw.typeSpan,
      ),
    );
    return undefined;
  }
  const { definition } = type;
  const settings = raw.settings === undefined ? undefined : context.variables.resolve(raw.settings.value);
  const settingsMap = settings?.kind === "map" ? settings : undefined;
  if (settings !== undefined && settingsMap === undefined && !isNull(settings))
    report(wrongType('"with"', "a map", settings));
  const isUnresolved =
    raw.settings !== undefined && settingsMap === undefined && !isNull(settings ?? raw.settings.value);
  const params = isUnresolved
    ? undefined
    : checkParams(
        {
          owner: `stage type ${quote(raw.type)}`,
          schema: type.schema,
          settings: settingsMap,
          ownerSpan: raw.settings?.keySpan ?? raw.nameSpan,
        },
        report,
      );
  const inputs = draftInputs(raw, context, report);
  const connected = [...inputs.keys()].filter((name) => portOf(definition, name) !== undefined);
  const outputs = outputsOf(definition, params, connected);
  return {
    raw,
    definition,
    inputs,
    after: draftAfter(raw, context, report),
    ...draftEngine(raw, definition, context, report),
    ...(settingsMap === undefined ? {} : { settings: settingsMap }),
    ...(params === undefined ? {} : { params }),
    ...(outputs === undefined ? {} : { outputs }),
  };
}

function outputsOf(definition: StageDefinition, params: JsonObject | undefined, connected: readonly string[]) {
  if (typeof definition.outputs !== "function") return definition.outputs;
  return params === undefined ? undefined : definition.outputs(params, connected);
}

function draftInputs(raw: RawStage, context: DraftContext, report: ReportDiagnostic): Map<string, DraftInput> {
  const inputs = new Map<string, DraftInput>();
  for (const [name, { keySpan, value }] of raw.inputs) {
    const resolved = context.variables.resolve(value);
    // `null`, or a param that is null, leaves the input unconnected.
    if (resolved !== undefined && isNull(resolved)) continue;
    const notes = (resolved?.usedAt ?? []).map((span): DiagnosticNote => ({ message: "used here", span }));
    const at = { keySpan, span: (resolved ?? value).span, notes };
    if (resolved === undefined) inputs.set(name, at);
    else if (resolved.kind !== "scalar" || typeof resolved.value !== "string") {
      report(wrongType(`the input ${quote(name)}`, '"stage.output" or a path', resolved));
      inputs.set(name, at);
    } else {
      const source = parseInputSource(
        resolved.value,
        resolved.span.file === OVERRIDES_FILE ? context.workingFolder : context.folder,
      );
      if (source === undefined) report(badReference(resolved.value, at));
      inputs.set(name, source === undefined ? at : { ...at, source });
    }
  }
  return inputs;
}

function badReference(text: string, { span, notes }: DraftInput) {
  const looksLikePath = /[/\\~]|\.[A-Za-z0-9]+\.[A-Za-z0-9]+$/.test(text);
  const help = looksLikePath ? `a path starts with ./ or ../ or /: write ${quote(`./${text}`)}` : undefined;
  return diagnose(
    "language/bad-reference",
    { text, problem: 'is neither "stage.output" nor a path', help },
    span,
    notes,
  );
}

function draftAfter(raw: RawStage, context: DraftContext, report: ReportDiagnostic): StageDraft["after"] {
  return raw.after.flatMap((node) => {
    const resolved = context.variables.resolve(node);
    if (resolved === undefined) return [];
    if (resolved.kind === "scalar" && typeof resolved.value === "string") {
      return [{ stage: resolved.value, span: resolved.span }];
    }
    report(wrongType('"after"', "a stage's name, or a list of them", resolved));
    return [];
  });
}

/** The pipeline's engine with the stage's laid over it. A bare name stands for `{ name }`. */
function draftEngine(
  raw: RawStage,
  definition: StageDefinition,
  context: DraftContext,
  report: ReportDiagnostic,
): Pick<StageDraft, "engine" | "engineSpan" | "engineSettingSpans"> {
  if (definition.computes !== true) {
    if (raw.engine !== undefined) {
      report(diagnose("language/unused-engine", { stage: raw.name, type: raw.type }, raw.engine.keySpan));
    }
    return {};
  }
  const own = engineMap(raw.engine, context, report);
  const common = engineMap(context.engine, context, () => undefined);
  if (own === "wrong" || common === "wrong") return {};
  const merged = own === undefined ? common : common === undefined ? own : (mergeLocated(common, own) as LocatedMap);
  const entry = raw.engine ?? context.engine;
  const subject = {
    owner: '"engine"',
    schema: ENGINE_SCHEMA,
    settings: merged,
    prefix: "engine",
    ownerSpan: entry?.keySpan ?? raw.nameSpan,
  };
  // Problems of the pipeline's own engine are reported once, by `checkEngine`.
  const engine = checkParams(subject, own === undefined ? () => undefined : report);
  const name = merged?.entries.get("name");
  const span = name?.value.span ?? entry?.keySpan;
  return {
    ...(engine === undefined ? {} : { engine: engine as unknown as EngineSetting }),
    ...(span === undefined ? {} : { engineSpan: span }),
    ...(merged === undefined ? {} : { engineSettingSpans: spansByPath(merged) }),
  };
}

/** Reports what is wrong with the engine of the whole pipeline. */
export function checkEngine(context: DraftContext, report: ReportDiagnostic): void {
  const map = engineMap(context.engine, context, report);
  if (map === undefined || map === "wrong" || context.engine === undefined) return;
  const subject = {
    owner: '"engine"',
    schema: ENGINE_SCHEMA,
    settings: map,
    prefix: "engine",
    ownerSpan: context.engine.keySpan,
  };
  checkParams(subject, report);
}

function engineMap(
  entry: LocatedEntry | undefined,
  context: DraftContext,
  report: ReportDiagnostic,
): LocatedMap | undefined | "wrong" {
  if (entry === undefined) return undefined;
  const node: Located | undefined = context.variables.resolve(entry.value);
  if (node?.kind === "map") return node;
  if (node === undefined) return "wrong";
  if (node.kind === "scalar" && typeof node.value === "string") {
    return { kind: "map", span: node.span, entries: new Map([["name", { keySpan: entry.keySpan, value: node }]]) };
  }
  report(wrongType('"engine"', "the name of an engine, or a map with name, threads, precision and convolution", node));
  return "wrong";
}
