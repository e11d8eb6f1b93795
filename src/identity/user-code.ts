/**
 * The bundles of a user's modules, kept in the store (`.store/code/`) with an index of what each was made of: every
 * module, the packages' manifests, and the names in the folders of modules (a new file there can change what an import
 * without an ending means). While all of that is as it was, by the stat memo, nothing is bundled and no bundler is loaded.
 *
 *   code/index.json  stats.json
 *   code/<digest>/<module>.mjs  <module>.mjs.map  packages/<name>.mjs
 */
import { basename, dirname, extname, join, relative } from "node:path";
import { type FileSystem, isRefusal } from "../platform/file-system.ts";
import type { CodeBundle } from "./bundle-code.ts";
import type { UserBundle } from "./bundle-user-code.ts";
import { digestBytes } from "./digest.ts";
import { createStatMemo } from "./stat-memo.ts";

export interface UserCodeOptions {
  readonly files: FileSystem;
  /** `.store/code`. */
  readonly folder: string;
  /** A folder that lasts as long as this process: for bundles where the store cannot be written. Asked at most once. */
  readonly elsewhere: () => string;
  /** This package's: what `tfpipe` is for the user's modules. */
  readonly packageFolder: string;
  readonly unique: () => string;
  readonly nowNs: () => bigint;
}

export interface UserCode {
  /** The bundle of a module, or the copy of a file that is no code; absolute path. Throws `UnbundlableModule`. */
  bundle(path: string): Promise<CodeBundle>;
  /** Absolute paths of what a bundle was made of: modules, and manifests of packages. */
  sourcesOf(path: string): readonly string[];
  /** What was kept under a name with `note`, while `bundle` is the one that it was noted for. */
  recall(path: string, bundle: CodeBundle): unknown;
  note(path: string, bundle: CodeBundle, value: unknown): void;
  /** Quiet where the store cannot be written. */
  save(): void;
}

interface IndexedBundle {
  readonly bundle: CodeBundle;
  /** Digest by absolute path. */
  readonly files: Readonly<Record<string, string>>;
  /** Digest of the names in a folder. */
  readonly folders: Readonly<Record<string, string>>;
}

interface Index {
  readonly format: typeof FORMAT;
  readonly bundles: Readonly<Record<string, IndexedBundle>>;
  readonly notes: Readonly<Record<string, { readonly digest: string; readonly value: unknown }>>;
}

/** Whatever else a stage names is read as it is. */
const CODE_EXTENSIONS: readonly string[] = [".ts", ".mts", ".js", ".mjs"];

/** Another number where bundles are made in another way. */
const FORMAT = "tfpipe/user-code/1";

export function openUserCode(options: UserCodeOptions): UserCode {
  const { files, folder, elsewhere, packageFolder, unique, nowNs } = options;
  // The store's own, where nothing stays that a killed process leaves.
  const temporaries = join(folder, "..", "tmp");
  const temporary = () => join(temporaries, unique());
  const memo = createStatMemo({ files, path: join(folder, "stats.json"), tmp: temporary, nowNs });
  const { bundles, notes } = readIndex(files, join(folder, "index.json"));
  let changed = false;

  const digestOf = async (path: string): Promise<string | undefined> => {
    const stat = files.stat(path);
    return stat?.kind === "file" ? memo.digest(path, stat) : undefined;
  };
  const isCurrent = async ({ bundle, files: made, folders }: IndexedBundle): Promise<boolean> => {
    // What is in the store may have been lost or edited: then it is made again.
    for (const { file, digest } of [bundle, ...(bundle.beside ?? [])])
      if ((await digestOf(file)) !== digest) return false;
    for (const [path, digest] of Object.entries(folders)) if (digestNames(files, path) !== digest) return false;
    for (const [path, digest] of Object.entries(made)) if ((await digestOf(path)) !== digest) return false;
    return true;
  };
  const write = (name: string, text: Uint8Array | string): string => {
    const path = join(folder, name);
    files.makeFolder(dirname(path));
    files.makeFolder(temporaries);
    const staged = temporary();
    files.writeNew(staged, text);
    files.rename(staged, path);
    return path;
  };
  let refuge: string | undefined;
  /** Into `<home>/` of the store, or where it cannot be written of another folder; says which. */
  const writeAll = (home: string, texts: Readonly<Record<string, Uint8Array | string>>): string => {
    try {
      if (refuge === undefined) {
        for (const [name, text] of Object.entries(texts)) write(`${home}/${name}`, text);
        return join(folder, home);
      }
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
    refuge ??= elsewhere();
    for (const [name, text] of Object.entries(texts)) {
      const path = join(refuge, home, name);
      files.makeFolder(dirname(path));
      files.remove(path);
      files.writeNew(path, text);
    }
    return join(refuge, home);
  };
  const place = (made: UserBundle, path: string): CodeBundle => {
    const home = writeAll(made.digest.slice(0, 16), made.files);
    const beside = Object.entries(made.files).filter(([name]) => name.startsWith("packages/"));
    const nameOf = (module: string) => nameModule(files, module, packageFolder);
    return {
      source: nameOf(path),
      file: join(home, made.entry),
      digest: made.digest,
      modules: Object.fromEntries(Object.entries(made.modules).map(([module, digest]) => [nameOf(module), digest])),
      packages: made.packages,
      beside: beside.map(([name, text]) => ({ file: join(home, name), digest: digestBytes(text) })),
    };
  };
  const makeBundle = async (path: string): Promise<IndexedBundle> => {
    if (!CODE_EXTENSIONS.includes(extname(path))) return copyFile(path);
    const { bundleUserCode } = await import("./bundle-user-code.ts");
    const made = await bundleUserCode(path, packageFolder);
    const folders = new Set(Object.keys(made.modules).map(dirname));
    return {
      bundle: place(made, path),
      files: { ...made.modules, ...made.manifests },
      folders: Object.fromEntries([...folders].map((one) => [one, digestNames(files, one)])),
    };
  };
  const copyFile = (path: string): IndexedBundle => {
    const bytes = files.read(path);
    const digest = digestBytes(bytes);
    const source = nameModule(files, path, packageFolder);
    const file = join(writeAll(digest.slice(0, 16), { [basename(path)]: bytes }), basename(path));
    const bundle = { source, file, digest, modules: { [source]: digest }, packages: {} };
    return { bundle, files: { [path]: digest }, folders: {} };
  };
  return {
    async bundle(path) {
      const known = bundles[path];
      if (known !== undefined && (await isCurrent(known))) return known.bundle;
      const made = await makeBundle(path);
      bundles[path] = made;
      changed = true;
      return made.bundle;
    },
    sourcesOf: (path) => Object.keys(bundles[path]?.files ?? {}),
    recall: (path, { digest }) => (notes[path]?.digest === digest ? notes[path].value : undefined),
    note(path, { digest }, value) {
      notes[path] = { digest, value };
      changed = true;
    },
    save() {
      memo.save();
      if (!changed) return;
      changed = false;
      const index: Index = { format: FORMAT, bundles, notes };
      try {
        write("index.json", JSON.stringify(index));
      } catch {
        // It only saves work: the modules are bundled again next time.
      }
    },
  };
}

/**
 * Folders of bundles that the index of a `.store/code` no longer names, or names for a module that is gone. What a run
 * uses that goes on may be among them.
 */
export function findUnusedCode(files: FileSystem, folder: string): readonly string[] {
  const { bundles } = readIndex(files, join(folder, "index.json"));
  const used = new Set(
    Object.entries(bundles)
      .filter(([module]) => files.stat(module) !== undefined)
      .map(([, bundle]) => homeOf(bundle)),
  );
  return files
    .list(folder)
    .map((name) => join(folder, name))
    .filter((path) => files.stat(path)?.kind === "folder" && !used.has(path));
}

function homeOf({ bundle }: IndexedBundle): string {
  return dirname(bundle.file);
}

/** What cannot be read is empty. */
function readIndex(files: FileSystem, path: string) {
  const empty = { bundles: {} as Record<string, IndexedBundle>, notes: {} as Record<string, Index["notes"][string]> };
  try {
    const index = JSON.parse(files.readText(path) ?? "{}") as Index;
    return index.format === FORMAT ? { bundles: { ...index.bundles }, notes: { ...index.notes } } : empty;
  } catch {
    return empty;
  }
}

function digestNames(files: FileSystem, folder: string): string {
  return digestBytes(files.list(folder).join("\0"));
}

/** A module by its path in its project, which is what people know it by: `stages/clean.ts`, `tfpipe/dist/tfpipe.js`. */
function nameModule(files: FileSystem, path: string, packageFolder: string): string {
  const own = relative(packageFolder, path);
  if (!own.startsWith("..")) return `tfpipe/${own}`;
  for (let folder = dirname(path); dirname(folder) !== folder; folder = dirname(folder))
    if (["package.json", ".git"].some((mark) => files.stat(join(folder, mark)) !== undefined))
      return relative(folder, path);
  return basename(path);
}
