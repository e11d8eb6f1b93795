/** `pipe doctor` of the real program, on stores that were damaged. */
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Project } from "./project.ts";

let project: Project;
beforeEach(async () => {
  project = new Project();
  project.write(
    "say.yaml",
    `name: say
stages:
  say:
    outputs: { out: out.txt }
    run: echo one > "\${outputs.out}"
`,
  );
  expect((await run()).outcomes).toEqual({ say: "ran" });
});
afterEach(() => project.remove());

const run = () => project.run(["run", "say.yaml", "--json"]);
const store = (...parts: string[]) => join(project.folder, "artifacts", ".store", ...parts);
const all = (folder: string) =>
  readdirSync(store(folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
const doctor = async () => {
  const { code, stdout } = await project.run(["doctor", "--json"]);
  const { findings } = JSON.parse(stdout) as { findings: { path: string; problem: string; repaired: boolean }[] };
  return { code, problems: findings.map(({ path, problem }) => `${path.split("/")[0]}: ${problem}`), findings };
};

test("a sound store is all right", async () => {
  const { code, stdout } = await project.run(["doctor"]);
  expect(code).toBe(0);
  expect(stdout).toBe("examined 2 objects, 1 traces, 0 checkpoints, 1 runs: all is right\n");
});

test("a damaged object goes to quarantine with the trace that needs it, and its stage runs again", async () => {
  for (const path of all("objects")) {
    chmodSync(path, 0o644);
    writeFileSync(path, "spoilt");
  }
  const { code, problems } = await doctor();
  expect(code).toBe(0);
  expect(problems.slice(0, 2)).toEqual(Array(2).fill("objects: is not what its name says"));
  expect(problems[2]).toMatch(/^traces: names object \w{12}, which is lost$/);
  expect(all("quarantine")).toHaveLength(2);
  expect((await run()).outcomes).toEqual({ say: "ran" });
  expect((await doctor()).problems).toEqual([]);
});

test("a lost object, an edited trace, an unreadable record and a dead lock are each found and repaired", async () => {
  rmSync(all("objects")[0]!);
  expect((await doctor()).problems).toHaveLength(1);
  await run();
  writeFileSync(all("traces")[0]!, "{}");
  writeFileSync(all("runs").find((path) => path.endsWith("run.json"))!, "{");
  mkdirSync(store("locks"), { recursive: true });
  writeFileSync(store("locks", "x.json"), JSON.stringify({ pid: 2 ** 30, identity: "x", host: hostname() }));
  const { code, problems } = await doctor();
  expect(code).toBe(0);
  expect(problems).toContain("traces: is not what its name says");
  expect(problems).toContain("locks: a lock whose holder is gone");
  expect(all("locks")).toEqual([]);
  expect(problems).toContain("runs: is no record of a run that can be read");
  expect((await run()).outcomes).toEqual({ say: "ran" });
});
