/**
 * The code of every stage type and engine: what runs, its digest, and what it was made of. Built with the package and
 * kept as `code.json`. In a source checkout the modules are there too: they are compared by stat, and whatever changed is
 * bundled again before keys are made, so an edit counts at once and a run never mixes old and new.
 */
import { dirname, join, relative, resolve, sep } from "node:path";
import { canonicalJson } from "../json.ts";
import type { FileStat, FileSystem } from "../platform/file-system.ts";
import type { CodeBundle } from "./bundle-code.ts";
import { digestBytes, digestFile } from "./digest.ts";
import type { CodeListing } from "./key-manifest.ts";

/** What `code.json` holds. */
export interface CodeIndex {
  readonly format: "tfpipe/code/1";
  readonly stages: Readonly<Record<string, StageCode>>;
  readonly engines: Readonly<Record<string, CodeBundle>>;
}

export interface StageCode {
  readonly entry: CodeBundle;
  readonly assets: Readonly<Record<string, CodeBundle>>;
}

/** What a stage's key and its worker need. */
export interface ResolvedCode {
  readonly digest: string;
  readonly packages: Readonly<Record<string, string>>;
  readonly listing: CodeListing;
  /** Absolute paths of what runs. */
  readonly entry: string;
  readonly assets: Readonly<Record<string, string>>;
  readonly engine?: string;
  /** Everything of it that will run or be read. */
  readonly bundles: readonly ResolvedBundle[];
  /** What a source file is bundled into: `the stage`, `its loader`, `engine wasm`. */
  readonly partsOf?: (module: string) => readonly string[];
}

export interface ResolvedBundle {
  /** Absolute. */
  readonly path: string;
  /** That it must have. */
  readonly digest: string;
  /** Where it lies beside the others, wherever they lie together: a folder for each bundle and what belongs to it. */
  readonly name: string;
}

export interface CodeLibrary {
  /** Of all the code there is: where it is equal, everything resolves to the same. */
  readonly digest: string;
  /** `stageType` is its name, of a user's own stage the absolute path of its module; `engine` where it computes. */
  resolve(stageType: string, engine: string | undefined): ResolvedCode;
}

export interface CodeLibraryOptions {
  readonly files: FileSystem;
  /** Folder of `code.json` and the bundles. */
  readonly folder: string;
  /** Folder of the sources, where this is a source checkout. */
  readonly sources: string | undefined;
  readonly unique: () => string;
  /** The user's own stages, by the absolute path of their module. */
  readonly userStages?: ReadonlyMap<string, StageCode>;
}

export async function openCodeLibrary(options: CodeLibraryOptions): Promise<CodeLibrary> {
  const { files, folder } = options;
  const text = files.readText(join(folder, "code.json"));
  if (text === undefined)
    throw new Error(`${join(folder, "code.json")} is missing: the package was not built (npm run build)`);
  const built = JSON.parse(text) as CodeIndex;
  const index = options.sources === undefined ? built : await refresh(options, built, options.sources);
  const userStages = [...(options.userStages ?? [])];
  // Thousands of stages of one type ask.
  const resolved = new Map<string, ResolvedCode>();
  let digest: string | undefined;
  return {
    get digest() {
      digest ??= digestBytes(JSON.stringify([index === built ? digestBytes(text) : index, userStages]));
      return digest;
    },
    resolve(stageType, engine) {
      const name = JSON.stringify([stageType, engine]);
      const before = resolved.get(name);
      if (before !== undefined) return before;
      const stage = options.userStages?.get(stageType) ?? index.stages[stageType];
      if (stage === undefined) throw new Error(`no code for stage type ${stageType}`);
      const engineCode = engine === undefined ? undefined : index.engines[engine];
      if (engine !== undefined && engineCode === undefined) throw new Error(`no code for engine ${engine}`);
      const assets = Object.entries(stage.assets);
      const all = [stage.entry, ...assets.map(([, asset]) => asset), ...(engineCode ? [engineCode] : [])];
      const code: ResolvedCode = {
        digest: digestOfCode({
          entry: stage.entry.digest,
          assets: Object.fromEntries(assets.map(([name, asset]) => [name, asset.digest])),
          ...(engineCode ? { engine: engineCode.digest } : {}),
        }),
        packages: Object.assign({}, ...all.map((bundle) => bundle.packages)) as Record<string, string>,
        listing: { modules: Object.assign({}, ...all.map((bundle) => bundle.modules)) as Record<string, string> },
        entry: resolve(folder, stage.entry.file),
        assets: Object.fromEntries(assets.map(([name, asset]) => [name, resolve(folder, asset.file)])),
        ...(engineCode ? { engine: resolve(folder, engineCode.file) } : {}),
        bundles: all.flatMap((bundle) =>
          [bundle, ...(bundle.beside ?? [])].map(({ file, digest }) => {
            const inside = relative(dirname(bundle.file), file).replaceAll(sep, "/");
            return { path: resolve(folder, file), digest, name: `${bundle.digest.slice(0, 16)}/${inside}` };
          }),
        ),
        partsOf(module) {
          const parts: readonly (readonly [string, CodeBundle | undefined])[] = [
            ["the stage", stage.entry],
            ...assets.map(([name, asset]) => [`its ${name}`, asset] as const),
            [`engine ${engine}`, engineCode],
          ];
          return parts.flatMap(([part, bundle]) => (bundle?.modules[module] === undefined ? [] : [part]));
        },
      };
      resolved.set(name, code);
      return code;
    },
  };
}

/** Of all that runs for a stage: the digest of its bundle, of what it declares beside it, and of its engine's. */
export function digestOfCode(parts: {
  readonly entry: string;
  readonly assets: Readonly<Record<string, string>>;
  readonly engine?: string;
}): string {
  return digestBytes(canonicalJson(parts));
}

/** Of a pipeline whose stages are all commands: there is nothing to open. */
export const NO_CODE: CodeLibrary = {
  digest: "",
  resolve(stageType) {
    throw new Error(`the code of stage type ${stageType} was not opened`);
  },
};

/** Bundles again what is no longer what it was made of. */
async function refresh(options: CodeLibraryOptions, built: CodeIndex, sources: string): Promise<CodeIndex> {
  const { files, folder, unique } = options;
  const memo = readStats(files, join(folder, "stats.json"));
  let statsChanged = false;
  let codeChanged = false;
  const moduleDigest = async (path: string): Promise<string | undefined> => {
    const absolute = join(sources, path);
    const stat = files.stat(absolute);
    if (stat === undefined) return undefined;
    const key = statKey(stat);
    if (memo.get(path)?.key === key) return memo.get(path)!.digest;
    const digest = await digestFile(files, absolute);
    memo.set(path, { key, digest });
    statsChanged = true;
    return digest;
  };
  const isCurrent = async (bundle: CodeBundle): Promise<boolean> => {
    for (const [path, digest] of Object.entries(bundle.modules))
      if ((await moduleDigest(path)) !== digest) return false;
    for (const [path, digest] of Object.entries(bundle.manifests ?? {}))
      if ((await moduleDigest(path)) !== digest) return false;
    return true;
  };
  const current = async (bundle: CodeBundle): Promise<CodeBundle> => {
    if (files.stat(join(folder, bundle.file)) !== undefined && (await isCurrent(bundle))) return bundle;
    const { bundleCode } = await import("./bundle-code.ts");
    const made = await bundleCode(sources, bundle.source);
    codeChanged = true;
    if (files.stat(join(folder, made.bundle.file)) === undefined) {
      const temporary = join(folder, `${unique()}.tmp`);
      files.writeNew(temporary, made.text);
      files.rename(temporary, join(folder, made.bundle.file));
    }
    return made.bundle;
  };
  const each = async (bundles: Readonly<Record<string, CodeBundle>>): Promise<Record<string, CodeBundle>> => {
    const result: Record<string, CodeBundle> = {};
    for (const [name, bundle] of Object.entries(bundles)) result[name] = await current(bundle);
    return result;
  };
  const stages: Record<string, StageCode> = {};
  for (const [type, stage] of Object.entries(built.stages))
    stages[type] = { entry: await current(stage.entry), assets: await each(stage.assets) };
  const index: CodeIndex = { format: "tfpipe/code/1", stages, engines: await each(built.engines) };
  const replace = (name: string, text: string) => {
    const temporary = join(folder, `${unique()}.tmp`);
    files.writeNew(temporary, text);
    files.rename(temporary, join(folder, name));
  };
  if (codeChanged) replace("code.json", JSON.stringify(index));
  try {
    if (statsChanged) replace("stats.json", JSON.stringify([...memo]));
  } catch {
    // It only saves work: the sources are read again next time.
  }
  return codeChanged ? index : built;
}

interface KnownModule {
  readonly key: string;
  readonly digest: string;
}

function readStats(files: FileSystem, path: string): Map<string, KnownModule> {
  try {
    return new Map(JSON.parse(files.readText(path) ?? "[]") as [string, KnownModule][]);
  } catch {
    return new Map();
  }
}

/** Sources are edited by people, seconds apart from any run; a rewrite changes ctime even where mtime is set back. */
function statKey(stat: FileStat): string {
  return [stat.sizeBytes, stat.mtimeNs, stat.ctimeNs, stat.inode].join(" ");
}
