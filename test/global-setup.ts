/**
 * Once before any test: builds the program, so that end-to-end tests run what the sources say, and puts the native engine
 * in place, so that its contract is tested. Where that cannot be done, a line says so and those tests skip themselves.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export function setup(): void {
  const root = join(dirname(fileURLToPath(import.meta.url)), "..");
  // A build that is up to date stays: somebody may be running the program.
  if (newestTime(root) > timeOf(join(root, "dist", "pipe.js")))
    execFileSync(process.execPath, [join(root, "scripts", "build.mjs")], { stdio: "inherit" });
  try {
    execFileSync(process.execPath, [join(root, "dist", "pipe.js"), "engine", "install"], {
      stdio: ["ignore", "ignore", "inherit"],
    });
  } catch {
    process.stderr.write("the native engine could not be installed; its tests skip themselves\n");
  }
}

/** Of the sources that a build is made of. */
function newestTime(root: string): number {
  let newest = timeOf(join(root, "package-lock.json"));
  for (const folder of ["src", "stages", "schemas", "assets", "scripts"])
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) newest = Math.max(newest, timeOf(join(entry.parentPath, entry.name)));
  return newest;
}

function timeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
