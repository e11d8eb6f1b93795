/**
 * What npm's `prepare` does after the build: lets `npx pipe` find the program in a checkout, where the package is not
 * installed among its own dependencies; and writes the declarations into a package that is being packed.
 */
import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const bin = join(root, "node_modules", ".bin");

if (existsSync(join(root, "node_modules"))) {
  mkdirSync(bin, { recursive: true });
  const link = join(bin, "pipe");
  if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) rmSync(link);
  symlinkSync(join("..", "..", "dist", "pipe.js"), link);
}
if (process.env.npm_command === "pack" || process.env.npm_command === "publish")
  execFileSync(
    process.execPath,
    [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", join(root, "tsconfig.build.json")],
    {
      stdio: "inherit",
    },
  );
