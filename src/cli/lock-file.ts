/** The lock of a pipeline on disk: `pipelines/x.lock.yaml` beside `pipelines/x.yaml`, read whole and replaced whole. */
import { join, relative, resolve } from "node:path";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import type { Lock } from "../identity/lock.ts";
import { readLock, renderLock } from "../identity/lock-text.ts";
import type { JsonObject } from "../json.ts";
import type { App } from "./app.ts";

export interface OpenedLock {
  /** Absolute. */
  readonly path: string;
  /** As it is shown. */
  readonly file: string;
  readonly text: string;
  readonly lock: Lock;
}

/** `pipelineFile` as the user gave it. */
export function lockPath(app: App, pipelineFile: string): string {
  return resolve(app.cwd, pipelineFile.replace(/\.ya?ml$/, "") + LOCK_ENDING);
}

const LOCK_ENDING = ".lock.yaml";

export function showLockFile(app: App, pipelineFile: string): string {
  return relative(app.cwd, lockPath(app, pipelineFile));
}

/** Undefined where there is none; what is wrong with it where it cannot be read. */
export async function openLock(
  app: App,
  pipelineFile: string,
): Promise<OpenedLock | { readonly diagnostics: readonly Diagnostic[]; readonly text: string } | undefined> {
  const path = lockPath(app, pipelineFile);
  const text = app.files.stat(path) === undefined ? undefined : app.files.readText(path);
  if (text === undefined) return undefined;
  const file = showLockFile(app, pipelineFile);
  const asWritten = readLock(text);
  if (asWritten !== undefined) return { path, file, text, lock: asWritten };
  const { parseLock } = await import("../identity/parse-lock.ts");
  const schema = JSON.parse(app.files.readText(join(app.packageFolder, "schemas", "lock.schema.json"))!) as JsonObject;
  const diagnostics: Diagnostic[] = [];
  const lock = parseLock({ file, text }, schema, (diagnostic) => diagnostics.push(diagnostic));
  return lock === undefined ? { diagnostics, text } : { path, file, text, lock };
}

/** As `openLock`; what is wrong with it was written. */
export async function openLockOrTell(app: App, pipelineFile: string): Promise<OpenedLock | "wrong" | undefined> {
  const opened = await openLock(app, pipelineFile);
  if (opened === undefined || "lock" in opened) return opened;
  const { renderDiagnostics } = await import("../diagnostics/render-diagnostic.ts");
  const texts = new Map([[showLockFile(app, pipelineFile), opened.text]]);
  app.err.write(renderDiagnostics(opened.diagnostics, texts, { color: app.err.color }));
  return "wrong";
}

/** False where it already is what is on disk. */
export function writeLock(app: App, pipelineFile: string, lock: Lock, before: string | undefined): boolean {
  const text = renderLock(lock);
  if (text === before) return false;
  const path = lockPath(app, pipelineFile);
  const temporary = `${path}.${app.unique()}.tmp`;
  try {
    app.files.writeNew(temporary, text);
    app.files.rename(temporary, path);
  } catch (error) {
    app.files.remove(temporary);
    throw error;
  }
  return true;
}
