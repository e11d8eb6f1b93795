/** Which engine each computing stage gets, made certain before any key is made. */
import { isDeepStrictEqual } from "node:util";
import { type Diagnostic, diagnose } from "../diagnostics/diagnostic.ts";
import { renderDiagnostics } from "../diagnostics/render-diagnostic.ts";
import type { EngineProblem, ResolvedEngine } from "../execute/engine-port.ts";
import type { App } from "./app.ts";
import { EngineInstallRefused } from "./engine-tools.ts";
import type { OpenedPipeline } from "./open-pipeline.ts";
import { createProgressLine } from "./progress-line.ts";

/**
 * Undefined where a stage asks for an engine that is not here; its diagnostics were written and the exit code is 2.
 * With `install`, a first use puts the native engine in place, with a progress bar. Where that fails, one line says what
 * is missing, what it costs and what mends it, and the run goes on with wasm. An engine that computes wrongly is refused.
 */
export async function resolveEngines(
  app: App,
  opened: OpenedPipeline,
  { install }: { readonly install: boolean },
): Promise<ReadonlyMap<string, ResolvedEngine> | undefined> {
  const computing = opened.pipeline.stages.filter(
    ({ name, engine }) => engine !== undefined && opened.selected.includes(name),
  );
  if (computing.some((stage) => stage.engine!.name === "auto")) {
    if (!app.engines.shouldInstall()) noteRefusal(app);
    else if (install) await installOnFirstUse(app);
    else app.err.write("note: the native engine is not installed yet; a run installs it first (until then: wasm)\n");
  }
  const resolved = new Map<string, ResolvedEngine>();
  const diagnostics: Diagnostic[] = [];
  const unavailable = (stage: (typeof computing)[number], reason: string, help: string): void => {
    const span = stage.spans.engine ?? stage.spans.name;
    const engine = stage.engine!.name;
    diagnostics.push(diagnose("language/engine-unavailable", { stage: stage.name, engine, reason, help }, span));
  };
  const unsupported = (stage: (typeof computing)[number], setting: string, words: EngineProblem): void => {
    const span = stage.spans.engineSettings?.[setting] ?? stage.spans.engine ?? stage.spans.name;
    const diagnostic = diagnose("language/unsupported-on-engine", words, span);
    // Stages may have it from the one engine of the pipeline.
    if (!diagnostics.some(({ message, span: at }) => message === diagnostic.message && isDeepStrictEqual(at, span)))
      diagnostics.push(diagnostic);
  };
  for (const stage of computing) {
    const setting = stage.engine!;
    const engine = app.engines.resolve(setting);
    if ("problem" in engine) {
      if (engine.setting === undefined) unavailable(stage, engine.problem, engine.help);
      else unsupported(stage, engine.setting, engine);
      continue;
    }
    const wrong = install ? await app.engines.prove(engine, app.interrupts.stop) : undefined;
    if (wrong === undefined) resolved.set(stage.name, engine);
    else
      unavailable(
        stage,
        `the ${engine.name} engine fails its self-test: ${wrong}`,
        "use another engine; `pipe engine` tests them",
      );
  }
  if (diagnostics.length === 0) return resolved;
  app.err.write(renderDiagnostics(diagnostics, opened.texts, { color: app.err.color }));
  return undefined;
}

function noteRefusal(app: App): void {
  const refusal = app.engines.refusal();
  if (refusal !== undefined) app.err.write(`note: ${refusal.message}; ${refusal.help}\n`);
}

async function installOnFirstUse(app: App): Promise<void> {
  app.err.write("The native TensorFlow engine is not installed yet; this happens once (230 MB to download).\n");
  const line = createProgressLine(app.err, app.nowMs);
  try {
    await app.engines.install({ gpu: false, onProgress: line.show, signal: app.interrupts.stop });
    line.end();
  } catch (error) {
    line.end();
    if (app.interrupts.stop.aborted) return;
    if (!(error instanceof EngineInstallRefused)) throw error;
    app.err.write(`note: ${error.message}; ${error.help}\n`);
  }
}
