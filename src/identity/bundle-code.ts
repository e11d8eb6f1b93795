/**
 * From a stage's source to the very bytes that run, and their digest.
 *
 * esbuild follows the imports, drops what is not used, comments and white space; packages stay outside and count by
 * version. So the digest moves when the code that can run moves, and not otherwise, and nobody has to list files.
 * Workers execute the bundle that was hashed. esbuild is loaded only here, only when something must be bundled.
 */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import type { Plugin } from "esbuild";
import { digestBytes } from "./digest.ts";

export interface CodeBundle {
  /** Path of the source relative to the root it was bundled from. */
  readonly source: string;
  /** Name of the file that runs, in the code folder, with the digest in it; of a user's module the absolute path. */
  readonly file: string;
  /** sha256 of that file. */
  readonly digest: string;
  /** Digest of each module that went in, by path relative to the root. */
  readonly modules: Readonly<Record<string, string>>;
  /** The resolved closure of the packages it imports: version by name. */
  readonly packages: Readonly<Record<string, string>>;
  /**
   * Digest by path relative to the root of every `package.json` that `packages` was read from, and of the list that npm
   * keeps of what it installed: a package that comes to lie nearer to its importer changes no other file.
   */
  readonly manifests?: Readonly<Record<string, string>>;
  /** Of a user's module: files beside it that say where its packages lie on this machine. */
  readonly beside?: readonly { readonly file: string; readonly digest: string }[];
}

export class UnbundlableCode extends Error {
  constructor(source: string, problem: string) {
    super(`${source}: ${problem}`);
    this.name = "UnbundlableCode";
  }
}

/** How code becomes the text that is hashed and run, this package's and the user's alike. */
export const BUNDLE_FORM = {
  bundle: true,
  write: false,
  metafile: true,
  platform: "node",
  target: "node20",
  format: "esm",
  minifyWhitespace: true,
  legalComments: "none",
  treeShaking: true,
  charset: "utf8",
  logLevel: "silent",
} as const;

/** Bundles `source` (relative to `root`). Gives the bundle and its text; the caller writes it. */
export async function bundleCode(
  root: string,
  source: string,
): Promise<{ readonly bundle: CodeBundle; readonly text: Uint8Array }> {
  const extension = /\.[^.]+$/.exec(source)?.[0] ?? "";
  const name = source.slice(source.lastIndexOf("/") + 1, source.length - extension.length);
  if (extension !== ".ts" && extension !== ".js" && extension !== ".mjs") {
    const text = readFileSync(join(root, source));
    const digest = digestBytes(text);
    const bundle = {
      source,
      file: `${name}-${digest.slice(0, 12)}${extension}`,
      digest,
      modules: { [source]: digest },
      packages: {},
    };
    return { bundle, text };
  }
  const esbuild = await import("esbuild");
  const result = await esbuild.build({
    absWorkingDir: root,
    entryPoints: [source],
    outfile: "bundle.mjs",
    ...BUNDLE_FORM,
    packages: "external",
    plugins: [hoistImports(resolve(root, source))],
  });
  const text = result.outputFiles[0]!.contents;
  if (/\bimport\(\s*(?!["'`])\S/.test(result.outputFiles[0]!.text))
    throw new UnbundlableCode(
      source,
      "it imports a module whose name is computed, which cannot be followed; import it by a literal name",
    );
  const digest = digestBytes(text);
  const external = Object.values(result.metafile.outputs).flatMap((output) =>
    output.imports
      .filter((imported) => imported.external === true && !isBuiltIn(imported.path))
      .map(({ path }) => packageName(path)),
  );
  const modules = Object.keys(result.metafile.inputs).sort();
  const from = join(root, dirname(source));
  const { versions, manifests } = packageClosure([...new Set(external)].map((imported) => ({ name: imported, from })));
  return {
    text,
    bundle: {
      source,
      file: `${name}-${digest.slice(0, 12)}.mjs`,
      digest,
      modules: Object.fromEntries(modules.map((path) => [path, digestBytes(readFileSync(join(root, path)))])),
      packages: versions,
      manifests: { ...relativePaths(manifests, root), ...(external.length === 0 ? {} : installedList(root)) },
    },
  };
}

function relativePaths(digests: Readonly<Record<string, string>>, root: string): Readonly<Record<string, string>> {
  const real = realpathSync(root);
  return Object.fromEntries(Object.entries(digests).map(([path, digest]) => [relative(real, path), digest]));
}

function installedList(root: string): Readonly<Record<string, string>> {
  const path = join("node_modules", ".package-lock.json");
  return existsSync(join(root, path)) ? { [path]: digestBytes(readFileSync(join(root, path))) } : {};
}

/**
 * Stage files load what is heavy inside `run`, by `const { a } = await import("./b.ts")`, so that reading their ports is
 * cheap. In the bundle these become plain imports, because only then can unused exports of `./b.ts` be dropped.
 */
function hoistImports(entry: string): Plugin {
  return {
    name: "hoist-imports",
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        if (path !== entry) return undefined;
        const hoisted: string[] = [];
        const body = readFileSync(path, "utf8").replace(
          /const (\{[^{}]*\}) = await import\(\s*("[^"]+"),?\s*\);/g,
          (_statement, names: string, module: string) => {
            hoisted.push(`import ${names.replace(/:/g, " as ")} from ${module};`);
            return "";
          },
        );
        return { contents: `${hoisted.join("\n")}\n${body}`, loader: "ts" };
      });
    },
  };
}

export interface PackageClosure {
  /** By name; several of one name with a blank between them. */
  readonly versions: Readonly<Record<string, string>>;
  /** The digest of each one's `package.json`, by its absolute path. */
  readonly manifests: Readonly<Record<string, string>>;
}

/**
 * Packages and what they depend on, as installed where each is imported. Optional and peer dependencies are left out:
 * they differ between platforms, and the platform is not part of the key.
 */
export function packageClosure(roots: readonly { readonly name: string; readonly from: string }[]): PackageClosure {
  const versions = new Map<string, Set<string>>();
  const manifests = new Map<string, string>();
  const visit = (name: string, folder: string): void => {
    const found = findPackage(name, folder);
    if (found === undefined || manifests.has(found.manifest)) return;
    manifests.set(found.manifest, found.digest);
    versions.set(name, (versions.get(name) ?? new Set<string>()).add(found.version));
    for (const dependency of found.dependencies) visit(dependency, found.folder);
  };
  for (const { name, from } of roots) visit(name, from);
  return {
    versions: Object.fromEntries(
      [...versions].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, set]) => [name, [...set].sort().join(" ")]),
    ),
    manifests: Object.fromEntries(manifests),
  };
}

function findPackage(name: string, from: string) {
  for (let folder = from; ; folder = dirname(folder)) {
    const installed = join(folder, "node_modules", name, "package.json");
    if (existsSync(installed)) {
      // Some installers link packages to where they are, with their dependencies beside them.
      const manifest = realpathSync(installed);
      const text = readFileSync(manifest, "utf8");
      const { version, dependencies = {} } = JSON.parse(text) as {
        version: string;
        dependencies?: Record<string, string>;
      };
      return {
        manifest,
        digest: digestBytes(text),
        folder: dirname(manifest),
        version,
        dependencies: Object.keys(dependencies),
      };
    }
    if (dirname(folder) === folder) return undefined;
  }
}

export function packageName(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function isBuiltIn(specifier: string): boolean {
  return specifier.startsWith("node:");
}
