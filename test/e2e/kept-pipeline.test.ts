/** What a file came to is kept between commands: every way in which it could have become another must be seen. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Project } from "./project.ts";

let project: Project;
beforeEach(() => {
  project = new Project();
  project.write("base.yaml", "params: { word: base }\n");
  project.write("in.txt", "in\n");
  project.write(
    "say.yaml",
    `name: say
include: ./base.yaml
env: [SAY_WHO]
stages:
  say:
    inputs: { in: ./in.txt }
    outputs: { out: out.txt }
    run: echo "\${params.word} \${env.SAY_WHO} $(cat "\${inputs.in}")" > "\${outputs.out}"
profiles:
  loud: { params: { word: LOUD } }
`,
  );
});
afterEach(() => project.remove());

const run = (args: readonly string[] = [], who = "you", cwd = "") =>
  project.run(["run", cwd === "" ? "say.yaml" : "../say.yaml", "--json", ...args], { SAY_WHO: who }, cwd);
const said = (folder = "say") => project.read(`artifacts/${folder}/say/out/out.txt`);
const memo = () => join(project.folder, "artifacts", ".store", "memo");
const kept = () => readdirSync(memo()).filter((name) => name.startsWith("pipeline-"));

test("a second run finds the pipeline kept, and every change of what it was made of is seen", async () => {
  expect((await run()).outcomes).toEqual({ say: "ran" });
  await run();
  expect(kept()).toHaveLength(1);
  expect((await run()).outcomes).toEqual({ say: "fresh" });

  project.edit("say.yaml", "echo", "echo well,");
  expect((await run()).outcomes).toEqual({ say: "ran" });
  expect(said()).toBe("well, base you in\n");
  project.edit("base.yaml", "base", "new");
  expect((await run()).outcomes).toEqual({ say: "ran" });
  expect(said()).toBe("well, new you in\n");
  expect((await run([], "me")).outcomes).toEqual({ say: "ran" });
  expect(said()).toBe("well, new me in\n");
  expect((await run(["--param", "word=given"], "me")).outcomes).toEqual({ say: "ran" });
  expect(said()).toBe("well, given me in\n");
  expect((await run(["--profile", "loud"], "me")).outcomes).toEqual({ say: "ran" });
  expect(said("say@loud")).toBe("well, LOUD me in\n");
});

test("what is wrong now is told, whatever was right before", async () => {
  await run();
  await run();
  rmSync(project.path("in.txt"));
  const missing = await run();
  expect(missing.code).toBe(2);
  expect(missing.stderr).toContain("language/missing-path");
  project.write("in.txt", "in\n");
  const unset = await project.run(["run", "say.yaml", "--json"], { SAY_WHO: undefined as unknown as string });
  expect(unset.code).toBe(2);
  expect(unset.stderr).toContain("language/unset-environment");
  project.edit("base.yaml", "word: base", "word: [");
  expect((await run()).code).toBe(2);
});

test("a relative path in a param starts in the working folder of each command", async () => {
  project.edit("base.yaml", "word: base", "word: base, in: ./in.txt");
  project.edit("say.yaml", "in: ./in.txt", `in: "\${params.in}"`);
  project.write("sub/in.txt", "sub\n");
  await run(["--param", "in=./in.txt"]);
  expect(said()).toBe("base you in\n");
  await run(["--param", "in=./in.txt"], "you", "sub");
  expect(said()).toBe("base you sub\n");
});

test("a kept pipeline that is not what was written is not believed", async () => {
  await run();
  await run();
  const [name] = kept();
  const file = join(memo(), name!);
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace('"word":"base"', '"word":"evil"'));
  expect((await run()).outcomes).toEqual({ say: "fresh" });
  expect(readFileSync(file, "utf8")).toBe(text);
  writeFileSync(file, text.slice(0, 200));
  expect((await run()).outcomes).toEqual({ say: "fresh" });
});
