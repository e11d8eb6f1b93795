/**
 * A pipeline's text, loaded where its data need not be: what is not here counts as if it were, and is told by whoever needs
 * it. For commands that work from a lock in a clone.
 */
import { dirname, relative, resolve } from "node:path";
import type { UserStages } from "../identity/user-stages.ts";
import type { LoadResult } from "../language/load-pipeline.ts";
import type { PipelineSource } from "../language/source-files.ts";
import { type App, UsageError } from "./app.ts";
import { loadPipelineText } from "./load-pipeline-text.ts";
import { findArtifactsFolder } from "./open-pipeline.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { findUnsupported } from "./unsupported-settings.ts";

export interface LoadedWithoutData {
  readonly source: PipelineSource;
  /** Absolute. */
  readonly artifactsFolder: string;
  readonly userStages: UserStages;
  readonly loaded: LoadResult;
}

export async function loadWithoutData(app: App, file: string, options: PipelineOptions): Promise<LoadedWithoutData> {
  const { artifacts } = options;
  const absolute = resolve(app.cwd, file);
  const text = app.files.stat(absolute)?.kind === "file" ? app.files.readText(absolute) : undefined;
  if (text === undefined) throw new UsageError(`there is no pipeline file ${file}`);
  const source = { file: relative(app.cwd, absolute) || file, folder: dirname(absolute), text };
  const artifactsFolder = artifacts === undefined ? findArtifactsFolder(app, absolute) : resolve(app.cwd, artifacts);
  const { loaded, userStages } = await loadPipelineText(app, source, options, artifactsFolder, () => true);
  if (loaded.pipeline === undefined) return { source, artifactsFolder, userStages, loaded };
  const unsupported = findUnsupported(app, loaded.pipeline);
  if (unsupported.length === 0) return { source, artifactsFolder, userStages, loaded };
  const refused = { diagnostics: [...loaded.diagnostics, ...unsupported], texts: loaded.texts, pipeline: undefined };
  return { source, artifactsFolder, userStages, loaded: refused };
}
