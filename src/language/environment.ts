/** `env:`: the environment variables that a pipeline or a stage may see, by name. No other one is ever read. */
import { diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import { isNull, type LocatedEntry } from "./located.ts";
import { wrongType } from "./pipeline-shape.ts";

/** Listed names with their values; undefined where one is not set, which was reported. */
export type Environment = ReadonlyMap<string, string | undefined>;

/** Variables that the runner makes for shell stages begin with this. */
export const OWN_PREFIX = "TFPIPE_";
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** `outer` is what is listed around it. `values` is the user's environment. */
export function readEnvironment(
  entry: LocatedEntry | undefined,
  outer: Environment,
  values: Readonly<Record<string, string | undefined>>,
  report: ReportDiagnostic,
): Environment {
  if (entry === undefined || isNull(entry.value)) return outer;
  const environment = new Map(outer);
  const { value } = entry;
  for (const node of value.kind === "list" ? value.items : [value]) {
    if (node.kind !== "scalar" || typeof node.value !== "string") {
      report(wrongType('"env"', "a list of names of environment variables", node));
      continue;
    }
    const name = node.value;
    const isOwn = name.toUpperCase().startsWith(OWN_PREFIX);
    if (!NAME.test(name) || isOwn) {
      const rule = isOwn
        ? `names that start with ${OWN_PREFIX} are the runner's own`
        : "such a name starts with a letter or _ and goes on with letters, digits and _";
      report(diagnose("language/bad-name", { what: "the name of an environment variable", name, rule }, node.span));
      continue;
    }
    const found = Object.hasOwn(values, name) ? values[name] : undefined;
    if (found === undefined && !outer.has(name)) report(diagnose("language/unset-environment", { name }, node.span));
    environment.set(name, found);
  }
  return environment;
}
