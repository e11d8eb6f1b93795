/**
 * The outer shape of a file: which keys there are, and of what sort their values. Settings are not looked at here
 * (`check-params.ts` does, by the stage type's schema), references neither (`connect.ts`).
 */

import { didYouMean, quote } from "../diagnostics/catalog.ts";
import { diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";
import { closestName } from "../diagnostics/suggest.ts";
import { isJsonObject } from "../json.ts";
import { isNull, type Located, type LocatedEntry, type LocatedMap } from "./located.ts";
import { describeValue } from "./merge.ts";
import type { StageType } from "./pipeline.ts";
import { badName, isPlainName } from "./plain-name.ts";

export const PIPELINE_KEYS = ["name", "include", "params", "env", "matrix", "engine", "stages", "profiles"] as const;
export const PROFILE_KEYS = ["params", "env", "matrix", "engine", "stages"] as const;
/** How a stage is run, never what comes out of it. */
export const EXECUTION_KEYS = ["resources", "timeout", "retries", "cache", "frozen", "nondeterministic"] as const;
const COMMON_KEYS = ["after", "matrix", "env", ...EXECUTION_KEYS] as const;
/** Of a stage of a stage type, or of the user's own. */
export const USES_KEYS = ["uses", "inputs", "with", "engine", ...COMMON_KEYS] as const;
/** Of a shell stage. */
export const RUN_KEYS = ["run", "inputs", "outputs", "shell", "folder", "tools", ...COMMON_KEYS] as const;
export const STAGE_KEYS = [...new Set([...USES_KEYS, ...RUN_KEYS])];

const PIPELINE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const PIPELINE_NAME_RULE =
  "a pipeline's name starts with a letter or digit and goes on with letters, digits, ., _ and -";

/** A pipeline's parts, before references are resolved. */
export interface RawPipeline {
  readonly name: string;
  readonly params: LocatedMap;
  readonly engine?: LocatedEntry;
  readonly env?: LocatedEntry;
  readonly matrix?: LocatedEntry;
  readonly stages: readonly RawStage[];
  /** Of all stages in the file, also those that could not be read. */
  readonly stageNames: readonly string[];
}

export interface RawStage {
  readonly name: string;
  readonly nameSpan: Span;
  /** What it uses; `run` of a shell stage. */
  readonly type: string;
  readonly typeSpan: Span;
  readonly settings?: LocatedEntry;
  readonly inputs: ReadonlyMap<string, LocatedEntry>;
  readonly after: readonly Located[];
  readonly engine?: LocatedEntry;
  readonly matrix?: LocatedEntry;
  readonly env?: LocatedEntry;
  /** Those of `EXECUTION_KEYS` that are there. */
  readonly execution: ReadonlyMap<string, LocatedEntry>;
  readonly shell?: RawShell;
  /** The whole of it, with its keys. */
  readonly node: LocatedMap;
}

export interface RawShell {
  readonly run: LocatedEntry;
  readonly outputs: ReadonlyMap<string, LocatedEntry>;
  readonly shell?: LocatedEntry;
  readonly folder?: LocatedEntry;
  readonly tools?: LocatedEntry;
}

/** Finds a stage type, or a user's own stage, by what `uses` says there. */
export type FindStageType = (text: string, span: Span) => StageType | undefined;

/** The root as a map, with its keys and those of every profile (chosen or not) checked. */
export function checkOuterShape(root: Located, report: ReportDiagnostic): LocatedMap | undefined {
  if (root.kind !== "map") {
    report(wrongType("a pipeline", "a map with name and stages", root));
    return undefined;
  }
  checkKeys(root, "a pipeline", PIPELINE_KEYS, report);
  const profiles = mapOf(root, "profiles", report);
  for (const [name, { value }] of profiles?.entries ?? []) {
    const owner = `profile ${quote(name)}`;
    if (isNull(value)) continue;
    if (value.kind !== "map") report(wrongType(owner, "a map", value));
    else {
      checkKeys(value, owner, PROFILE_KEYS, report);
      mapOf(value, "params", report);
      const stages = mapOf(value, "stages", report);
      for (const [stage, entry] of stages?.entries ?? []) {
        if (entry.value.kind === "map") checkKeys(entry.value, `stage ${quote(stage)}`, STAGE_KEYS, report);
        else if (!isNull(entry.value)) report(wrongType(`stage ${quote(stage)}`, "a map", entry.value));
      }
    }
  }
  return root;
}

/** The merged root's parts. Stages with a problem of shape are left out. */
export function readPipeline(root: LocatedMap, findType: FindStageType, report: ReportDiagnostic): RawPipeline {
  const stages = root.entries.get("stages")?.value;
  return {
    name: readName(root, report),
    params: mapOf(root, "params", report) ?? { kind: "map", span: root.span, entries: new Map() },
    stages: readStages(root, findType, report),
    stageNames: stages?.kind === "map" ? [...stages.entries.keys()] : [],
    ...entriesThatAre(root, ["engine", "env", "matrix"]),
  };
}

function readName(root: LocatedMap, report: ReportDiagnostic): string {
  const entry = root.entries.get("name");
  if (entry === undefined || isNull(entry.value)) {
    const description = "what the pipeline is called, and the folder of its results under artifacts/";
    report(
      diagnose(
        "language/missing-key",
        { owner: "a pipeline", key: "name", description },
        entry?.keySpan ?? startOf(root),
      ),
    );
    return "";
  }
  const { value } = entry;
  if (value.kind !== "scalar" || typeof value.value !== "string") {
    report(wrongType('"name"', "text", value));
    return "";
  }
  if (!PIPELINE_NAME.test(value.value)) {
    const words = { what: "a pipeline's name", name: value.value, rule: PIPELINE_NAME_RULE };
    report(diagnose("language/bad-name", words, value.span));
  }
  return value.value;
}

function readStages(root: LocatedMap, findType: FindStageType, report: ReportDiagnostic): RawStage[] {
  const entry = root.entries.get("stages");
  const map = mapOf(root, "stages", report);
  if (map === undefined || map.entries.size === 0) {
    const description = "the pipeline's stages by name, each with the stage type it uses, or the command it runs";
    if (entry === undefined || isNull(entry.value) || map !== undefined) {
      report(
        diagnose(
          "language/missing-key",
          { owner: "a pipeline", key: "stages", description },
          entry?.keySpan ?? startOf(root),
        ),
      );
    }
    return [];
  }
  const stages: RawStage[] = [];
  const seen = new Map<string, { readonly name: string; readonly span: Span }>();
  for (const [name, stage] of map.entries) {
    if (!isPlainName(name)) report(badName("a stage", name, stage.keySpan));
    // Results lie in folders by stage name, and some file systems do not tell cases apart.
    const other = seen.get(name.toLowerCase());
    if (other !== undefined) {
      const rule =
        "two stages' names must differ in more than capital letters: their results lie in folders of that name";
      const notes = [{ message: `${quote(other.name)} is here`, span: other.span }];
      report(
        diagnose(
          "language/bad-name",
          { what: `a stage's name beside ${quote(other.name)}`, name, rule },
          stage.keySpan,
          notes,
        ),
      );
    }
    seen.set(name.toLowerCase(), { name, span: stage.keySpan });
    const read = readStage(name, stage, findType, report);
    if (read !== undefined) stages.push(read);
  }
  return stages;
}

function readStage(
  name: string,
  { keySpan, value }: LocatedEntry,
  findType: FindStageType,
  report: ReportDiagnostic,
): RawStage | undefined {
  const owner = `stage ${quote(name)}`;
  if (!isNull(value) && value.kind !== "map") {
    report(wrongType(owner, "a map", value));
    return undefined;
  }
  const map: LocatedMap = value.kind === "map" ? value : { kind: "map", span: keySpan, entries: new Map() };
  const { uses, run } = entriesThatAre(map, ["uses", "run"]);
  if (run !== undefined && uses !== undefined) {
    const words = { owner, first: "uses", second: "run", help: "a stage has a stage type or a command: remove one" };
    const notes = [{ message: '"uses" is here', span: uses.keySpan }];
    report(diagnose("language/conflicting-keys", words, run.keySpan, notes));
    return undefined;
  }
  const isShell = run !== undefined;
  checkKeys(map, owner, isShell ? RUN_KEYS : USES_KEYS, report, isShell ? [] : settingsOf(uses, findType), isShell);
  const inputs = mapOf(map, "inputs", report)?.entries ?? new Map<string, LocatedEntry>();
  const common = {
    name,
    nameSpan: keySpan,
    inputs,
    after: readAfter(map.entries.get("after")?.value),
    execution: new Map(Object.entries(entriesThatAre(map, EXECUTION_KEYS))),
    ...entriesThatAre(map, ["matrix", "env"]),
    node: map,
  };
  if (isShell) {
    const outputs = mapOf(map, "outputs", report)?.entries ?? new Map<string, LocatedEntry>();
    const shell = { run, outputs, ...entriesThatAre(map, ["shell", "folder", "tools"]) };
    return { ...common, type: SHELL_TYPE, typeSpan: run.value.span, shell };
  }
  const settings = map.entries.get("with");
  // A whole-value reference may stand for the settings; what it stands for is checked when it is resolved.
  const isReference = settings?.value.kind === "scalar" && /^\$\{/.test(String(settings.value.value));
  if (!isReference) mapOf(map, "with", report);
  if (uses === undefined) {
    const description = 'the stage type that does the work; or "run", a command';
    report(
      diagnose(
        "language/missing-key",
        { owner, key: "uses", description },
        map.entries.get("uses")?.keySpan ?? keySpan,
      ),
    );
    return undefined;
  }
  if (uses.value.kind !== "scalar" || typeof uses.value.value !== "string") {
    report(wrongType('"uses"', "the name of a stage type", uses.value));
    return undefined;
  }
  return {
    ...common,
    type: uses.value.value,
    typeSpan: uses.value.span,
    ...(settings !== undefined && (settings.value.kind === "map" || isReference) ? { settings } : {}),
    ...entriesThatAre(map, ["engine"]),
  };
}

/** The name that shell stages have where others have a stage type's. */
export const SHELL_TYPE = "run";

/** Those of the keys that are there, and not null. */
function entriesThatAre<Key extends string>(map: LocatedMap, keys: readonly Key[]): Partial<Record<Key, LocatedEntry>> {
  const found: Partial<Record<Key, LocatedEntry>> = {};
  for (const key of keys) {
    const entry = map.entries.get(key);
    if (entry !== undefined && !isNull(entry.value)) found[key] = entry;
  }
  return found;
}

function readAfter(node: Located | undefined): readonly Located[] {
  if (node === undefined || isNull(node)) return [];
  return node.kind === "list" ? node.items : [node];
}

export function mapOf(owner: LocatedMap, key: string, report: ReportDiagnostic): LocatedMap | undefined {
  const value = owner.entries.get(key)?.value;
  if (value === undefined || isNull(value)) return undefined;
  if (value.kind === "map") return value;
  report(wrongType(quote(key), "a map", value));
  return undefined;
}

function checkKeys(
  map: LocatedMap,
  owner: string,
  known: readonly string[],
  report: ReportDiagnostic,
  settings: readonly string[] = [],
  isShell = false,
): void {
  for (const [key, { keySpan }] of map.entries) {
    if (known.includes(key)) continue;
    const close = settings.includes(key) ? undefined : closestName(key, known);
    const setting = settings.includes(key) ? key : closestName(key, settings);
    const suggestion =
      MISPLACED[isShell ? "run" : "uses"][key] ??
      (close !== undefined ? didYouMean(close) : setting && `did you mean ${quote(setting)} under "with"?`);
    report(diagnose("language/unknown-key", { owner, word: "key", key, suggestion, known }, keySpan));
  }
}

/** What to do with a key that only the other sort of stage has. */
const MISPLACED: Readonly<Record<"uses" | "run", Readonly<Record<string, string | undefined>>>> = {
  run: {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is the pipeline language's own notation.
    with: 'a shell stage has no settings: write "${params.name}" in its command',
    engine: "a shell stage does not compute on an engine",
  },
  uses: {
    outputs: 'a stage type has the outputs it has; only a stage with "run" names its own',
    shell: 'only a stage with "run" has a shell',
    folder: 'only a stage with "run" has a folder to run in',
    tools: 'only a stage with "run" has tools: a stage type\'s code is found by itself',
  },
};

/** What the stage's type can be set to, for those who forget `with`. */
function settingsOf(uses: LocatedEntry | undefined, findType: FindStageType): readonly string[] {
  const type = uses?.value;
  const schema = type?.kind === "scalar" ? findType(String(type.value), type.span)?.schema : undefined;
  return isJsonObject(schema?.properties) ? Object.keys(schema.properties) : [];
}

export const wrongType = (name: string, expected: string, node: Located) =>
  diagnose("language/wrong-type", { name, expected, actual: describeValue(node) }, node.span);

/** A whole file has no key of its own: its first character stands for it. */
const startOf = (root: LocatedMap): Span => ({ ...root.span, end: root.span.start + 1 });
