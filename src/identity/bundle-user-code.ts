/**
 * A user's own module with all it imports, as one text whose digest is its identity. Own modules, and packages that are
 * links to a workspace, go in by content and tree-shaken; installed packages stay outside and count by version, with all
 * they depend on; `tfpipe` is the one that runs, and goes in by content too, so that another version of it moves a key
 * only where what the stage uses of it changed.
 *
 * What runs is the very text that was digested. It imports each package through a small file beside it, `packages/<name>`,
 * which says where that package lies on this machine: resolved from the module that imports it, wherever the store is.
 */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { isBuiltin } from "node:module";
import { basename, dirname, extname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { BuildResult, ImportKind, Location, Message, Plugin } from "esbuild";
import type { StageTypeProblem } from "../language/pipeline.ts";
import { BUNDLE_FORM, packageClosure, packageName } from "./bundle-code.ts";
import { digestBytes } from "./digest.ts";

export interface UserBundle {
  readonly digest: string;
  /** Of what is written into one folder, by relative path; `entry` is the one that runs. */
  readonly files: Readonly<Record<string, Uint8Array | string>>;
  readonly entry: string;
  /** Digest of each module that went in, by absolute path. */
  readonly modules: Readonly<Record<string, string>>;
  /** Version by name. */
  readonly packages: Readonly<Record<string, string>>;
  /** Digest by absolute path of each `package.json` that counts: of installed packages, and around own modules. */
  readonly manifests: Readonly<Record<string, string>>;
}

/** A mistake in the user's module, or something of it that cannot be followed. */
export class UnbundlableModule extends Error {
  readonly help: string | undefined;
  readonly place: StageTypeProblem["place"];
  constructor(message: string, place: StageTypeProblem["place"], help?: string) {
    super(message);
    this.name = "UnbundlableModule";
    this.help = help;
    this.place = place;
  }
}

/** `packageFolder` is this package's. Throws `UnbundlableModule`. */
export async function bundleUserCode(module: string, packageFolder: string): Promise<UserBundle> {
  const folder = dirname(module);
  const stem = basename(module).slice(0, -extname(module).length);
  const packages = new PackageImports();
  const modules: Record<string, string> = {};
  const esbuild = await import("esbuild");
  let result: BuildResult<{ write: false; metafile: true }>;
  try {
    result = await esbuild.build({
      absWorkingDir: folder,
      entryPoints: [module],
      outfile: join(folder, `${stem}.mjs`),
      ...BUNDLE_FORM,
      sourcemap: "linked",
      sourcesContent: false,
      // What a tsconfig of the user's says must not change what runs without being seen.
      tsconfigRaw: "{}",
      logOverride: { [COMPUTED_IMPORT]: "warning" },
      plugins: [resolveImports(packages, packageFolder), digestModules(modules)],
    });
  } catch (error) {
    const [first] = (error as { readonly errors?: readonly Message[] }).errors ?? [];
    if (first === undefined) throw error;
    throw new UnbundlableModule(first.text, findPlace(first.location, folder));
  }
  refuseComputedImports(result, folder, packageFolder);
  const [map, code] = [".mjs.map", ".mjs"].map((end) => result.outputFiles.find(({ path }) => path.endsWith(end))!);
  const { versions, manifests } = packageClosure(packages.roots);
  return {
    digest: digestBytes(code!.contents),
    entry: `${stem}.mjs`,
    files: {
      [`${stem}.mjs`]: code!.contents,
      [`${stem}.mjs.map`]: absoluteSources(map!.text, folder),
      ...packages.files(),
    },
    modules,
    packages: versions,
    manifests: { ...Object.assign({}, ...Object.keys(modules).map(scopeOf)), ...manifests },
  };
}

const COMPUTED_IMPORT = "unsupported-dynamic-import";

/** The packages that a bundle imports, each by the name of the file that leads to it. */
class PackageImports {
  readonly #byPath = new Map<string, { readonly file: string; readonly specifier: string; readonly from: string }>();

  /** The specifier that stands in the bundle. */
  add(specifier: string, path: string, from: string): string {
    const known = this.#byPath.get(path);
    if (known !== undefined) return `./${known.file}`;
    const name = specifier.replaceAll(/[^\w.@-]/g, "+");
    const taken = [...this.#byPath.values()].filter(({ file }) => file.startsWith(`packages/${name}.`)).length;
    const file = `packages/${name}${taken === 0 ? "" : `.${taken + 1}`}.mjs`;
    this.#byPath.set(path, { file, specifier, from });
    return `./${file}`;
  }

  get roots() {
    return [...this.#byPath.values()].map(({ specifier, from }) => ({ name: packageName(specifier), from }));
  }

  files(): Readonly<Record<string, string>> {
    return Object.fromEntries(
      [...this.#byPath].map(([path, { file }]) => {
        const url = JSON.stringify(pathToFileURL(path).href);
        return [file, `export * from ${url};\nimport * as all from ${url};\nexport default all.default;\n`];
      }),
    );
  }
}

const OWN = /^tfpipe(\/|$)/;
const RESOLVED_BY_US = Symbol("resolved by us");

function resolveImports(packages: PackageImports, packageFolder: string): Plugin {
  return {
    name: "user-code",
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, async ({ path, importer, resolveDir, kind, pluginData }) => {
        if (pluginData === RESOLVED_BY_US || kind === "entry-point" || isBuiltin(path)) return undefined;
        if (OWN.test(path)) return resolveOwn(path, packageFolder);
        const found = await build.resolve(path, { importer, resolveDir, kind, pluginData: RESOLVED_BY_US });
        // Without a plugin's answer esbuild says itself what cannot be found, and where it is imported.
        if (found.errors.length > 0 || found.external) return undefined;
        if (found.namespace !== "file" || !isInstalled(found.path)) {
          const { namespace, sideEffects } = found;
          return { path: found.path, namespace, sideEffects };
        }
        if (!IMPORTS.includes(kind))
          return { errors: [{ text: `the package "${path}" is loaded by require; write import instead` }] };
        return { path: packages.add(path, found.path, dirname(importer)), external: true };
      });
    },
  };
}

/** Of the very bytes that the bundler gets. */
function digestModules(digests: Record<string, string>): Plugin {
  return {
    name: "digest-modules",
    setup(build) {
      build.onLoad({ filter: /./, namespace: "file" }, ({ path }) => {
        const contents = readFileSync(path);
        digests[path] = digestBytes(contents);
        return { contents, loader: "default" };
      });
    },
  };
}

const IMPORTS: readonly ImportKind[] = ["import-statement", "dynamic-import"];

function isInstalled(path: string): boolean {
  return path.split(/[\\/]/).includes("node_modules");
}

function resolveOwn(specifier: string, packageFolder: string) {
  const file = { tfpipe: "dist/tfpipe.js", "tfpipe/ml": "dist/ml.js" }[specifier];
  return file === undefined
    ? { errors: [{ text: `"${specifier}" is not part of the package: there are "tfpipe" and "tfpipe/ml"` }] }
    : { path: join(realpathSync(packageFolder), file), sideEffects: false };
}

/** What has no literal name cannot be followed, and so would be in no key. */
function refuseComputedImports(
  { metafile, warnings }: BuildResult<{ metafile: true }>,
  folder: string,
  packageFolder: string,
): void {
  const own = join(realpathSync(packageFolder), "dist");
  const help = "import it by a literal name: what is imported must be known before it runs";
  const computed = warnings.find(
    ({ id, location }) => id === COMPUTED_IMPORT && !resolve(folder, location?.file ?? "").startsWith(own),
  );
  if (computed !== undefined)
    throw new UnbundlableModule(
      "it imports a module whose name is computed",
      findPlace(computed.location, folder),
      help,
    );
  for (const [path, { imports }] of Object.entries(metafile.inputs)) {
    const pattern = imports.find((imported) => imported.path.includes("*"));
    if (pattern !== undefined)
      throw new UnbundlableModule(
        `it imports a module whose name is computed (${pattern.path} in ${path})`,
        undefined,
        help,
      );
  }
}

/** esbuild counts lines from 1, and columns in bytes. */
function findPlace(location: Location | null, folder: string): StageTypeProblem["place"] {
  if (location === null) return undefined;
  const file = resolve(folder, location.file);
  const text = readFileSync(file, "utf8");
  const line = Buffer.from(location.lineText);
  const before =
    text
      .split("\n")
      .slice(0, location.line - 1)
      .join("\n").length + (location.line > 1 ? 1 : 0);
  const start = before + line.subarray(0, location.column).toString().length;
  const length = line.subarray(location.column, location.column + location.length).toString().length;
  return { span: { file, start, end: start + Math.max(1, length) }, text };
}

function absoluteSources(map: string, folder: string): string {
  const parsed = JSON.parse(map) as { readonly sources: readonly string[] };
  return JSON.stringify({
    ...parsed,
    sources: parsed.sources.map((path) => pathToFileURL(resolve(folder, path)).href),
  });
}

/** The `package.json` that says what kind of module a file is, and whether loading it has effects. */
function scopeOf(path: string): Readonly<Record<string, string>> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest)) return { [manifest]: digestBytes(readFileSync(manifest)) };
    if (dirname(folder) === folder) return {};
  }
}
