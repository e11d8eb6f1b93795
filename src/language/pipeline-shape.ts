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
import type { StageCatalogue } from "./pipeline.ts";

export const PIPELINE_KEYS = ["name", "params", "stages", "profiles", "engine"] as const;
export const PROFILE_KEYS = ["params", "stages", "engine"] as const;
export const STAGE_KEYS = ["uses", "inputs", "after", "with", "engine"] as const;

const STAGE_NAME = /^[A-Za-z][A-Za-z0-9_-]*$/;
const STAGE_NAME_RULE = "a stage's name starts with a letter and goes on with letters, digits, _ and -";
const PIPELINE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const PIPELINE_NAME_RULE =
  "a pipeline's name starts with a letter or digit and goes on with letters, digits, ., _ and -";

/** A pipeline's parts, before references are resolved. */
export interface RawPipeline {
  readonly name: string;
  readonly params: LocatedMap;
  readonly engine?: LocatedEntry;
  readonly stages: readonly RawStage[];
  /** Of all stages in the file, also those that could not be read. */
  readonly stageNames: readonly string[];
}

export interface RawStage {
  readonly name: string;
  readonly nameSpan: Span;
  readonly type: string;
  readonly typeSpan: Span;
  readonly settings?: LocatedEntry;
  readonly inputs: ReadonlyMap<string, LocatedEntry>;
  readonly after: readonly Located[];
  readonly engine?: LocatedEntry;
}

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
export function readPipeline(root: LocatedMap, catalogue: StageCatalogue, report: ReportDiagnostic): RawPipeline {
  const engine = root.entries.get("engine");
  const stages = root.entries.get("stages")?.value;
  return {
    name: readName(root, report),
    params: mapOf(root, "params", report) ?? { kind: "map", span: root.span, entries: new Map() },
    stages: readStages(root, catalogue, report),
    stageNames: stages?.kind === "map" ? [...stages.entries.keys()] : [],
    ...(engine === undefined || isNull(engine.value) ? {} : { engine }),
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

function readStages(root: LocatedMap, catalogue: StageCatalogue, report: ReportDiagnostic): RawStage[] {
  const entry = root.entries.get("stages");
  const map = mapOf(root, "stages", report);
  if (map === undefined || map.entries.size === 0) {
    const description = "the pipeline's stages by name, each with the stage type it uses";
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
    if (!STAGE_NAME.test(name)) {
      report(diagnose("language/bad-name", { what: "a stage's name", name, rule: STAGE_NAME_RULE }, stage.keySpan));
    }
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
    const read = readStage(name, stage, catalogue, report);
    if (read !== undefined) stages.push(read);
  }
  return stages;
}

function readStage(
  name: string,
  { keySpan, value }: LocatedEntry,
  catalogue: StageCatalogue,
  report: ReportDiagnostic,
): RawStage | undefined {
  const owner = `stage ${quote(name)}`;
  if (!isNull(value) && value.kind !== "map") {
    report(wrongType(owner, "a map", value));
    return undefined;
  }
  const map: LocatedMap = value.kind === "map" ? value : { kind: "map", span: keySpan, entries: new Map() };
  checkKeys(map, owner, STAGE_KEYS, report, settingsOf(map, catalogue));
  const settings = map.entries.get("with");
  // A whole-value reference may stand for the settings; what it stands for is checked when it is resolved.
  const isReference = settings?.value.kind === "scalar" && /^\$\{/.test(String(settings.value.value));
  const engine = map.entries.get("engine");
  const inputs = mapOf(map, "inputs", report)?.entries ?? new Map<string, LocatedEntry>();
  if (!isReference) mapOf(map, "with", report);
  const uses = map.entries.get("uses");
  if (uses === undefined || isNull(uses.value)) {
    report(
      diagnose(
        "language/missing-key",
        { owner, key: "uses", description: "the stage type that does the work" },
        uses?.keySpan ?? keySpan,
      ),
    );
    return undefined;
  }
  if (uses.value.kind !== "scalar" || typeof uses.value.value !== "string") {
    report(wrongType('"uses"', "the name of a stage type", uses.value));
    return undefined;
  }
  return {
    name,
    nameSpan: keySpan,
    type: uses.value.value,
    typeSpan: uses.value.span,
    inputs,
    after: readAfter(map.entries.get("after")?.value),
    ...(settings !== undefined && (settings.value.kind === "map" || isReference) ? { settings } : {}),
    ...(engine === undefined || isNull(engine.value) ? {} : { engine }),
  };
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
): void {
  for (const [key, { keySpan }] of map.entries) {
    if (known.includes(key)) continue;
    const close = settings.includes(key) ? undefined : closestName(key, known);
    const setting = settings.includes(key) ? key : closestName(key, settings);
    const suggestion =
      close !== undefined ? didYouMean(close) : setting && `did you mean ${quote(setting)} under "with"?`;
    report(diagnose("language/unknown-key", { owner, word: "key", key, suggestion, known }, keySpan));
  }
}

/** What the stage's type can be set to, for those who forget `with`. */
function settingsOf(stage: LocatedMap, catalogue: StageCatalogue): readonly string[] {
  const type = stage.entries.get("uses")?.value;
  const schema = type?.kind === "scalar" ? catalogue.get(String(type.value))?.schema : undefined;
  return isJsonObject(schema?.properties) ? Object.keys(schema.properties) : [];
}

export const wrongType = (name: string, expected: string, node: Located) =>
  diagnose("language/wrong-type", { name, expected, actual: describeValue(node) }, node.span);

/** A whole file has no key of its own: its first character stands for it. */
const startOf = (root: LocatedMap): Span => ({ ...root.span, end: root.span.start + 1 });
