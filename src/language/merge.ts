/**
 * Laying a profile, `--param` values or an including file over the file: maps merge, lists and scalars replace, `null`
 * deletes, and where `uses` or `type` changes, or `run` takes the place of `uses`, the whole object is replaced, since
 * the old one's settings mean nothing to the new type. Every value keeps the span it came from.
 */

import { quote } from "../diagnostics/catalog.ts";
import { diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import { closestName } from "../diagnostics/suggest.ts";
import { isNull, type Located, type LocatedEntry, type LocatedMap } from "./located.ts";
import { parseYaml } from "./parse-yaml.ts";
import { OVERRIDES_FILE, PROFILES_FILE } from "./pseudo-files.ts";

/** `nulls` says what becomes of those in `over` that delete nothing: a profile's are dropped, a file's are values. */
export function mergeLocated(base: Located, over: Located, nulls: "drop" | "keep" = "drop"): Located {
  const added = (node: Located): Located => (nulls === "drop" ? dropNulls(node) : node);
  if (base.kind !== "map" || over.kind !== "map" || changesType(base, over)) return added(over);
  const entries = new Map(base.entries);
  for (const [key, entry] of over.entries) {
    const below = entries.get(key);
    if (isNull(entry.value) && (nulls === "drop" || (below !== undefined && !isNull(below.value)))) entries.delete(key);
    else if (below === undefined) entries.set(key, { ...entry, value: added(entry.value) });
    else {
      const value = mergeLocated(below.value, entry.value, nulls);
      entries.set(key, { keySpan: value.span === below.value.span ? below.keySpan : entry.keySpan, value });
    }
  }
  return { ...base, entries };
}

/** What a profile adds where nothing was: a `null` in it deletes nothing, and stays out. */
function dropNulls(node: Located): Located {
  if (node.kind !== "map") return node;
  const entries = new Map<string, LocatedEntry>();
  for (const [key, entry] of node.entries) {
    if (!isNull(entry.value)) entries.set(key, { ...entry, value: dropNulls(entry.value) });
  }
  return { ...node, entries };
}

function changesType(base: LocatedMap, over: LocatedMap): boolean {
  const has = (map: LocatedMap, key: string) => !isNull(map.entries.get(key)?.value);
  if ((has(base, "uses") && has(over, "run")) || (has(base, "run") && has(over, "uses"))) return true;
  return ["uses", "type"].some((key) => {
    const [before, after] = [base.entries.get(key)?.value, over.entries.get(key)?.value];
    return before?.kind === "scalar" && after?.kind === "scalar" && before.value !== after.value;
  });
}

/** Params with `--param a.b=value` laid over them, in the order given. Only declared params can be set. */
export function applyOverrides(params: LocatedMap, overrides: readonly string[], report: ReportDiagnostic): LocatedMap {
  let result = params;
  let start = 0;
  for (const text of overrides) {
    const equals = text.indexOf("=");
    const name = equals < 0 ? text : text.slice(0, equals);
    const keySpan = { file: OVERRIDES_FILE, start, end: start + name.length };
    const path = name.split(".");
    if (equals < 0 || path.some((part) => part === "" || part === "__proto__")) {
      const problem = equals < 0 ? "has no value" : "does not name a param";
      report(diagnose("language/bad-override", { text, problem }, { ...keySpan, end: start + text.length }));
    } else if (!isDeclared(result, path)) {
      const known = paramNames(params);
      report(diagnose("language/unknown-param", { param: name, suggestion: closestName(name, known), known }, keySpan));
    } else {
      const place = { file: OVERRIDES_FILE, base: start + equals + 1 };
      const value = parseOverride(text.slice(equals + 1), place, report);
      if (value !== undefined) result = setPath(result, path, { keySpan, value });
    }
    start += text.length + 1;
  }
  return result;
}

/** A new key may be set inside a declared map (its user's schema judges it), never beside the declared params. */
export function isDeclared(params: LocatedMap, path: readonly string[]): boolean {
  let node: Located | undefined = params;
  for (const [depth, part] of path.entries()) {
    if (node?.kind !== "map") return false;
    node = node.entries.get(part)?.value;
    if (node === undefined) return depth > 0 && depth === path.length - 1;
  }
  return true;
}

/** With the value at a path that is declared; a map is laid over the one that is there. */
export function setPath(map: LocatedMap, path: readonly string[], entry: LocatedEntry): LocatedMap {
  const [first, ...rest] = path as [string, ...string[]];
  const entries = new Map(map.entries);
  const below = map.entries.get(first);
  if (rest.length > 0 && below?.value.kind === "map") {
    entries.set(first, { ...below, value: setPath(below.value, rest, entry) });
  } else if (below !== undefined && below.value.kind === "map" && entry.value.kind === "map") {
    entries.set(first, { ...below, value: mergeLocated(below.value, entry.value) });
  } else entries.set(first, entry);
  return { ...map, entries };
}

/**
 * `[..]`, `{..}` and quoted values are YAML; of anything else, what YAML reads as one plain scalar (a number, true,
 * null), and otherwise the text itself, so that `note=a: b` and an empty value stay text.
 */
export function parseOverride(
  text: string,
  { file, base }: { readonly file: string; readonly base: number },
  report: ReportDiagnostic,
): Located | undefined {
  const source = { file, text, base };
  if (/^\s*[[{"']/.test(text)) return parseYaml(source, report);
  let sound = true;
  const value = parseYaml(source, () => {
    sound = false;
  });
  const span = { file, start: base, end: base + text.length };
  const isPlain = sound && value?.kind === "scalar" && value.usedAt === undefined && /^[^!&*|>#@`%]/.test(text.trim());
  return isPlain ? { ...value, span } : { kind: "scalar", value: text, span };
}

/** Dotted names of all params, for suggestions. */
export function paramNames(params: LocatedMap): string[] {
  const names: string[] = [];
  const visit = (map: LocatedMap, prefix: string): void => {
    for (const [key, { value }] of map.entries) {
      names.push(prefix + key);
      if (value.kind === "map") visit(value, `${prefix}${key}.`);
    }
  };
  visit(params, "");
  return names;
}

/** What is laid over the file for a profile: its own spans, or a diagnostic about the name. */
export function selectProfiles(
  profiles: LocatedMap | undefined,
  names: readonly string[],
  report: ReportDiagnostic,
): readonly LocatedMap[] {
  const known = [...(profiles?.entries.keys() ?? [])];
  const chosen: LocatedMap[] = [];
  let start = 0;
  for (const name of names) {
    const profile = profiles?.entries.get(name)?.value;
    if (profile?.kind === "map") chosen.push(profile);
    else if (profile === undefined) {
      const span = { file: PROFILES_FILE, start, end: start + name.length };
      report(
        diagnose("language/unknown-profile", { profile: name, suggestion: closestName(name, known), known }, span),
      );
    }
    start += name.length + 1;
  }
  return chosen;
}

/** How a value is called in a sentence: `text "abc"`, `the number 3`, `a list`. */
export function describeValue(node: Located): string {
  if (node.kind === "list") return "a list";
  if (node.kind === "map") return "a map";
  if (node.value === null) return "nothing";
  return typeof node.value === "string" ? `text ${quote(node.value)}` : String(node.value);
}
