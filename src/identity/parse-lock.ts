/**
 * A lock that is not as it was written: edited, merged with conflicts, or of another program. Either it still is a lock,
 * or what is wrong with it is said at its line. Loads the YAML parser, and is loaded only for such a text and where a
 * place in a lock must be shown.
 */
import { diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";
import { isJsonObject, type JsonObject } from "../json.ts";
import { explainProblem } from "../language/explain-problem.ts";
import { judgeSchema } from "../language/judge-schema.ts";
import { type LocatedMap, locate, toJsonObject } from "../language/located.ts";
import { parseYaml } from "../language/parse-yaml.ts";
import type { Lock } from "./lock.ts";
import { LOCK_FORMAT, lockFromJson } from "./lock-text.ts";

export interface LockSource {
  /** As it is shown. */
  readonly file: string;
  readonly text: string;
}

/** `schema` is `schemas/lock.schema.json`. Undefined after a problem. */
export function parseLock(source: LockSource, schema: JsonObject, report: ReportDiagnostic): Lock | undefined {
  const { file, text } = source;
  const conflict = /^(?:<{7}|={7}|>{7})(?: .*)?$/m.exec(text);
  if (conflict !== null) {
    const span = { file, start: conflict.index, end: conflict.index + conflict[0].length };
    report(diagnose("lock/merge-conflict", {}, span));
    return undefined;
  }
  const root = parseYaml(source, report);
  if (root === undefined) return undefined;
  if (root.kind !== "map") {
    report(diagnose("lock/not-a-lock", {}, { file, start: 0, end: firstLine(text) }));
    return undefined;
  }
  const json = toJsonObject(root);
  if (json.format !== LOCK_FORMAT) {
    const format = root.entries.get("format");
    const words = typeof json.format === "string" ? { format: json.format } : {};
    report(diagnose("lock/not-a-lock", words, format?.value.span ?? { file, start: 0, end: firstLine(text) }));
    return undefined;
  }
  const subject = {
    owner: "the lock",
    schema,
    settings: root,
    ownerSpan: { file, start: 0, end: firstLine(text) },
  };
  const problems = judgeSchema(schema, schema, json);
  for (const problem of problems) report(explainProblem(problem, subject));
  if (problems.length > 0) return undefined;
  for (const place of findUnlisted(root, json))
    report(diagnose("lock/without-machine", { stage: place.stage }, place.span));
  return lockFromJson(json);
}

/** Stages of which `machine` does not say what made them: what a schema cannot say. */
function findUnlisted(root: LocatedMap, { results }: JsonObject): readonly { stage: string; span: Span }[] {
  return Object.entries(isJsonObject(results) ? results : {}).flatMap(([name, section]) => {
    const { stages, machine } = section as JsonObject;
    const listed = isJsonObject(machine) ? machine : {};
    return Object.keys(isJsonObject(stages) ? stages : {})
      .filter((stage) => !Object.hasOwn(listed, stage))
      .map((stage) => ({ stage, span: locate(root, ["results", name, "stages", stage]).keySpan! }));
  });
}

/** Where a part of a lock is written: its name, or that of the nearest part around it that is there. */
export function createLockPlaces(source: LockSource): (path: readonly string[]) => Span {
  const root = parseYaml(source, () => {});
  return (path) => {
    const start = { file: source.file, start: 0, end: firstLine(source.text) };
    return root === undefined ? start : (locate(root, path).keySpan ?? start);
  };
}

function firstLine(text: string): number {
  const end = text.indexOf("\n");
  return end < 0 ? text.length : end;
}
