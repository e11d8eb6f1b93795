/** A short soak: enough to see that nothing obvious is lost under kills, pairs and damage. `npm run soak` does the long ones. */
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const script = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "scripts", "soak.mjs");

test("sixty steps of edits, kills and damage lose nothing", () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, "--steps", "60", "--minutes", "15"], {
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  expect(stdout).toMatch(/seed 1, 60 steps, .* nothing lost\n$/);
  expect(status).toBe(0);
});
