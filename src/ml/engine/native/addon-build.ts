/**
 * The addon: @tensorflow/tfjs-node, installed by npm without its install script (which would fetch an old library), given
 * the library we have, and compiled once by the node-gyp that npm brings.
 */
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { cp, mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { findAddon } from "./binding.ts";
import { diagnoseOutput, EngineInstallFailure } from "./install-failure.ts";
import { type CommandOptions, runCommand, works } from "./run-command.ts";
import { tellingLine } from "./tensorflow-library.ts";

export const TFJS_NODE_VERSION = "4.22.0";

export interface AddonPackage {
  readonly name: "@tensorflow/tfjs-node" | "@tensorflow/tfjs-node-gpu";
  readonly integrity: string;
}

/** The integrity that npm must have found, as its lockfile records it. */
export const ADDON_PACKAGES: Readonly<Record<"cpu" | "gpu", AddonPackage>> = {
  cpu: {
    name: "@tensorflow/tfjs-node",
    integrity: "sha512-uHrXeUlfgkMxTZqHkESSV7zSdKdV0LlsBeblqkuKU9nnfxB1pC6DtoyYVaLxznzZy7WQSegjcohxxCjAf6Dc7w==",
  },
  gpu: {
    name: "@tensorflow/tfjs-node-gpu",
    integrity: "sha512-p//NN6DGiN4hInUmIkRffaFVMcdTREUMjPyjW04J7OXvB2zBlQimj61eFKSgRrH3f5TnOfKzb0n56he/B6a4bw==",
  },
};

type Environment = Readonly<Record<string, string | undefined>>;

/** npm's own settings that a surrounding `npm ci` or `npm install -g` hands down, and that must not act on ours. */
const FOREIGN_SETTINGS =
  /^npm_config_(global|location|prefix|local_prefix|dry_run|omit|include|production|only|workspaces?|ignore_scripts|package_lock_only|save.*)$/i;

export function commandEnvironment(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !FOREIGN_SETTINGS.test(name)));
}

/** What a build needs beside npm's package and the library. Cheap, so it is asked before anything is downloaded. */
export async function findBuildTools(options: CommandOptions): Promise<{ python: string; environment: Environment }> {
  const environment = options.environment ?? process.env;
  const usual = process.platform === "darwin" ? ["clang++"] : ["g++", "clang++", "c++"];
  const [npm, compiler, make, python] = await Promise.all([
    works("npm", ["--version"], options),
    firstWorking([...(environment.CXX ? [environment.CXX] : []), ...usual], ["--version"], options),
    works(environment.MAKE || "make", ["--version"], options),
    firstWorking(["python3", "python"], ["--version"], options),
  ]);
  if (!npm) throw new EngineInstallFailure("npm", "there is no npm", "install npm");
  if (compiler === undefined || !make) {
    const what = compiler === undefined ? `there is no C++ compiler (${usual.join(" or ")})` : "there is no make";
    throw new EngineInstallFailure(
      "compiler",
      what,
      COMPILER_HELP[process.platform] ?? "install a C++ compiler and make",
    );
  }
  if (python === undefined)
    throw new EngineInstallFailure("python", "there is no python3", "install Python 3 with pip");
  return { python, environment: compiler === usual[0] ? environment : { ...environment, CXX: compiler } };
}

const COMPILER_HELP: Readonly<Record<string, string>> = {
  linux: "install a compiler and make (Debian and Ubuntu: `apt-get install build-essential`)",
  darwin: "install the command line tools (`xcode-select --install`)",
};

/** The way to call pip: as a module of `python`, or as a program. */
export async function findPip(python: string, options: CommandOptions): Promise<readonly [string, ...string[]]> {
  if (await works(python, ["-m", "pip", "--version"], options)) return [python, "-m", "pip"];
  const program = await firstWorking(["pip3", "pip"], ["--version"], options);
  if (program !== undefined) return [program];
  throw new EngineInstallFailure(
    "pip",
    `there is no pip (\`${python} -m pip\` fails)`,
    "install pip (Debian and Ubuntu: `apt-get install python3-pip`)",
  );
}

async function firstWorking(programs: readonly string[], args: readonly string[], options: CommandOptions) {
  for (const program of programs) if (await works(program, args, options)) return program;
  return undefined;
}

/** Installs the package and what it needs into `folder/node_modules`, and checks that it is the known one. */
export async function installAddonPackage(addon: AddonPackage, folder: string, options: CommandOptions): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, "package.json"),
    JSON.stringify({
      private: true,
      dependencies: { [addon.name]: TFJS_NODE_VERSION },
      scripts: { build: `cd node_modules/${addon.name} && node-pre-gyp install --build-from-source` },
    }),
  );
  const { exitCode, output } = await runCommand(
    "npm",
    ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error", "--package-lock"],
    { ...options, cwd: folder },
  );
  if (exitCode !== 0) {
    const missing = diagnoseOutput(output);
    if (missing === "network")
      throw new EngineInstallFailure("network", `npm cannot reach its registry (${tellingLine(output)})`, "go online");
    if (missing === "disk") throw new EngineInstallFailure("disk", "the disk is full", "make room for 2 GB");
    throw new EngineInstallFailure(missing ?? "package", `npm cannot install ${addon.name} (${tellingLine(output)})`);
  }
  const lock = JSON.parse(await readFile(join(folder, "package-lock.json"), "utf8")) as {
    packages?: Record<string, { integrity?: string }>;
  };
  const found = lock.packages?.[`node_modules/${addon.name}`]?.integrity;
  if (found !== addon.integrity) {
    throw new EngineInstallFailure(
      "integrity",
      `npm fetched a ${addon.name} ${TFJS_NODE_VERSION} that is not the known one (${found ?? "no integrity"})`,
      "look at which registry npm is set to",
    );
  }
}

/**
 * Compiles the package in `folder` against `library` (with `lib` and `include`), and brings what is needed to run into
 * `engine`. `folder` may be on another disk, for make cannot work where a path has a space.
 */
export async function buildAddon(
  addon: AddonPackage,
  folder: string,
  library: string,
  engine: string,
  options: CommandOptions,
): Promise<void> {
  const source = join(folder, "node_modules", addon.name);
  const deps = join(source, "deps");
  await rm(deps, { recursive: true, force: true });
  await symlink(library, deps);
  await linkLibraries(join(library, "lib"));
  const headers = nodeHeaders(options.environment ?? process.env);
  const { exitCode, output } = await runCommand("npm", ["run", "--silent", "build"], {
    ...options,
    cwd: folder,
    environment: {
      ...options.environment,
      ...(headers === undefined ? {} : { npm_config_nodedir: headers }),
      JOBS: "2",
    },
  });
  if (exitCode !== 0 || findAddon(folder) === undefined) {
    if (diagnoseOutput(output) === "network") {
      throw new EngineInstallFailure(
        "network",
        "the headers of Node cannot be fetched, and are not beside it",
        "go online",
      );
    }
    throw new EngineInstallFailure("build", `the addon does not compile (${tellingLine(output)})`);
  }
  if (process.platform === "darwin") await addLibraryPath(findAddon(folder)!, options);
  await rm(deps);
  for (const entry of readdirSync(source)) {
    if (entry === "build" || entry.startsWith("build-tmp")) await rm(join(source, entry), { recursive: true });
  }
  const place = join(engine, "node_modules", addon.name);
  await cp(source, place, { recursive: true });
  await rm(join(library, "include"), { recursive: true });
  await rename(library, join(place, "deps"));
}

/** The names under which the addon's build and TensorFlow itself look for the two libraries. */
async function linkLibraries(folder: string): Promise<void> {
  const present = new Set(readdirSync(folder));
  const mac = process.platform === "darwin";
  const main = [...present].find((name) => /^libtensorflow(_cc)?(\.so\.2|\.2\.dylib)$/.test(name))!;
  const framework = [...present].find((name) => /^libtensorflow_framework(\.so\.2|\.2\.dylib)$/.test(name))!;
  const aliases = (stem: string) =>
    mac
      ? [`${stem}.dylib`, `${stem}.2.dylib`, `${stem}.2.9.1.dylib`]
      : [`${stem}.so`, `${stem}.so.2`, `${stem}.so.2.9.1`];
  for (const [target, stem] of [
    [main, "libtensorflow"],
    [framework, "libtensorflow_framework"],
  ] as const) {
    for (const alias of aliases(stem)) if (!present.has(alias)) await symlink(target, join(folder, alias));
  }
}

/** macOS's linker records the library's own name (`@rpath/libtensorflow_cc...`): say where that is. */
async function addLibraryPath(addon: string, options: CommandOptions): Promise<void> {
  const added = await works("install_name_tool", ["-add_rpath", "@loader_path/../../deps/lib", addon], options);
  const signed = added && (await works("codesign", ["--force", "--sign", "-", addon], options));
  if (!signed) throw new EngineInstallFailure("build", "install_name_tool or codesign failed on the addon");
}

/** Where this very Node's headers are on this machine, so that node-gyp need not download them. */
function nodeHeaders(environment: Environment): string | undefined {
  if (environment.npm_config_nodedir) return environment.npm_config_nodedir;
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const include = join(prefix, "include", "node");
  if (!existsSync(join(include, "node_api.h"))) return undefined;
  const version = readFileSync(join(include, "node_version.h"), "utf8");
  const [major, minor] = ["MAJOR", "MINOR"].map(
    (part) => new RegExp(`#define NODE_${part}_VERSION (\\d+)`).exec(version)?.[1],
  );
  return process.versions.node.startsWith(`${major}.${minor}.`) ? prefix : undefined;
}
