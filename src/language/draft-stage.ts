/**
 * One instance of a stage by itself: its type found, variables resolved, settings, engine, command and the rest checked,
 * inputs parsed, outputs known.
 */
import type { OutputPort, StageDefinition } from "../contract.ts";
import { quote } from "../diagnostics/catalog.ts";
import { type DiagnosticNote, diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import { closestName } from "../diagnostics/suggest.ts";
import type { JsonObject } from "../json.ts";
import { checkParams } from "./check-params.ts";
import { type DraftInput, PATH_KIND, portOf, type StageDraft } from "./connect.ts";
import type { DraftContext } from "./draft-context.ts";
import { ENGINE_SCHEMA } from "./engine-schema.generated.ts";
import type { Environment } from "./environment.ts";
import { readExecution } from "./execution-settings.ts";
import type { StageInstance } from "./fan-out.ts";
import { PATH, parseInputSource, parseStageReference, resolvePath } from "./input-source.ts";
import { isNull, type Located, type LocatedEntry, type LocatedMap, spansByPath } from "./located.ts";
import { mergeLocated } from "./merge.ts";
import type { EngineSetting, StageType } from "./pipeline.ts";
import { type RawStage, SHELL_TYPE, wrongType } from "./pipeline-shape.ts";
import { readCommand } from "./shell-command.ts";
import type { Resolve } from "./variables.ts";

/** Undefined where the stage type is unknown. */
export function draftStage(
  raw: RawStage,
  instance: StageInstance,
  context: DraftContext,
  report: ReportDiagnostic,
): StageDraft | undefined {
  const owner = `stage ${quote(raw.name)}`;
  const common = {
    raw,
    instance,
    inputs: draftInputs(raw, context, report),
    after: draftAfter(raw, context, report),
    execution: readExecution(owner, raw.nameSpan, raw.execution, context.resolve, report),
  };
  if (raw.shell !== undefined) {
    const command = readCommand({ ...raw, shell: raw.shell }, [...common.inputs.keys()], context, report);
    return {
      ...common,
      definition: SHELL_DEFINITION,
      env: valuesOf(context.environment),
      params: {},
      outputs: shellOutputs(raw),
      ...(command === undefined ? {} : { command }),
    };
  }
  const type = findOrReport(raw, context, report);
  if (type === undefined) return undefined;
  const { definition } = type;
  const { settings, params } = draftSettings(raw, type, context, report);
  const connected = [...common.inputs.keys()].filter((name) => portOf(definition, name) !== undefined);
  const outputs = outputsOf(definition, params, connected);
  return {
    ...common,
    definition,
    // The built-in stage types read nothing of their surroundings.
    env: type.module === undefined ? {} : valuesOf(context.environment),
    ...(type.module === undefined ? {} : { module: type.module }),
    ...draftEngine(raw, definition, context, report),
    ...(settings === undefined ? {} : { settings }),
    ...(params === undefined ? {} : { params }),
    ...(outputs === undefined ? {} : { outputs }),
  };
}

/** A command takes whatever it is given. */
const SHELL_DEFINITION: StageDefinition = {
  type: SHELL_TYPE,
  description: "Runs a command.",
  inputs: { "*": { kind: "any", optional: true, many: true, description: "What the command reads." } },
  outputs: {},
  run: async () => {
    throw new Error("a shell stage has no code of its own");
  },
};

/** What a command writes is a file or folder like those of the user's, so what takes a path takes it. */
const shellOutputs = ({ shell }: RawStage): Readonly<Record<string, OutputPort>> =>
  Object.fromEntries(
    [...shell!.outputs.keys()].map((name) => [name, { kind: PATH_KIND, description: "Written by the command." }]),
  );

/** Those that are set: the others were reported. */
function valuesOf(environment: Environment): Readonly<Record<string, string>> {
  return Object.fromEntries([...environment].flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

function findOrReport(raw: RawStage, context: DraftContext, report: ReportDiagnostic): StageType | undefined {
  const type = context.findType(raw.type, raw.typeSpan);
  if (type !== undefined) return type;
  if (PATH.test(raw.type)) {
    const path = resolvePath(raw.type, context.folderOf(raw.typeSpan));
    const { place, ...words } = context.stageProblems.get(path) ?? { problem: "was not loaded" };
    const notes = place === undefined ? [] : [{ message: "it is here", span: place.span }];
    report(
      context.exists?.(path) === false
        ? diagnose("language/missing-path", { text: raw.type, path }, raw.typeSpan)
        : diagnose("language/bad-module", { text: raw.type, ...words }, raw.typeSpan, notes),
    );
    return undefined;
  }
  const known = [...context.catalogue].flatMap(([name, { module }]) => (module === undefined ? [name] : []));
  const isFile = /\.[cm]?[jt]s$/.test(raw.type);
  const words = { type: raw.type, suggestion: closestName(raw.type, known), known };
  report(
    isFile
      ? diagnose(
          "language/bad-reference",
          {
            text: raw.type,
            problem: "is not a stage type",
            help: `a stage of your own is a path: write ${quote(`./${raw.type}`)}`,
          },
          raw.typeSpan,
        )
      : diagnose("language/unknown-stage-type", words, raw.typeSpan),
  );
  return undefined;
}

function draftSettings(raw: RawStage, type: StageType, context: DraftContext, report: ReportDiagnostic) {
  const settings = raw.settings === undefined ? undefined : context.resolve(raw.settings.value);
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
  return { settings: settingsMap, params };
}

function outputsOf(definition: StageDefinition, params: JsonObject | undefined, connected: readonly string[]) {
  if (typeof definition.outputs !== "function") return definition.outputs;
  return params === undefined ? undefined : definition.outputs(params, connected);
}

function draftInputs(raw: RawStage, context: DraftContext, report: ReportDiagnostic): Map<string, DraftInput> {
  const inputs = new Map<string, DraftInput>();
  for (const [name, { keySpan, value }] of raw.inputs) {
    const resolved = context.resolve(value);
    // `null`, or a param that is null, leaves the input unconnected.
    if (resolved !== undefined && isNull(resolved)) continue;
    const notes = (resolved?.usedAt ?? []).map((span): DiagnosticNote => ({ message: "used here", span }));
    const at = { keySpan, span: (resolved ?? value).span, notes };
    if (resolved === undefined) inputs.set(name, at);
    else if (resolved.kind !== "scalar" || typeof resolved.value !== "string") {
      report(wrongType(`the input ${quote(name)}`, '"stage.output" or a path', resolved));
      inputs.set(name, at);
    } else {
      const source = parseInputSource(resolved.value, context.folderOf(resolved.span));
      if (source === undefined) report(badReference(resolved.value, at));
      inputs.set(name, source === undefined ? at : { ...at, source });
    }
  }
  return inputs;
}

function badReference(text: string, { span, notes }: DraftInput) {
  const looksLikePath = /[/\\~]|\.[A-Za-z0-9]+\.[A-Za-z0-9]+$/.test(text);
  const help =
    instanceHelp(text) ??
    (looksLikePath ? `a path starts with ./ or ../ or /: write ${quote(`./${text}`)}` : undefined);
  return diagnose(
    "language/bad-reference",
    { text, problem: 'is neither "stage.output" nor a path', help },
    span,
    notes,
  );
}

/** For those who name one instance. */
function instanceHelp(text: string): string | undefined {
  const stage = /^([A-Za-z][A-Za-z0-9_-]*)@/.exec(text)?.[1];
  return stage && `every instance is ${quote(`${stage}@*`)}; the one with the same values is ${quote(stage)}`;
}

function draftAfter(raw: RawStage, context: DraftContext, report: ReportDiagnostic): StageDraft["after"] {
  return raw.after.flatMap((node) => {
    const resolved = context.resolve(node);
    if (resolved === undefined || isNull(resolved)) return [];
    if (resolved.kind !== "scalar" || typeof resolved.value !== "string") {
      report(wrongType('"after"', "a stage's name, or a list of them", resolved));
      return [];
    }
    const { value: text, span } = resolved;
    const reference = parseStageReference(text);
    if (reference !== undefined && reference.output === undefined)
      return [{ stage: reference.stage, every: reference.every, span }];
    const help = reference === undefined ? instanceHelp(text) : `write ${quote(text.replace(/\.[^.]*$/, ""))}`;
    report(diagnose("language/bad-reference", { text, problem: "is not the name of a stage", help }, span));
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
  const own = engineMap(raw.engine, context.resolve, report);
  const common = engineMap(context.engine, context.resolveOutside, () => undefined);
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
export function checkEngine(entry: LocatedEntry | undefined, resolve: Resolve, report: ReportDiagnostic): void {
  const map = engineMap(entry, resolve, report);
  if (map === undefined || map === "wrong" || entry === undefined) return;
  const subject = {
    owner: '"engine"',
    schema: ENGINE_SCHEMA,
    settings: map,
    prefix: "engine",
    ownerSpan: entry.keySpan,
  };
  checkParams(subject, report);
}

function engineMap(
  entry: LocatedEntry | undefined,
  resolve: Resolve,
  report: ReportDiagnostic,
): LocatedMap | undefined | "wrong" {
  if (entry === undefined) return undefined;
  const node: Located | undefined = resolve(entry.value);
  if (node?.kind === "map") return node;
  if (node === undefined) return "wrong";
  if (node.kind === "scalar" && typeof node.value === "string") {
    return { kind: "map", span: node.span, entries: new Map([["name", { keySpan: entry.keySpan, value: node }]]) };
  }
  report(wrongType('"engine"', "the name of an engine, or a map with name, threads, precision and convolution", node));
  return "wrong";
}
