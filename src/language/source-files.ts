/**
 * A pipeline file and the files it includes, as one map of located values. What a file includes lies below it: maps
 * merge, lists and values replace, `null` deletes; of several includes the later lies above. Names in `env` add up.
 *
 * Stays true: every span names the file it is in, and a relative path starts in the folder of the file it is written in.
 */
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { quote } from "../diagnostics/catalog.ts";
import { diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";
import { PATH } from "./input-source.ts";
import { isNull, type Located, type LocatedEntry, type LocatedMap } from "./located.ts";
import { mergeLocated } from "./merge.ts";
import { parseYaml } from "./parse-yaml.ts";
import { checkOuterShape, wrongType } from "./pipeline-shape.ts";

const MOST_FILES = 100;
const MOST_CHARACTERS = 16 * 2 ** 20;

export interface PipelineSource {
  /** Path as the user gave it, for messages. */
  readonly file: string;
  /** Absolute folder of the file: relative paths in it start there. */
  readonly folder: string;
  readonly text: string;
}

export interface SourceFiles {
  /** Undefined after a problem that leaves nothing to go on with. */
  readonly root?: LocatedMap;
  /** By the name that spans give a file. */
  readonly texts: ReadonlyMap<string, string>;
  /** Where relative paths start, by the same name. */
  readonly folders: ReadonlyMap<string, string>;
  /** Absolute paths of the included files, each once, in the order read. */
  readonly includes: readonly string[];
}

/** `readText` gives the text of an absolute path, or undefined where there is no such file. */
export function readSourceFiles(
  source: PipelineSource,
  readText: (path: string) => string | undefined,
  report: ReportDiagnostic,
): SourceFiles {
  const main = join(source.folder, basename(source.file));
  const texts = new Map([[source.file, source.text]]);
  const folders = new Map([[source.file, source.folder]]);
  const done = new Map<string, LocatedMap | undefined>();
  /** The files being read, each with the place that includes it. */
  const open: { readonly path: string; readonly span?: Span }[] = [{ path: main }];
  let characters = source.text.length;
  let isTooMuch = false;

  const read = ({ file, folder, text }: PipelineSource): LocatedMap | undefined => {
    const parsed = parseYaml({ file, text }, report);
    const own = parsed === undefined ? undefined : checkOuterShape(parsed, report);
    if (own === undefined) return undefined;
    let below: LocatedMap | undefined;
    let sound = true;
    for (const entry of includesOf(own, report)) {
      const included = entry === undefined ? undefined : include(entry, folder);
      if (included === undefined) sound = false;
      else below = below === undefined ? included : layOver(below, included);
    }
    if (!sound) return undefined;
    return below === undefined ? own : layOver(below, own);
  };

  const include = ({ text, span }: IncludeEntry, folder: string): LocatedMap | undefined => {
    const path = isAbsolute(text) ? text : resolve(folder, text);
    const start = open.findIndex((one) => one.path === path);
    if (start >= 0) {
      const names = [...open.slice(start), { path }].map((one) => basename(one.path));
      const notes = open.slice(start + 1).map((one) => ({
        message: `${quote(basename(one.path))} is included here`,
        span: one.span!,
      }));
      report(diagnose("language/include-cycle", { files: names }, span, notes));
      return undefined;
    }
    if (done.has(path)) return done.get(path);
    const found = readText(path);
    if (found === undefined) {
      report(diagnose("language/missing-path", { text, path }, span));
      return undefined;
    }
    characters += found.length;
    if (done.size >= MOST_FILES || characters > MOST_CHARACTERS) {
      const words =
        characters > MOST_CHARACTERS
          ? { what: "the included files are too long together", limit: `${MOST_CHARACTERS / 2 ** 20} MiB` }
          : { what: "too many files are included", limit: `${MOST_FILES}` };
      if (!isTooMuch) report(diagnose("language/too-large", words, span));
      isTooMuch = true;
      return undefined;
    }
    // Its place is taken before what it includes is read, so that the limit holds for chains too.
    done.set(path, undefined);
    const file = join(dirname(source.file), relative(source.folder, path));
    texts.set(file, found);
    folders.set(file, dirname(path));
    open.push({ path, span });
    const map = read({ file, folder: dirname(path), text: found });
    open.pop();
    done.set(path, map);
    return map;
  };

  const root = read(source);
  return { texts, folders, includes: [...done.keys()], ...(root === undefined ? {} : { root }) };
}

interface IncludeEntry {
  readonly text: string;
  readonly span: Span;
}

/** Undefined in the place of one that names nothing. */
function includesOf(root: LocatedMap, report: ReportDiagnostic): readonly (IncludeEntry | undefined)[] {
  const value = root.entries.get("include")?.value;
  if (value === undefined || isNull(value)) return [];
  return (value.kind === "list" ? value.items : [value]).map((node) => {
    if (node.kind !== "scalar" || typeof node.value !== "string") {
      report(wrongType('"include"', "the path of a file, or a list of them", node));
      return undefined;
    }
    const text = node.value;
    if (PATH.test(text) && !text.includes("${")) return { text, span: node.span };
    const problem = text.includes("${")
      ? "names a file to include, so it cannot hold references"
      : "is not the path of a file to include";
    const help = text.includes("${")
      ? "write the path itself"
      : `a path starts with ./ or ../ or /: write ${quote(`./${text}`)}`;
    report(diagnose("language/bad-reference", { text, problem, help }, node.span));
    return undefined;
  });
}

/** A pipeline's name is its own, and so is what it includes. */
function layOver(below: LocatedMap, above: LocatedMap): LocatedMap {
  const base = new Map(below.entries);
  base.delete("name");
  base.delete("include");
  const merged = mergeLocated({ ...below, entries: base }, above, "keep") as LocatedMap;
  const entries = new Map<string, LocatedEntry>(merged.entries);
  const [names, more] = [base.get("env"), above.entries.get("env")];
  if (names?.value.kind === "list" && more?.value.kind === "list") {
    const items: readonly Located[] = [...names.value.items, ...more.value.items];
    entries.set("env", { ...more, value: { ...more.value, items } });
  }
  return { ...merged, span: above.span, entries };
}
