/**
 * `${params.a.b}`, `${matrix.x}` and `${env.NAME}`: a whole-value reference keeps the type of what it names, one inside a
 * text is written into it. Params may refer to params, in any order, but not in a circle. `$${` stands for the
 * characters `${`.
 *
 * Stays true: what references stand for is counted, so that no text makes values without measure out of a few lines.
 */
import { diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";
import { closestName } from "../diagnostics/suggest.ts";
import type { Environment } from "./environment.ts";
import { type Located, type LocatedEntry, type LocatedMap, usedAt } from "./located.ts";
import { paramNames } from "./merge.ts";

const REFERENCE = /\$?\$\{([^}]*)\}?/g;
const VARIABLE = /^(params|matrix|env)((?:\.[A-Za-z0-9_-]+)+)$/;
/** What one reference may stand for, and all of a pipeline together. */
const MOST_VALUES = 10_000;
const MOST_VALUES_TOGETHER = 2_000_000;
const CHARACTERS_PER_VALUE = 50;

/** What can be referred to at a place, beside the params. */
export interface Scope {
  /** Values of the matrix by axis; absent where there is none. */
  readonly matrix?: ReadonlyMap<string, Located>;
  /** Axes that there are, for those who mistype one. */
  readonly axes?: readonly string[];
  readonly environment: Environment;
}

/** The node with every reference in it resolved, or undefined where one could not be, which was reported. */
export type Resolve = (node: Located) => Located | undefined;

export interface Variables {
  within(scope: Scope, report: ReportDiagnostic): Resolve;
  /** All params, resolved. */
  readonly params: LocatedMap | undefined;
}

export function createVariables(params: LocatedMap, environment: Environment, report: ReportDiagnostic): Variables {
  const done = new Map<string, Located | undefined>();
  /** The params being resolved, each with the place that asked for the next. */
  const open: { readonly name: string; readonly span: Span }[] = [];

  /** A param by path; `span` is where it is referred to, `tell` who hears that it is not there. */
  const param = (name: string, span: Span, tell: ReportDiagnostic): Located | undefined => {
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
    const node = find(name);
    const value = node === undefined || node === "unsound" ? undefined : resolveParam(node);
    open.pop();
    if (node === undefined) {
      // Each place that names it is told: there is nothing to keep.
      const known = paramNames(params);
      tell(diagnose("language/unknown-param", { param: name, suggestion: closestName(name, known), known }, span));
      return undefined;
    }
    // A circle found on the way has settled it already.
    if (!done.has(name)) done.set(name, value);
    return done.get(name);
  };

  /** `unsound` where a param on the way came to nothing, which was said there. */
  const find = (name: string): Located | undefined | "unsound" => {
    let node: Located | undefined = params;
    for (const part of name.split(".")) {
      // A map may itself be a reference to another param.
      const map: Located | undefined = node?.kind === "scalar" ? resolveParam(node) : node;
      if (map === undefined && node !== undefined) return "unsound";
      node = map?.kind === "map" ? map.entries.get(part)?.value : undefined;
    }
    return node;
  };

  /** References to references can stand for exponentially much: what a value amounts to is counted, once per node. */
  const sizes = new WeakMap<object, number>();
  const sizeOf = (node: Located): number => {
    const identity = node.kind === "map" ? node.entries : node.kind === "list" ? node.items : node;
    let size = sizes.get(identity);
    if (size !== undefined) return size;
    size = 1;
    if (node.kind === "scalar") size += String(node.value).length / CHARACTERS_PER_VALUE;
    if (node.kind === "list") for (const item of node.items) size += sizeOf(item);
    if (node.kind === "map") for (const entry of node.entries.values()) size += sizeOf(entry.value);
    sizes.set(identity, size);
    return size;
  };
  let together = 0;
  const withinLimit = (node: Located | undefined, span: Span, tell: ReportDiagnostic): Located | undefined => {
    if (node === undefined) return undefined;
    const size = sizeOf(node);
    together += size;
    if (size <= MOST_VALUES && together <= MOST_VALUES_TOGETHER) return node;
    const words =
      size > MOST_VALUES
        ? { what: "the reference stands for too much", limit: `${MOST_VALUES} values` }
        : { what: "all references together stand for too much", limit: `${MOST_VALUES_TOGETHER} values` };
    // Of those together, the one that is too many is told.
    if (size > MOST_VALUES || together - size <= MOST_VALUES_TOGETHER)
      tell(diagnose("language/too-large", words, span));
    return undefined;
  };

  const within = (scope: Scope, tell: ReportDiagnostic, isParam = false): Resolve => {
    const reference = (match: RegExpMatchArray, span: Span): Located | undefined => {
      const inner = match[1]!.trim();
      const wrong = (problem: string, help?: string): undefined => {
        tell(diagnose("language/bad-reference", { text: match[0], problem, help }, span));
        return undefined;
      };
      if (!match[0].endsWith("}")) return wrong('has no closing "}"');
      const [, kind, dotted] = VARIABLE.exec(inner) ?? [];
      const name = dotted?.slice(1);
      if (kind === "params") return withinLimit(param(name!, span, tell), span, tell);
      if (kind === "matrix") {
        if (isParam)
          return wrong("stands in a param, which is one value for the whole pipeline", "write it in a stage");
        return withinLimit(axisValue(name!, match[0], span), span, tell);
      }
      if (kind === "env") return environmentValue(name!, span);
      if (/^(params|matrix|env)\b/.test(inner) || inner === "")
        return wrong(
          "does not name anything",
          // biome-ignore lint/suspicious/noTemplateCurlyInString: this is the pipeline language's own notation.
          'write "${params.name}", or "${params.group.name}"',
        );
      if (/^(inputs|outputs)\./.test(inner)) return wrong('can be used only in "run"');
      tell(diagnose("language/unknown-variable", { variable: inner }, span));
      return undefined;
    };

    const axisValue = (dotted: string, text: string, span: Span): Located | undefined => {
      const [axis, ...rest] = dotted.split(".") as [string, ...string[]];
      let node = scope.matrix?.get(axis);
      if (node === undefined) {
        const known = scope.axes ?? [];
        tell(diagnose("language/unknown-axis", { axis, suggestion: closestName(axis, known), known }, span));
        return undefined;
      }
      for (const part of rest) {
        const next: Located | undefined = node.kind === "map" ? node.entries.get(part)?.value : undefined;
        if (next === undefined) {
          const words = { text, problem: `names ${JSON.stringify(part)}, which not every value of the axis has` };
          tell(diagnose("language/bad-reference", words, span, [{ message: "such as this one", span: node.span }]));
          return undefined;
        }
        node = next;
      }
      return node;
    };

    const environmentValue = (name: string, span: Span): Located | undefined => {
      if (!scope.environment.has(name)) {
        const known = [...scope.environment.keys()];
        const words = { name, suggestion: closestName(name, known), known };
        tell(diagnose("language/unlisted-environment", words, span));
        return undefined;
      }
      // One that is not set was told where it is listed.
      const value = scope.environment.get(name);
      return value === undefined ? undefined : { kind: "scalar", value, span };
    };

    const text = (node: Located & { readonly kind: "scalar" }, value: string): Located | undefined => {
      if (!value.includes("${")) return node;
      const matches = [...value.matchAll(REFERENCE)].filter((match) => !match[0].startsWith("$$"));
      if (matches.length === 0) return { ...node, value: unescapeReferences(value) };
      const whole = matches.length === 1 && matches[0]![0] === value;
      let sound = true;
      let result = "";
      let end = 0;
      for (const match of matches) {
        const found = reference(match, node.span);
        if (whole) return found === undefined || found.span === node.span ? found : usedAt(found, node.span);
        if (found !== undefined && (found.kind !== "scalar" || found.value === null)) {
          const problem = "stands inside a text, so it must be text, a number, true or false";
          tell(
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

    const resolve: Resolve = (node) => {
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
    return resolve;
  };

  const resolveParam = within({ environment }, report, true);
  // Each by name, so that a circle is found once and a param used a thousand times is resolved once.
  const resolved = new Map<string, LocatedEntry>();
  for (const [name, { keySpan, value }] of params.entries) {
    const found = param(name, value.span, report);
    if (found !== undefined) resolved.set(name, { keySpan, value: found });
  }
  return {
    within: (scope, tell) => within(scope, tell),
    params: resolved.size === params.entries.size ? { ...params, entries: resolved } : undefined,
  };
}

/** Axes of the matrix that the values refer to. */
export function axesReferredTo(node: Located, axes: Set<string> = new Set()): ReadonlySet<string> {
  if (node.kind === "list") for (const item of node.items) axesReferredTo(item, axes);
  else if (node.kind === "map") for (const { value } of node.entries.values()) axesReferredTo(value, axes);
  else if (typeof node.value === "string" && node.value.includes("${")) {
    for (const match of node.value.matchAll(REFERENCE)) {
      const axis = /^\s*matrix\.([A-Za-z0-9_-]+)/.exec(match[1]!)?.[1];
      if (axis !== undefined && !match[0].startsWith("$$")) axes.add(axis);
    }
  }
  return axes;
}

/** Dotted names of the params that the values refer to. */
export function paramsReferredTo(node: Located, params: Set<string> = new Set()): ReadonlySet<string> {
  if (node.kind === "list") for (const item of node.items) paramsReferredTo(item, params);
  else if (node.kind === "map") for (const { value } of node.entries.values()) paramsReferredTo(value, params);
  else if (typeof node.value === "string" && node.value.includes("${")) {
    for (const match of node.value.matchAll(REFERENCE)) {
      const name = /^\s*params\.([A-Za-z0-9_.-]+)/.exec(match[1]!)?.[1];
      if (name !== undefined && !match[0].startsWith("$$")) params.add(name);
    }
  }
  return params;
}

const unescapeReferences = (text: string): string => text.replaceAll("$${", "${");
