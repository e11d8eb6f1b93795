/**
 * Once before any test: builds the program, so that end-to-end tests run what the sources say, and puts the native engine
 * in place, so that its contract is tested. Where that cannot be done, a line says so and those tests skip themselves.
 */
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export function setup(): void {
  const root = join(dirname(fileURLToPath(import.meta.url)), "..");
  execFileSync(process.execPath, [join(root, "scripts", "build.mjs")], { stdio: "inherit" });
  try {
    execFileSync(process.execPath, [join(root, "dist", "pipe.js"), "engine", "install"], {
      stdio: ["ignore", "ignore", "inherit"],
    });
  } catch {
    process.stderr.write("the native engine could not be installed; its tests skip themselves\n");
  }
}
