/**
 * `${params.a.b}`: a whole-value reference keeps the type of what it names, one inside a text is written into it.
 * Params may refer to params, in any order, but not in a circle. `$${` stands for the characters `${`.
 */
import { diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";
import { closestName } from "../diagnostics/suggest.ts";
import { type Located, type LocatedEntry, type LocatedMap, usedAt } from "./located.ts";
import { paramNames } from "./merge.ts";

const REFERENCE = /\$?\$\{([^}]*)\}?/g;
const MOST_VALUES = 10_000;
const CHARACTERS_PER_VALUE = 50;
const PARAM = /^params((?:\.[A-Za-z0-9_-]+)+)$/;

export interface Variables {
  /** The node with every reference in it resolved, or undefined where one could not be. */
  resolve(node: Located): Located | undefined;
  /** All params, resolved. */
  readonly params: LocatedMap | undefined;
}

export function createVariables(params: LocatedMap, report: ReportDiagnostic): Variables {
  const done = new Map<string, Located | undefined>();
  /** The params being resolved, each with the place that asked for the next. */
  const open: { readonly name: string; readonly span: Span }[] = [];

  /** A param by path; `span` is where it is referred to. */
  const param = (name: string, span: Span): Located | undefined => {
    if (done.has(name)) return done.get(name);
    const start = open.findIndex((one) => one.name === name);
    if (start >= 0) {
      const circle = open.slice(start);
      const spans = [...circle.slice(1).map((one) => one.span), span];
      const notes = spans
        .slice(1)
        .map((at, i) => ({ message: `${(circle[i + 1] ?? circle[0])!.name} refers on here`, span: at }));
      report(
        diagnose(
          "language/param-cycle",
          { params: [...circle.map((one) => one.name), circle[0]!.name] },
          spans[0]!,
          notes,
        ),
      );
      for (const one of circle) done.set(one.name, undefined);
      return undefined;
    }
    open.push({ name, span });
    const node = find(name, span);
    const value = node === undefined ? undefined : resolve(node);
    open.pop();
    // A circle found on the way has settled it already.
    if (!done.has(name)) done.set(name, value);
    return done.get(name);
  };

  const find = (name: string, span: Span): Located | undefined => {
    let node: Located | undefined = params;
    for (const part of name.split(".")) {
      // A map may itself be a reference to another param; what is wrong with that one was said there.
      const map: Located | undefined = node?.kind === "scalar" ? resolve(node) : node;
      if (map === undefined && node !== undefined) return undefined;
      node = map?.kind === "map" ? map.entries.get(part)?.value : undefined;
    }
    if (node === undefined) {
      const known = paramNames(params);
      report(diagnose("language/unknown-param", { param: name, suggestion: closestName(name, known), known }, span));
    }
    return node;
  };

  const text = (node: Located & { readonly kind: "scalar" }, value: string): Located | undefined => {
    const matches = [...value.matchAll(REFERENCE)].filter((match) => !match[0].startsWith("$$"));
    if (matches.length === 0) return { ...node, value: unescapeReferences(value) };
    const whole = matches.length === 1 && matches[0]![0] === value;
    let sound = true;
    let result = "";
    let end = 0;
    for (const match of matches) {
      const found = reference(match, node.span);
      if (whole) return found === undefined ? undefined : usedAt(found, node.span);
      if (found !== undefined && (found.kind !== "scalar" || found.value === null)) {
        const problem = "stands inside a text, so it must be text, a number, true or false";
        report(
          diagnose("language/bad-reference", { text: match[0], problem }, node.span, [
            { message: "its value", span: found.span },
          ]),
        );
        sound = false;
      } else if (found === undefined) sound = false;
      else result += unescapeReferences(value.slice(end, match.index)) + String(found.value);
      end = match.index + match[0].length;
    }
    return sound ? { ...node, value: result + unescapeReferences(value.slice(end)) } : undefined;
  };

  const reference = (match: RegExpMatchArray, span: Span): Located | undefined => {
    const inner = match[1]!.trim();
    const name = PARAM.exec(inner)?.[1]?.slice(1);
    if (!match[0].endsWith("}")) {
      report(diagnose("language/bad-reference", { text: match[0], problem: 'has no closing "}"' }, span));
    } else if (name !== undefined) return withinLimit(param(name, span), span);
    else if (/^params\b/.test(inner) || inner === "") {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: this is the pipeline language's own notation.
      const help = 'write "${params.name}", or "${params.group.name}"';
      report(diagnose("language/bad-reference", { text: match[0], problem: "does not name a param", help }, span));
    } else report(diagnose("language/unknown-variable", { variable: inner }, span));
    return undefined;
  };

  /** References to references can stand for exponentially much: what a value amounts to is counted, once per node. */
  const sizes = new WeakMap<object, number>();
  const sizeOf = (node: Located): number => {
    let size = sizes.get(node.kind === "map" ? node.entries : node.kind === "list" ? node.items : node);
    if (size !== undefined) return size;
    size = 1;
    if (node.kind === "scalar") size += String(node.value).length / CHARACTERS_PER_VALUE;
    if (node.kind === "list") for (const item of node.items) size += sizeOf(item);
    if (node.kind === "map") for (const entry of node.entries.values()) size += sizeOf(entry.value);
    sizes.set(node.kind === "map" ? node.entries : node.kind === "list" ? node.items : node, size);
    return size;
  };
  const withinLimit = (node: Located | undefined, span: Span): Located | undefined => {
    if (node === undefined || sizeOf(node) <= MOST_VALUES) return node;
    report(
      diagnose(
        "language/too-large",
        { what: "the reference stands for too much", limit: `${MOST_VALUES} values` },
        span,
      ),
    );
    return undefined;
  };

  const resolve = (node: Located): Located | undefined => {
    if (node.kind === "scalar") return typeof node.value === "string" ? text(node, node.value) : node;
    if (node.kind === "list") {
      const items = node.items.map(resolve);
      return items.includes(undefined) ? undefined : { ...node, items: items as Located[] };
    }
    let sound = true;
    const entries = new Map<string, LocatedEntry>();
    for (const [key, { keySpan, value }] of node.entries) {
      const resolved = resolve(value);
      if (resolved === undefined) sound = false;
      else entries.set(key, { keySpan, value: resolved });
    }
    return sound ? { ...node, entries } : undefined;
  };

  // Each by name, so that a circle is found once and a param used a thousand times is resolved once.
  const resolved = new Map<string, LocatedEntry>();
  for (const [name, { keySpan, value }] of params.entries) {
    const found = param(name, value.span);
    if (found !== undefined) resolved.set(name, { keySpan, value: found });
  }
  return { resolve, params: resolved.size === params.entries.size ? { ...params, entries: resolved } : undefined };
}

const unescapeReferences = (text: string): string => text.replaceAll("$${", "${");
