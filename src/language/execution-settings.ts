/** `resources`, `timeout`, `retries`, `cache`, `frozen`, `nondeterministic`: how a stage is run, with their units read. */
import { diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";
import { isJsonObject, type JsonObject } from "../json.ts";
import { checkParams } from "./check-params.ts";
import { EXECUTION_SCHEMA } from "./execution-schema.generated.ts";
import type { LocatedEntry, LocatedMap } from "./located.ts";
import type { ExecutionSettings } from "./pipeline.ts";
import type { Resolve } from "./variables.ts";

export const DEFAULT_EXECUTION: ExecutionSettings = { retries: 0, cache: true, frozen: false };
/** Timers go no further: 2^31 milliseconds. */
const LONGEST_DAYS = 24;

/** The defaults stand in for what is wrong, which is reported. */
export function readExecution(
  owner: string,
  ownerSpan: Span,
  given: ReadonlyMap<string, LocatedEntry>,
  resolve: Resolve,
  report: ReportDiagnostic,
): ExecutionSettings {
  if (given.size === 0) return DEFAULT_EXECUTION;
  const entries = new Map<string, LocatedEntry>();
  for (const [key, { keySpan, value }] of given) {
    const resolved = resolve(value);
    if (resolved !== undefined) entries.set(key, { keySpan, value: resolved });
  }
  const settings: LocatedMap = { kind: "map", span: ownerSpan, entries };
  const checked = checkParams({ owner, schema: EXECUTION_SCHEMA, settings, ownerSpan }, report);
  if (checked === undefined) return DEFAULT_EXECUTION;
  const { resources, timeout, retries, cache, frozen, nondeterministic } = checked;
  const outOfRange = (name: string, key: string, expected: string, actual: string) =>
    report(diagnose("language/out-of-range", { name, expected, actual }, spanAt(entries, key)));
  const timeoutMs = typeof timeout === "string" ? parseDuration(timeout) : undefined;
  if (timeoutMs === 0) outOfRange('"timeout"', "timeout", "more than nothing", String(timeout));
  if (timeoutMs !== undefined && timeoutMs > LONGEST_DAYS * UNITS_MS.d!)
    outOfRange('"timeout"', "timeout", `at most ${LONGEST_DAYS} d`, String(timeout));
  const { cpus, memory, gpus } = (isJsonObject(resources) ? resources : {}) as JsonObject;
  const memoryBytes = typeof memory === "string" ? parseSize(memory) : undefined;
  if (memoryBytes === 0) outOfRange('"resources.memory"', "resources", "more than nothing", String(memory));
  if (memoryBytes !== undefined && memoryBytes > Number.MAX_SAFE_INTEGER)
    outOfRange('"resources.memory"', "resources", "at most 9000 TB", String(memory));
  if (cache === false && frozen === true) {
    const words = {
      owner,
      first: "cache: false",
      second: "frozen: true",
      help: "it runs each time, or never: remove one",
    };
    const notes = [{ message: '"cache" is here', span: entries.get("cache")!.keySpan }];
    report(diagnose("language/conflicting-keys", words, entries.get("frozen")!.keySpan, notes));
  }
  return {
    ...(typeof cpus === "number" ? { cpus } : {}),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(typeof gpus === "number" ? { gpus } : {}),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    retries: retries as number,
    cache: cache as boolean,
    frozen: frozen as boolean,
    ...(typeof nondeterministic === "string" ? { nondeterministic } : {}),
  };
}

function spanAt(entries: ReadonlyMap<string, LocatedEntry>, key: string): Span {
  const { value } = entries.get(key)!;
  const memory = value.kind === "map" ? value.entries.get("memory")?.value : undefined;
  return (memory ?? value).span;
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** `1 h 30 min`, which the schema has checked. */
function parseDuration(text: string): number {
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)/g))
    ms += Number(amount) * UNITS_MS[unit!]!;
  return Math.round(ms);
}

/** `4 GB` of a thousand, `4 GiB` of 1,024. */
function parseSize(text: string): number {
  const [, amount, prefix, binary] = /(\d+(?:\.\d+)?)\s*(?:([kKMGT])(i?))?B/.exec(text)!;
  const power = prefix === undefined ? 0 : "KMGT".indexOf(prefix.toUpperCase()) + 1;
  return Math.round(Number(amount) * (binary === "i" ? 1024 : 1000) ** power);
}
