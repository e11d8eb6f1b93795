/**
 * Text to located values, by `yaml`'s own parser (YAML 1.2, core schema). Hostile texts are refused in bounded time:
 * depth is measured on the flat token tree before anything recursive runs, and what aliases expand to is counted.
 *
 * Stays true: no value passes that JSON could not hold, no key `__proto__`, no key twice.
 */
import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  Parser,
  type Scalar,
} from "yaml";
import { type Diagnostic, diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";
import type { Located, LocatedEntry } from "./located.ts";
import { usedAt } from "./located.ts";

const LARGEST_TEXT = 8 * 2 ** 20;
const DEEPEST_NESTING = 100;
const MOST_ALIASED_VALUES = 10_000;
const MOST_SYNTAX_ERRORS = 20;

export interface YamlSource {
  readonly file: string;
  readonly text: string;
  /** Offset of `text` in the text that spans point into. */
  readonly base?: number;
}

/** The value of the one document in the text, or undefined after a problem. An empty text is null. */
export function parseYaml(source: YamlSource, report: ReportDiagnostic): Located | undefined {
  const spanOf = (start: number, end: number): Span => {
    const base = source.base ?? 0;
    return { file: source.file, start: base + start, end: base + Math.max(start, end) };
  };
  const tooLarge = (what: string, limit: string, start: number) =>
    report(diagnose("language/too-large", { what, limit }, spanOf(start, start + 1)));
  if (source.text.length > LARGEST_TEXT) {
    tooLarge("the text is too long", `${LARGEST_TEXT / 2 ** 20} MiB`, 0);
    return undefined;
  }
  const tokens = [...new Parser().parse(source.text)];
  const deep = deepestToken(tokens);
  if (deep.depth > DEEPEST_NESTING) {
    tooLarge("values are nested too deeply", `${DEEPEST_NESTING} levels`, deep.offset);
    return undefined;
  }
  const composer = new Composer({ schema: "core", uniqueKeys: false, prettyErrors: false, stringKeys: false });
  const documents = [...composer.compose(tokens, true, source.text.length)];
  const document = documents[0]!;
  const problems = documentProblems(documents, source, spanOf);
  for (const problem of problems.slice(0, MOST_SYNTAX_ERRORS)) report(problem);
  if (problems.length > 0) return undefined;
  return convert(document, spanOf, report);
}

/** Depth of nesting and where it is reached, without recursion. */
function deepestToken(tokens: readonly CST.Token[]): { readonly depth: number; readonly offset: number } {
  let deepest = { depth: 0, offset: 0 };
  const waiting: { token: CST.Token; depth: number }[] = tokens.map((token) => ({ token, depth: 0 }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { token, depth } = next;
    if (depth > deepest.depth) deepest = { depth, offset: token.offset };
    // Far beyond any limit nothing more needs to be known.
    if (depth > 2 * DEEPEST_NESTING) return deepest;
    if (token.type === "document" && token.value !== undefined) waiting.push({ token: token.value, depth });
    if ("items" in token) {
      for (const item of token.items) {
        if ("key" in item && item.key != null) waiting.push({ token: item.key, depth: depth + 1 });
        if (item.value !== undefined) waiting.push({ token: item.value, depth: depth + 1 });
      }
    }
  }
  return deepest;
}

function documentProblems(
  documents: readonly Document.Parsed[],
  source: YamlSource,
  spanOf: (start: number, end: number) => Span,
): Diagnostic[] {
  const problems: Diagnostic[] = [];
  for (const document of documents) {
    for (const error of document.errors) {
      problems.push(
        diagnose("language/yaml-syntax", { detail: error.message }, spanOf(...clip(error.pos, source.text))),
      );
    }
    for (const warning of document.warnings) {
      problems.push(diagnose("language/unsupported-yaml", { what: warning.message }, spanOf(...warning.pos)));
    }
    if (document.directives.yaml.explicit === true && document.directives.yaml.version !== "1.2") {
      const what = `YAML ${document.directives.yaml.version} is not read here`;
      problems.push(
        diagnose(
          "language/unsupported-yaml",
          { what, help: "remove the %YAML line; files are YAML 1.2" },
          spanOf(0, 5),
        ),
      );
    }
  }
  const second = documents[1];
  if (second !== undefined) {
    problems.push(
      diagnose(
        "language/unsupported-yaml",
        {
          what: "a file holds one pipeline, but here a second document starts",
          help: "keep each pipeline in a file of its own",
        },
        spanOf(...clip([second.range[0], second.range[0] + 3], source.text)),
      ),
    );
  }
  return problems;
}

/** An error at the very end of the text is shown at the last thing written. */
function clip([start, end]: readonly [number, number], text: string): [number, number] {
  if (start < text.length) return [start, end];
  const last = text.trimEnd().length;
  return [Math.max(0, last - 1), last];
}

function convert(
  document: Document.Parsed,
  spanOf: (start: number, end: number) => Span,
  report: ReportDiagnostic,
): Located | undefined {
  let sound = true;
  let aliased = 0;
  let tooMany = false;
  const open = new Set<Node>();
  const problem = (diagnostic: Diagnostic) => {
    sound = false;
    report(diagnostic);
  };
  const rangeSpan = (node: Node): Span => spanOf(node.range?.[0] ?? 0, node.range?.[1] ?? 0);
  const unsupported = (what: string, span: Span, help?: string) =>
    problem(diagnose("language/unsupported-yaml", { what, ...(help === undefined ? {} : { help }) }, span));
  const nothing = (span: Span): Located => ({ kind: "scalar", value: null, span });

  const scalar = (node: Scalar, emptySpan: Span | undefined): Located => {
    const [start, end] = node.range ?? [0, 0];
    const span = start === end && emptySpan !== undefined ? emptySpan : rangeSpan(node);
    const { value } = node;
    if (value === null || typeof value === "string" || typeof value === "boolean")
      return { kind: "scalar", value, span };
    if (typeof value !== "number") {
      unsupported("values are text, numbers, true, false, null, lists and maps; this is something else", span);
      return nothing(span);
    }
    if (!Number.isFinite(value)) {
      unsupported("infinities and NaN are not numbers that a setting can have", span);
    } else if (Number.isInteger(value) && !Number.isSafeInteger(value) && /^[-+\d]+$/.test(node.source ?? "")) {
      unsupported("this whole number is too large to be held exactly", span, "the largest is 9007199254740991");
    }
    return { kind: "scalar", value, span };
  };

  /** `alias` is the outermost one that led here. */
  const visit = (node: Node | null, emptySpan: Span | undefined, alias: Span | undefined): Located => {
    if (alias !== undefined && ++aliased > MOST_ALIASED_VALUES) {
      const words = { what: "the aliases stand for too many values", limit: `${MOST_ALIASED_VALUES}` };
      if (!tooMany) problem(diagnose("language/too-large", words, alias));
      tooMany = true;
    }
    if (node === null || tooMany) return nothing(emptySpan ?? spanOf(0, 0));
    if (isScalar(node)) return scalar(node, emptySpan);
    if (isAlias(node)) {
      const target = node.resolve(document);
      if (target === undefined || open.has(target)) {
        unsupported(
          target === undefined ? "this alias has no anchor" : "this alias stands for what holds it",
          rangeSpan(node),
        );
        return nothing(rangeSpan(node));
      }
      return usedAt(visit(target, undefined, alias ?? rangeSpan(node)), rangeSpan(node));
    }
    if (!isMap(node) && !isSeq(node)) return nothing(spanOf(0, 0));
    const span = rangeSpan(node);
    if (node.tag !== undefined && !/^tag:yaml\.org,2002:(map|seq)$/.test(node.tag)) {
      unsupported(`the tag ${node.tag} has no meaning here`, span);
    }
    open.add(node);
    const result: Located = isSeq(node)
      ? { kind: "list", span, items: node.items.map((item) => visit(item as Node | null, span, alias)) }
      : { kind: "map", span, entries: entriesOf(node.items as readonly YamlPair[], span, alias) };
    open.delete(node);
    return result;
  };

  const entriesOf = (pairs: readonly YamlPair[], mapSpan: Span, alias: Span | undefined): Map<string, LocatedEntry> => {
    const entries = new Map<string, LocatedEntry>();
    for (const { key, value } of pairs) {
      const keySpan = key === null ? mapSpan : rangeSpan(key);
      const name = keyName(key);
      if (name === undefined) {
        unsupported("a key must be text", keySpan);
        continue;
      }
      const first = entries.get(name);
      if (name === "__proto__") {
        problem(diagnose("language/bad-name", { what: "a key", name, rule: "choose another name" }, keySpan));
      } else if (name === "<<") {
        unsupported("merge keys are of YAML 1.1, which is not read here", keySpan, "say it with params and profiles");
      } else if (first !== undefined) {
        const notes = [{ message: "first written here", span: first.keySpan }];
        problem(diagnose("language/duplicate-key", { key: name }, keySpan, notes));
      } else {
        entries.set(name, { keySpan, value: visit(value, keySpan, alias) });
      }
    }
    return entries;
  };

  const root = visit(document.contents, spanOf(0, 0), undefined);
  return sound ? root : undefined;
}

interface YamlPair {
  readonly key: Node | null;
  readonly value: Node | null;
}

/** Keys that look like numbers or booleans are taken as written. */
function keyName(key: Node | null): string | undefined {
  if (!isScalar(key) || key.value === null) return undefined;
  if (typeof key.value === "string") return key.value;
  return typeof key.value === "number" || typeof key.value === "boolean"
    ? (key.source ?? String(key.value))
    : undefined;
}
