/** Which engine each computing stage gets, made certain before any key is made. */
import type { ResolvedEngine } from "../execute/engine-port.ts";
import type { Pipeline } from "../language/pipeline.ts";
import { type App, UsageError } from "./app.ts";
import { EngineInstallRefused } from "./engine-tools.ts";
import { createProgressLine } from "./progress-line.ts";

/**
 * With `install`, a first use puts the native engine in place, with a progress bar. Where that fails, one line says what
 * is missing, what it costs and what mends it, and the run goes on with wasm.
 */
export async function resolveEngines(
  app: App,
  pipeline: Pipeline,
  { install, quiet }: { readonly install: boolean; readonly quiet: boolean },
): Promise<ReadonlyMap<string, ResolvedEngine>> {
  const computing = pipeline.stages.filter((stage) => stage.engine !== undefined);
  if (computing.some((stage) => stage.engine!.name === "auto")) {
    if (install && app.engines.shouldInstall()) await installOnFirstUse(app, quiet);
    else if (!quiet && install) noteRefusal(app);
  }
  const resolved = new Map<string, ResolvedEngine>();
  for (const stage of computing) {
    const engine = app.engines.resolve(stage.engine!);
    if ("problem" in engine) throw new UsageError(`stage ${stage.name}: ${engine.problem}`, engine.help);
    resolved.set(stage.name, engine);
  }
  return resolved;
}

function noteRefusal(app: App): void {
  const refusal = app.engines.refusal();
  if (refusal !== undefined) app.err.write(`note: ${refusal.message}; ${refusal.help}\n`);
}

async function installOnFirstUse(app: App, quiet: boolean): Promise<void> {
  if (!quiet) app.err.write("The native TensorFlow engine is not installed yet; this happens once (about 240 MB).\n");
  const line = createProgressLine(app.err, app.nowMs);
  try {
    await app.engines.install({ gpu: false, onProgress: quiet ? () => {} : line.show, signal: app.interrupts.stop });
    line.end();
  } catch (error) {
    line.end();
    if (!(error instanceof EngineInstallRefused)) throw error;
    app.err.write(`note: ${error.message}; ${error.help}\n`);
  }
}
