/**
 * A stage's settings against its type's JSON Schema: the schema fitted to them with defaults filled (`fit-schema.ts`),
 * judged (`judge-schema.ts`), and what is wrong put into words at its place (`explain-problem.ts`).
 */
import type { ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { JsonObject } from "../json.ts";
import { type CheckedParams, explainProblem } from "./explain-problem.ts";
import { fitSchema } from "./fit-schema.ts";
import { judgeSchema, type SchemaProblem } from "./judge-schema.ts";
import { toJson } from "./located.ts";

/** The params with defaults filled, or undefined after a problem. */
export function checkParams(subject: CheckedParams, report: ReportDiagnostic): JsonObject | undefined {
  const given = subject.settings === undefined ? {} : toJson(subject.settings);
  const { schema, value } = fitSchema(subject.schema, given);
  const problems = judgeSchema(subject.schema, schema, value);
  const told = new Set<string>();
  for (const problem of withoutEchoes(problems)) {
    const diagnostic = explainProblem(problem, subject);
    const key = JSON.stringify([diagnostic.span, diagnostic.message]);
    if (!told.has(key)) report(diagnostic);
    told.add(key);
  }
  return problems.length === 0 ? (value as JsonObject) : undefined;
}

/** A value of the wrong sort is not also told that it is none of the allowed ones. */
function withoutEchoes(problems: readonly SchemaProblem[]): readonly SchemaProblem[] {
  const pathOf = ({ path }: SchemaProblem) => JSON.stringify(path);
  const wrongSort = new Set(problems.filter(({ keyword }) => keyword === "type").map(pathOf));
  return problems.filter((problem) => problem.keyword === "type" || !wrongSort.has(pathOf(problem)));
}
