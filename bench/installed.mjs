/**
 * What a benchmark needs of others, put into `bench/.env/` (git-ignored, may be deleted): made once, and made anew when
 * what is wanted has changed. Packages come from wherever pip and npm are set up to find them.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { environmentFolder, root } from "./train/places.mjs";

export const run = (program, args, options = {}) =>
  execFileSync(program, args, { stdio: ["ignore", "ignore", "inherit"], ...options });

/** Installs unless a finished installation of the same `wanted` is there; then undefined. */
export function installed(folder, wanted, title, install) {
  const mark = join(folder, "installed");
  if (existsSync(mark) && readFileSync(mark, "utf8") === wanted) return undefined;
  process.stderr.write(`Installing ${title} into ${folder.slice(root.length + 1)} (once)\n`);
  rmSync(folder, { recursive: true, force: true });
  const result = install();
  writeFileSync(mark, wanted);
  return result;
}

/** A virtual environment `name` with what the file `requirements` lists. Returns the folder of its programs. */
export function installPython(name, requirements) {
  const folder = join(environmentFolder, name);
  const programs = join(folder, process.platform === "win32" ? "Scripts" : "bin");
  installed(folder, readFileSync(requirements, "utf8"), `Python packages for ${name}`, () => {
    run(process.env.PYTHON ?? "python3", ["-m", "venv", folder]);
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", requirements];
    run(join(programs, "python"), pip);
  });
  return programs;
}

/** The packages that the folder `source` locks. Returns the folder they are in. `options` are npm's. */
export function installPackages(name, source, options = []) {
  const folder = join(environmentFolder, name);
  const lock = readFileSync(join(source, "package-lock.json"), "utf8");
  installed(folder, lock, `npm packages for ${name}`, () => {
    mkdirSync(folder, { recursive: true });
    for (const file of ["package.json", "package-lock.json"])
      writeFileSync(join(folder, file), readFileSync(join(source, file)));
    run("npm", ["ci", "--no-audit", "--no-fund", ...options], { cwd: folder });
  });
  return folder;
}
