/** Settings that the engine which a stage names does not have: known before a run, wherever the pipeline is checked. */
import { type Diagnostic, diagnose } from "../diagnostics/diagnostic.ts";
import type { Pipeline } from "../language/pipeline.ts";
import type { App } from "./app.ts";

/** What `auto` chooses is a matter of the machine. */
export function findUnsupported(app: App, { stages }: Pipeline): readonly Diagnostic[] {
  const found = new Map<string, Diagnostic>();
  for (const { engine, spans } of stages) {
    if (engine === undefined || engine.name === "auto") continue;
    const resolved = app.engines.resolve(engine);
    if (!("problem" in resolved) || resolved.setting === undefined) continue;
    const span = spans.engineSettings?.[resolved.setting] ?? spans.engine ?? spans.name;
    found.set(JSON.stringify(span), diagnose("language/unsupported-on-engine", resolved, span));
  }
  return [...found.values()];
}
