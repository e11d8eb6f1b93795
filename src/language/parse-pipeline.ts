/**
 * The first half of the language, which needs no stage types: the file and what it includes, profiles and `--param`
 * laid over, and which modules of the user's it will need. What they are is loaded then, and `checkPipeline` goes on.
 */
import type { Diagnostic, ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";
import { PATH, resolvePath } from "./input-source.ts";
import { isNull, type LocatedEntry, type LocatedMap } from "./located.ts";
import { applyOverrides, mergeLocated, selectProfiles } from "./merge.ts";
import { mapOf } from "./pipeline-shape.ts";
import { OVERRIDES_FILE, PROFILES_FILE, VALUE_FILES } from "./pseudo-files.ts";
import { type PipelineSource, readSourceFiles } from "./source-files.ts";
import { readSweep, type Sweep } from "./sweep.ts";
import { type SweepWords, sweepTexts } from "./sweep-words.ts";

export interface ParseOptions {
  readonly profiles: readonly string[];
  /** `a.b=value`, as given to `--param`. */
  readonly overrides: readonly string[];
  /** Where relative paths in `--param` values start: the user's working folder. Left out: the file's folder. */
  readonly workingFolder?: string;
  /** Params to vary. */
  readonly sweep?: SweepWords;
  /** The text of an absolute path, for `include:`. Left out: no file can be included. */
  readonly readText?: (path: string) => string | undefined;
}

export interface ParsedPipeline {
  readonly source: PipelineSource;
  /** With profiles and `--param` values laid over. Undefined after a problem that leaves nothing to go on with. */
  readonly root?: LocatedMap;
  readonly sweep?: Sweep;
  readonly availableProfiles: readonly string[];
  readonly profiles: readonly string[];
  readonly diagnostics: readonly Diagnostic[];
  /** What spans point into. */
  readonly texts: ReadonlyMap<string, string>;
  /** Absolute paths of the included files. */
  readonly includes: readonly string[];
  /** Where a relative path that was written there starts. */
  folderOf(span: Span): string;
}

/** A `uses: ./my-stage.ts`. */
export interface UserStageUse {
  /** Absolute: its name in the catalogue. */
  readonly path: string;
  readonly text: string;
  readonly span: Span;
}

export function parsePipeline(source: PipelineSource, options: ParseOptions): ParsedPipeline {
  const diagnostics: Diagnostic[] = [];
  const report: ReportDiagnostic = (diagnostic) => diagnostics.push(diagnostic);
  const files = readSourceFiles(source, options.readText ?? (() => undefined), report);
  const { root: outer, folders, includes } = files;
  const root = outer === undefined ? undefined : layOver(outer, options, report);
  const profiles = outer === undefined ? undefined : mapOf(outer, "profiles", () => undefined);
  const params = root === undefined ? undefined : mapOf(root, "params", () => undefined);
  const sweep = options.sweep && params && readSweep(options.sweep, params, report);
  return {
    source,
    availableProfiles: [...(profiles?.entries.keys() ?? [])],
    profiles: options.profiles,
    diagnostics,
    texts: new Map([
      ...files.texts,
      [PROFILES_FILE, options.profiles.join("\n")],
      [OVERRIDES_FILE, options.overrides.join("\n")],
      ...sweepTexts(options.sweep),
    ]),
    includes,
    folderOf: ({ file }) =>
      VALUE_FILES.includes(file) ? (options.workingFolder ?? source.folder) : (folders.get(file) ?? source.folder),
    ...(root === undefined ? {} : { root }),
    ...(sweep === undefined ? {} : { sweep }),
  };
}

/** The user's own stages that the pipeline uses, each use once, in file order. */
export function findUserStages({ root, folderOf }: ParsedPipeline): readonly UserStageUse[] {
  const stages = root === undefined ? undefined : mapOf(root, "stages", () => undefined);
  return [...(stages?.entries.values() ?? [])].flatMap(({ value: stage }) => {
    const uses = stage.kind === "map" ? stage.entries.get("uses")?.value : undefined;
    if (uses?.kind !== "scalar" || typeof uses.value !== "string" || !PATH.test(uses.value)) return [];
    const { value: text, span } = uses;
    return [{ path: resolvePath(text, folderOf(span)), text, span }];
  });
}

/** The file with profiles, then `--param` values, laid over it. */
function layOver(outer: LocatedMap, options: ParseOptions, report: ReportDiagnostic): LocatedMap {
  const profiles = mapOf(outer, "profiles", () => undefined);
  let merged = outer;
  for (const profile of selectProfiles(profiles, options.profiles, report))
    merged = mergeLocated(merged, profile) as LocatedMap;
  const params = merged.entries.get("params");
  const isMap = params?.value.kind === "map";
  if (!isMap && params !== undefined && !isNull(params.value)) return merged;
  const base: LocatedMap = isMap ? (params.value as LocatedMap) : { kind: "map", span: outer.span, entries: new Map() };
  const value = applyOverrides(base, options.overrides, report);
  const entries = new Map<string, LocatedEntry>(merged.entries);
  entries.set("params", { keySpan: params?.keySpan ?? outer.span, value });
  return { ...merged, entries };
}
