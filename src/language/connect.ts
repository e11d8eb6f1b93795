/**
 * Inputs to outputs: every reference found, every port known, every kind fitting, nothing required left open. The stages
 * come in as drafts, each checked by itself; what another stage's mistake hides is not reported.
 */
import type { InputPort, OutputPort, StageDefinition } from "../contract.ts";
import { quote } from "../diagnostics/catalog.ts";
import { type DiagnosticNote, diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";
import { closestName } from "../diagnostics/suggest.ts";
import type { JsonObject } from "../json.ts";
import type { ParsedSource } from "./input-source.ts";
import type { LocatedMap } from "./located.ts";
import type { EngineSetting, InputSource } from "./pipeline.ts";
import type { RawStage } from "./pipeline-shape.ts";

/** A stage between raw and whole. What its own mistakes made unknown is absent. */
export interface StageDraft {
  readonly raw: RawStage;
  readonly definition: StageDefinition;
  readonly settings?: LocatedMap;
  readonly params?: JsonObject;
  readonly inputs: ReadonlyMap<string, DraftInput>;
  readonly outputs?: Readonly<Record<string, OutputPort>>;
  readonly after: readonly { readonly stage: string; readonly span: Span }[];
  readonly engine?: EngineSetting;
  readonly engineSpan?: Span;
  readonly engineSettingSpans?: Readonly<Record<string, Span>>;
}

export interface DraftInput {
  /** Absent where the text says nothing that could be followed. */
  readonly source?: ParsedSource;
  readonly keySpan: Span;
  readonly span: Span;
  readonly notes: readonly DiagnosticNote[];
}

export interface StageConnections {
  readonly inputs: Readonly<Record<string, InputSource>>;
  /** The stage's connections have no problem. */
  readonly sound: boolean;
}

/** `broken` are names of stages that are in the file but came to nothing. */
export function connectStage(
  draft: StageDraft,
  drafts: ReadonlyMap<string, StageDraft>,
  broken: ReadonlySet<string>,
  report: ReportDiagnostic,
): StageConnections {
  let sound = true;
  const problem: ReportDiagnostic = (diagnostic) => {
    sound = false;
    report(diagnostic);
  };
  const { raw, definition } = draft;
  const inputs: Record<string, InputSource> = {};
  const listed = Object.keys(definition.inputs).filter((name) => name !== "*");
  for (const [name, input] of draft.inputs) {
    const port = portOf(definition, name);
    if (port === undefined) {
      const words = {
        stage: raw.name,
        type: raw.type,
        input: name,
        suggestion: closestName(name, listed),
        known: listed,
      };
      problem(diagnose("language/unknown-input", words, input.keySpan));
    } else if (!INPUT_NAME.test(name)) {
      const rule = "an input's name starts with a letter and goes on with letters, digits, _ and -";
      problem(diagnose("language/bad-name", { what: "an input's name", name, rule }, input.keySpan));
    } else {
      const source = connectInput(raw.name, name, input, port, drafts, broken, problem);
      if (source === undefined) sound = false;
      else inputs[name] = source;
    }
  }
  for (const [name, port] of Object.entries(definition.inputs)) {
    const isThere = name === "*" ? draft.inputs.size > 0 : draft.inputs.has(name);
    if (port.optional === true || isThere) continue;
    const words = {
      stage: raw.name,
      type: raw.type,
      input: name,
      takes: takesWords(port),
      description: port.description,
    };
    problem(diagnose("language/missing-input", words, raw.nameSpan));
  }
  for (const { stage, span } of draft.after) {
    if (!drafts.has(stage) && !broken.has(stage)) problem(unknownStage(stage, drafts, span, []));
  }
  return { inputs, sound };
}

const INPUT_NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;

function connectInput(
  self: string,
  name: string,
  { source, span, notes }: DraftInput,
  port: InputPort,
  drafts: ReadonlyMap<string, StageDraft>,
  broken: ReadonlySet<string>,
  problem: ReportDiagnostic,
): InputSource | undefined {
  if (source === undefined) return undefined;
  const mismatch = (described: string, kind: string) => {
    const fitting = [...drafts].flatMap(([stage, { outputs }]) =>
      Object.entries(outputs ?? {}).flatMap(([output, { kind: made }]) =>
        takes(port, made) && stage !== self ? [`${stage}.${output}`] : [],
      ),
    );
    const words = { input: name, takes: takesWords(port), source: described, kind: withArticle(kind), fitting };
    problem(diagnose("language/kind-mismatch", words, span, notes));
    return undefined;
  };
  if (source.from === "path") return takes(port, PATH_KIND) ? source : mismatch(quote(source.text), PATH_KIND);
  const target = drafts.get(source.stage);
  if (target === undefined) {
    if (!broken.has(source.stage)) problem(unknownStage(source.stage, drafts, span, notes));
    return undefined;
  }
  if (target.outputs === undefined) return undefined;
  const known = Object.keys(target.outputs);
  const output = source.output ?? primaryOutput(target.outputs);
  if (output === undefined) {
    problem(diagnose("language/ambiguous-output", { stage: source.stage, known }, span, notes));
    return undefined;
  }
  if (!Object.hasOwn(target.outputs, output)) {
    const words = { stage: source.stage, output, suggestion: closestName(output, known), known };
    problem(
      diagnose("language/unknown-output", words, span, [
        ...notes,
        { message: "the stage is here", span: target.raw.nameSpan },
      ]),
    );
    return undefined;
  }
  const { kind } = target.outputs[output]!;
  if (!takes(port, kind)) return mismatch(quote(`${source.stage}.${output}`), kind);
  return { from: "stage", stage: source.stage, output };
}

/** A path is of this kind; a port takes it by that name, or by `any`. */
export const PATH_KIND = "path";

export function portOf(definition: StageDefinition, name: string): InputPort | undefined {
  if (name !== "*" && Object.hasOwn(definition.inputs, name)) return definition.inputs[name];
  return Object.hasOwn(definition.inputs, "*") ? definition.inputs["*"] : undefined;
}

const kindsOf = (port: InputPort): readonly string[] => (typeof port.kind === "string" ? [port.kind] : port.kind);

const takes = (port: InputPort, kind: string): boolean => kindsOf(port).some((one) => one === "any" || one === kind);

function takesWords(port: InputPort): string {
  const kinds = kindsOf(port);
  return kinds.includes("any") ? "any output or path" : kinds.map(withArticle).join(" or ");
}

const withArticle = (kind: string): string =>
  /s$/.test(kind) ? kind : `${/^[aeiou]/.test(kind) ? "an" : "a"} ${kind}`;

function primaryOutput(outputs: Readonly<Record<string, OutputPort>>): string | undefined {
  const names = Object.keys(outputs);
  return names.length === 1 ? names[0] : names.find((name) => outputs[name]!.primary === true);
}

function unknownStage(
  stage: string,
  drafts: ReadonlyMap<string, StageDraft>,
  span: Span,
  notes: readonly DiagnosticNote[],
) {
  const known = [...drafts.keys()];
  return diagnose(
    "language/unknown-stage",
    { stage, suggestion: closestName(stage, known), known: known.slice(0, 20) },
    span,
    notes,
  );
}
