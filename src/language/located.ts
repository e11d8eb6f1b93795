/**
 * Values that know where they were written. Every phase until the schema works on these, so that whatever goes wrong
 * can be pointed at, through profiles, `--param`, anchors and `${params...}`.
 */
import type { Span } from "../diagnostics/span.ts";
import type { JsonObject, JsonValue } from "../json.ts";

export type Located = LocatedScalar | LocatedList | LocatedMap;

interface LocatedBase {
  /** Where the value was written. */
  readonly span: Span;
  /** Where an alias or a reference took it from there, nearest first. */
  readonly usedAt?: readonly Span[];
}

export interface LocatedScalar extends LocatedBase {
  readonly kind: "scalar";
  readonly value: string | number | boolean | null;
}

export interface LocatedList extends LocatedBase {
  readonly kind: "list";
  readonly items: readonly Located[];
}

export interface LocatedMap extends LocatedBase {
  readonly kind: "map";
  readonly entries: ReadonlyMap<string, LocatedEntry>;
}

export interface LocatedEntry {
  /** Of the key. */
  readonly keySpan: Span;
  readonly value: Located;
}

export type LocatedPath = readonly (string | number)[];

export function isNull(node: Located | undefined): boolean {
  return node === undefined || (node.kind === "scalar" && node.value === null);
}

export function toJson(node: Located): JsonValue {
  switch (node.kind) {
    case "scalar":
      return node.value;
    case "list":
      return node.items.map(toJson);
    case "map": {
      const value: Record<string, JsonValue> = {};
      for (const [key, entry] of node.entries) value[key] = toJson(entry.value);
      return value;
    }
  }
}

export function toJsonObject(node: LocatedMap): JsonObject {
  return toJson(node) as JsonObject;
}

/** How many values there are in it, itself included. */
export function countValues(node: Located): number {
  let count = 1;
  if (node.kind === "list") for (const item of node.items) count += countValues(item);
  if (node.kind === "map") for (const { value } of node.entries.values()) count += countValues(value);
  return count;
}

/** The node that a value was used at, as well as where it was written. */
export function usedAt(node: Located, span: Span): Located {
  return { ...node, usedAt: [span, ...(node.usedAt ?? [])] };
}

export interface Place {
  /** How many members of the path exist. */
  readonly depth: number;
  /** Of the last existing key; undefined where the path leads to the root or a list item. */
  readonly keySpan?: Span;
  readonly node: Located;
  /** Where the value, or what holds it, was used; nearest first. */
  readonly usedAt: readonly Span[];
}

/** Follows a path as far as it exists. */
export function locate(root: Located, path: LocatedPath): Place {
  let place: Place = { depth: 0, node: root, usedAt: root.usedAt ?? [] };
  for (const member of path) {
    const { node } = place;
    const entry = node.kind === "map" ? node.entries.get(String(member)) : undefined;
    const next = entry?.value ?? (node.kind === "list" ? node.items[Number(member)] : undefined);
    if (next === undefined) return place;
    place = {
      depth: place.depth + 1,
      node: next,
      usedAt: next.usedAt ?? place.usedAt,
      ...(entry === undefined ? {} : { keySpan: entry.keySpan }),
    };
  }
  return place;
}

/** The span of every value below `node` by dotted path. */
export function spansByPath(node: Located): Record<string, Span> {
  const spans: Record<string, Span> = {};
  const visit = (at: Located, path: string): void => {
    if (path !== "") spans[path] = at.span;
    const below = (name: string | number) => (path === "" ? String(name) : `${path}.${name}`);
    if (at.kind === "map") for (const [key, entry] of at.entries) visit(entry.value, below(key));
    if (at.kind === "list") for (const [index, item] of at.items.entries()) visit(item, below(index));
  };
  visit(node, "");
  return spans;
}
