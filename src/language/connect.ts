/**
 * Inputs to outputs: every reference found, every port known, every kind fitting, nothing required left open. The stages
 * come in as drafts, each checked by itself; what another stage's mistake hides is not reported.
 *
 *   train     of a matrix: the instance with the reader's own values, so the reader needs its axes
 *   train@*   every instance
 */

import type { InputPort, OutputPort, StageDefinition } from "../contract.ts";
import { quote } from "../diagnostics/catalog.ts";
import { type DiagnosticNote, diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";
import { closestName } from "../diagnostics/suggest.ts";
import type { JsonObject } from "../json.ts";
import { type FannedStage, matchInstance, type StageInstance } from "./fan-out.ts";
import type { ParsedSource, StageReference } from "./input-source.ts";
import type { LocatedMap } from "./located.ts";
import type { EngineSetting, ExecutionSettings, InputSource, InstanceSource, ShellCommand } from "./pipeline.ts";
import type { RawStage } from "./pipeline-shape.ts";
import { badName, isPlainName } from "./plain-name.ts";

/** An instance of a stage between raw and whole. What its own mistakes made unknown is absent. */
export interface StageDraft {
  readonly raw: RawStage;
  readonly instance: StageInstance;
  readonly definition: StageDefinition;
  readonly module?: string;
  readonly command?: ShellCommand;
  readonly settings?: LocatedMap;
  readonly params?: JsonObject;
  readonly inputs: ReadonlyMap<string, DraftInput>;
  readonly outputs?: Readonly<Record<string, OutputPort>>;
  readonly after: readonly AfterReference[];
  readonly execution: ExecutionSettings;
  readonly env: Readonly<Record<string, string>>;
  readonly engine?: EngineSetting;
  readonly engineSpan?: Span;
  readonly engineSettingSpans?: Readonly<Record<string, Span>>;
}

export interface AfterReference {
  readonly stage: string;
  /** `stage@*`. */
  readonly every: boolean;
  readonly span: Span;
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
  /** Names of instances. */
  readonly after: readonly string[];
  /** The stage's connections have no problem. */
  readonly sound: boolean;
}

/** All stages, as one of them sees the others. */
export interface Surroundings {
  /** By instance name. */
  readonly drafts: ReadonlyMap<string, StageDraft>;
  /** By stage name: those that can be referred to. */
  readonly fanned: ReadonlyMap<string, FannedStage>;
  /** Names of stages that are in the file but came to nothing. */
  readonly broken: ReadonlySet<string>;
}

export function connectStage(draft: StageDraft, around: Surroundings, report: ReportDiagnostic): StageConnections {
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
    } else if (!isPlainName(name)) {
      problem(badName("an input", name, input.keySpan));
    } else {
      const source = connectInput(draft, name, input, port, around, problem);
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
  const after = draft.after.flatMap((reference) => {
    const { stage, every, span } = reference;
    const at = { text: every ? `${stage}@*` : stage, span, notes: [] };
    return (findInstances(draft, reference, at, around, problem) ?? []).map(({ name }) => name);
  });
  return { inputs, after: [...new Set(after)], sound };
}

/** Where a reference is, and as what it was written. */
interface ReferencePlace {
  readonly text: string;
  readonly span: Span;
  readonly notes: readonly DiagnosticNote[];
}

/** The instances that a reference means: all, or the one with the reader's values. Undefined after a problem. */
function findInstances(
  reader: StageDraft,
  { stage, every }: { readonly stage: string; readonly every: boolean },
  { text, span, notes }: ReferencePlace,
  { fanned, broken }: Surroundings,
  problem: ReportDiagnostic,
): readonly StageInstance[] | undefined {
  const target = fanned.get(stage);
  if (broken.has(stage)) return undefined;
  if (target === undefined) {
    problem(unknownStage(stage, [...fanned.keys()], span, notes));
    return undefined;
  }
  if (every && target.axes.length === 0) {
    const words = {
      text,
      problem: "has no instances: the stage has no matrix",
      help: `write ${quote(text.replace("@*", ""))}`,
    };
    problem(diagnose("language/bad-reference", words, span, notes));
    return undefined;
  }
  if (every) return target.instances;
  const found = matchInstance(target, reader.instance.values);
  if (found !== undefined) return [found];
  const { values } = reader.instance;
  const missing = target.axes.filter((axis) => !values.has(axis));
  const all = quote(text.replace(/^[^.]*/, `${stage}@*`));
  if (missing.length > 0) {
    const words = { reader: reader.raw.name, stage, axes: target.axes, missing, all };
    problem(diagnose("language/uncovered-matrix", words, span, notes));
  } else {
    const suffixes = target.instances.map(({ suffix }) => suffix);
    const own = target.axes.map((axis) => ({ message: "this value", span: values.get(axis)!.span }));
    const words = { reader: reader.raw.name, stage, suffixes, all };
    problem(diagnose("language/missing-instance", words, span, [...notes, ...own]));
  }
  return undefined;
}

function connectInput(
  reader: StageDraft,
  name: string,
  { source, span, notes }: DraftInput,
  port: InputPort,
  around: Surroundings,
  problem: ReportDiagnostic,
): InputSource | undefined {
  if (source === undefined) return undefined;
  const mismatch = (described: string, kind: string) => {
    const fitting = [...around.drafts.values()].flatMap(({ raw, outputs }) =>
      Object.entries(outputs ?? {}).flatMap(([output, { kind: made }]) =>
        takes(port, made) && raw.name !== reader.raw.name ? [`${raw.name}.${output}`] : [],
      ),
    );
    const words = {
      input: name,
      takes: takesWords(port),
      source: described,
      kind: withArticle(kind),
      fitting: [...new Set(fitting)],
    };
    problem(diagnose("language/kind-mismatch", words, span, notes));
  };
  if (source.from === "path") {
    if (takes(port, PATH_KIND)) return source;
    mismatch(quote(source.text), PATH_KIND);
    return undefined;
  }
  const instances = findInstances(reader, source, { text: source.text, span, notes }, around, problem);
  if (instances === undefined) return undefined;
  if (source.every && port.many !== true) {
    const words = { input: name, takes: takesWords(port), source: source.text };
    problem(diagnose("language/not-many", words, span, notes));
    return undefined;
  }
  const members: InstanceSource[] = [];
  for (const instance of instances) {
    const target = around.drafts.get(instance.name);
    const outputs = target?.outputs;
    if (target === undefined || outputs === undefined) return undefined;
    const output = findOutput(target, outputs, source, { span, notes }, problem);
    if (output === undefined) return undefined;
    const { kind } = outputs[output]!;
    if (!takes(port, kind)) {
      mismatch(quote(`${source.stage}${source.every ? "@*" : ""}.${output}`), kind);
      return undefined;
    }
    members.push({ name: instance.suffix, stage: instance.name, output });
  }
  if (source.every) return { from: "instances", text: source.text, members };
  const { stage, output } = members[0]!;
  return { from: "stage", stage, output };
}

function findOutput(
  target: StageDraft,
  outputs: Readonly<Record<string, OutputPort>>,
  { stage, output: named }: StageReference,
  { span, notes }: Pick<ReferencePlace, "span" | "notes">,
  problem: ReportDiagnostic,
): string | undefined {
  const known = Object.keys(outputs);
  const output = named ?? primaryOutput(outputs);
  if (output !== undefined && Object.hasOwn(outputs, output)) return output;
  if (output !== undefined) {
    const words = { stage, output, suggestion: closestName(output, known), known };
    const place = { message: "the stage is here", span: target.raw.nameSpan };
    problem(diagnose("language/unknown-output", words, span, [...notes, place]));
  } else if (known.length === 0) {
    const words = { text: stage, problem: "has no outputs", help: 'write "after" for order without data' };
    problem(diagnose("language/bad-reference", words, span, notes));
  } else problem(diagnose("language/ambiguous-output", { stage, known }, span, notes));
  return undefined;
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

function unknownStage(stage: string, known: readonly string[], span: Span, notes: readonly DiagnosticNote[]) {
  const words = { stage, suggestion: closestName(stage, known), known: known.slice(0, 20) };
  return diagnose("language/unknown-stage", words, span, notes);
}
