/** The jobs that users copy into their CI: what they run is what passes in a clean clone, and fails after a change. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Project } from "./project.ts";
import { createWordsProject } from "./words-pipeline.ts";

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8");
const JOBS = [
  ".github/workflows/check-pipelines.yml",
  "examples/ci/github.yml",
  "examples/ci/gitlab-ci.yml",
  "examples/ci/check-pipelines.sh",
];

/** The commands of a job, without what installs the package. */
const commandsOf = (job: string) =>
  [...read(job).matchAll(/^\s*(?:- (?:run: )?)?npx pipe (.+)$/gm)].map((match) => match[1]!.split(" "));

let project: Project;
beforeEach(() => {
  project = createWordsProject();
});
afterEach(() => project.remove());

test.each(JOBS)("%s passes in a clone without data, and ends with 4 after a change", async (job) => {
  const commands = commandsOf(job);
  expect(commands).toEqual([["check", "--frozen"]]);
  project.write("pipelines/words.yaml", project.read("words.yaml").replace("./text.txt", "../text.txt"));
  await project.run(["run", "words"]);
  await project.run(["lock", "words"]);
  const clone = new Project();
  for (const file of ["pipelines/words.yaml", "pipelines/words.lock.yaml"]) clone.write(file, project.read(file));
  const codes = async () => {
    const results = [];
    for (const command of commands) results.push((await clone.run(command)).code);
    return results;
  };
  expect(await codes()).toEqual([0]);
  clone.edit("pipelines/words.yaml", 'times: "2"', 'times: "3"');
  expect(await codes()).toEqual([4]);
  clone.remove();
});

test("the guide and the examples run the same commands", () => {
  for (const command of ["npm ci --omit=optional", "npx pipe check --frozen"])
    for (const file of [...JOBS, "docs/ci.md"]) expect(read(file)).toContain(command);
});
