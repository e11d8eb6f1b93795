/**
 * The pipeline that a file came to, kept in the store, so that a run with nothing to do parses no YAML: it is read again
 * while everything it was made of is as it was.
 *
 * What must stay true: a kept pipeline is the one that the file would come to now. So it is found by what was asked for
 * (file, profiles, params, folders) and by the build of this program, and believed only where the texts, the included
 * files, the values of listed environment variables, the user's own stages and the paths that must exist are the same,
 * and where its own digest is right. Only what came without a word of criticism is kept.
 */
import { dirname, join } from "node:path";
import { digestBytes } from "../identity/digest.ts";
import { readSealed, type SealedText, sealText } from "../identity/sealed-text.ts";
import type { UserStages } from "../identity/user-stages.ts";
import type { Pipeline } from "../language/pipeline.ts";
import { OVERRIDES_FILE, PROFILES_FILE } from "../language/pseudo-files.ts";
import type { PipelineSource } from "../language/source-files.ts";
import { type SweepWords, sweepTexts } from "../language/sweep-words.ts";
import type { FileSystem } from "../platform/file-system.ts";

/** What decides which pipeline a text comes to, beside the text and the world. */
export interface PipelineQuestion {
  readonly source: Omit<PipelineSource, "text">;
  readonly profiles: readonly string[];
  readonly overrides: readonly string[];
  readonly sweep?: SweepWords;
  readonly workingFolder: string;
  /** Tells builds of this program apart. */
  readonly build: string;
}

/** What was looked at while the pipeline was made. */
export interface PipelineSources {
  /** The texts read, each by the name that spans give it; the pipeline's own first. */
  readonly texts: readonly { readonly name: string; readonly path: string; readonly digest: string }[];
  /** By name; null where it is not set. */
  readonly environment: Readonly<Record<string, string | null>>;
  /** Paths that must exist. */
  readonly paths: readonly string[];
  /** Of each of the user's own stages its digest (`UserStages.digests`), by the path of its module. */
  readonly modules: Readonly<Record<string, string>>;
}

interface KeptPipeline {
  readonly format: typeof FORMAT;
  readonly sources: PipelineSources;
  readonly pipeline: Pipeline;
}

const FORMAT = "tfpipe/pipeline/1";
const MOST_KEPT = 64;

export interface FoundPipeline {
  readonly pipeline: Pipeline;
  /** Of the pipeline and all that it was made of. */
  readonly digest: string;
  readonly texts: ReadonlyMap<string, string>;
  readonly userStages: UserStages;
}

export interface KeptPipelines {
  /** With what spans point into. `loadStages` is asked where the pipeline uses stages of the user's own. */
  find(
    question: PipelineQuestion,
    environment: Readonly<Record<string, string | undefined>>,
    loadStages: (modules: readonly string[]) => Promise<UserStages>,
  ): Promise<FoundPipeline | undefined>;
  /** False where there is no store, or where it cannot be written: it only saves work. */
  keep(question: PipelineQuestion, pipeline: SealedText): boolean;
}

/** As it is kept; its digest is that of the same pipeline found again. */
export function sealPipeline(sources: PipelineSources, pipeline: Pipeline): SealedText {
  return sealText(JSON.stringify({ format: FORMAT, sources, pipeline } satisfies KeptPipeline));
}

export const NO_USER_STAGES: UserStages = {
  types: new Map(),
  problems: new Map(),
  code: new Map(),
  digests: new Map(),
  sources: new Map(),
};

/** `store` is the folder `.store`; nothing is kept before a run has made it. */
export function openKeptPipelines(files: FileSystem, store: string, unique: () => string): KeptPipelines {
  const place = (question: PipelineQuestion) =>
    join(store, "memo", `pipeline-${digestBytes(JSON.stringify([FORMAT, question])).slice(0, 32)}.json`);
  return {
    async find(question, environment, loadStages) {
      const kept = readSealed(files, place(question));
      if (kept === undefined) return undefined;
      const { digest } = kept;
      const parsed = parseKept(kept.body);
      if (parsed === undefined) return undefined;
      const { pipeline, sources } = parsed;
      const texts = readUnchanged(files, sources, environment);
      if (texts === undefined) return undefined;
      texts.set(PROFILES_FILE, question.profiles.join("\n"));
      texts.set(OVERRIDES_FILE, question.overrides.join("\n"));
      for (const [file, text] of sweepTexts(question.sweep)) texts.set(file, text);
      const modules = Object.keys(sources.modules);
      if (modules.length === 0) return { pipeline, digest, texts, userStages: NO_USER_STAGES };
      const userStages = await loadStages(modules);
      const isSame = modules.every((path) => userStages.digests.get(path) === sources.modules[path]);
      return isSame ? { pipeline, digest, texts, userStages } : undefined;
    },
    keep(question, { text }) {
      const path = place(question);
      const temporary = join(store, "tmp", unique());
      try {
        if (files.stat(dirname(path)) === undefined) return false;
        files.writeNew(temporary, text);
        files.rename(temporary, path);
        dropOldest(files, dirname(path));
        return true;
      } catch {
        // A store that cannot be written means reading the YAML again.
        return false;
      }
    },
  };
}

/** Undefined where the text is another program's. */
function parseKept(body: string): KeptPipeline | undefined {
  try {
    const kept = JSON.parse(body) as Partial<KeptPipeline> | null;
    return kept?.format === FORMAT ? (kept as KeptPipeline) : undefined;
  } catch {
    return undefined;
  }
}

/** Every build of this program and every `--param` asks another question. */
function dropOldest(files: FileSystem, folder: string): void {
  const names = files.list(folder).filter((name) => name.startsWith("pipeline-"));
  if (names.length <= MOST_KEPT) return;
  const aged = names.map((name) => ({ name, madeNs: files.stat(join(folder, name))?.mtimeNs ?? 0n }));
  aged.sort((a, b) => (a.madeNs < b.madeNs ? -1 : a.madeNs > b.madeNs ? 1 : 0));
  for (const { name } of aged.slice(0, names.length - MOST_KEPT / 2)) files.remove(join(folder, name));
}

/** The texts by name; undefined where something is not as it was. */
function readUnchanged(
  files: FileSystem,
  { texts, environment, paths }: PipelineSources,
  now: Readonly<Record<string, string | undefined>>,
): Map<string, string> | undefined {
  for (const [name, value] of Object.entries(environment)) if ((now[name] ?? null) !== value) return undefined;
  if (!paths.every((path) => files.stat(path) !== undefined)) return undefined;
  const found = new Map<string, string>();
  for (const { name, path, digest } of texts) {
    const text = files.readText(path);
    if (text === undefined || digestBytes(text) !== digest) return undefined;
    found.set(name, text);
  }
  return found;
}
