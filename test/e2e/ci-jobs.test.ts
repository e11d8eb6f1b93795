/**
 * The jobs that users copy into their CI: every command of theirs is run here as it stands, in a clean clone, where it
 * passes, and fails after a change. Only what installs the package is left out.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { Project } from "./project.ts";
import { createWordsProject } from "./words-pipeline.ts";

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path: string) => readFileSync(at(path), "utf8");

interface Step {
  readonly run?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, string>>;
}

/** The commands of a job; `checksOut`: whether the service has put the other branch into `.base`. */
const JOBS: Readonly<Record<string, { readonly script: (base: string) => string; readonly checksOut: boolean }>> = {
  ".github/workflows/check-pipelines.yml": {
    script: () => githubScript(".github/workflows/check-pipelines.yml"),
    checksOut: true,
  },
  "examples/ci/github.yml": { script: () => githubScript("examples/ci/github.yml"), checksOut: true },
  "examples/ci/gitlab-ci.yml": {
    script: () =>
      (parse(read("examples/ci/gitlab-ci.yml")) as { pipelines: { script: string[] } }).pipelines.script.join("\n"),
    checksOut: false,
  },
  "examples/ci/check-pipelines.sh": {
    script: (base) => `sh ${at("examples/ci/check-pipelines.sh")} ${base}`,
    checksOut: false,
  },
};

function stepsOf(path: string): readonly Step[] {
  return (parse(read(path)) as { jobs: { check: { steps: Step[] } } }).jobs.check.steps;
}

const githubScript = (path: string): string =>
  stepsOf(path)
    .flatMap(({ run }) => run ?? [])
    .join("\n");

let project: Project;
let clone: Project;
let bin: string;
let base: string;
/** A change that was not run, and one that was. */
let unrun: string;
let rerun: string;
beforeAll(async () => {
  project = createWordsProject();
  project.write("pipelines/words.yaml", project.read("words.yaml").replace("./text.txt", "../text.txt"));
  project.write(".gitignore", "artifacts/\ntext.txt\nbin/\n");
  await project.run(["run", "words"]);
  await project.run(["lock", "words"]);
  git(project, "init", "--quiet");
  base = commit(project);
  project.edit("pipelines/words.yaml", 'times: "2"', 'times: "3"');
  unrun = commit(project);
  await project.run(["run", "words"]);
  rerun = commit(project);
  // In place of the registry: `npx pipe` is this checkout's program.
  bin = project.path("bin");
  mkdirSync(bin);
  project.write("bin/npm", "#!/bin/sh\nexit 0\n");
  project.write("bin/npx", `#!/bin/sh\nshift\nexec "${process.execPath}" "${at("dist/pipe.js")}" "$@"\n`);
  for (const name of ["npm", "npx"]) chmodSync(join(bin, name), 0o755);
});
afterAll(() => project.remove());

beforeEach(() => {
  clone = new Project(undefined, "clone");
  execFileSync("git", ["clone", "--quiet", project.folder, clone.path("work")]);
});
afterEach(() => clone.remove());

function git(where: Project, ...args: readonly string[]): string {
  const who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"];
  return execFileSync("git", [...who, ...args], {
    cwd: where.folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
}

function commit(where: Project): string {
  git(where, "add", ".");
  git(where, "commit", "--quiet", "--message", "x");
  return git(where, "rev-parse", "HEAD").trim();
}

/** As the service would: its steps stop at the first that fails. */
function runJob(job: string, commitId: string) {
  const { script, checksOut } = JOBS[job]!;
  const work = clone.path("work");
  execFileSync("git", ["checkout", "--quiet", commitId], { cwd: work, stdio: "ignore" });
  if (checksOut && !existsSync(join(work, ".base")))
    execFileSync("git", ["worktree", "add", "--quiet", ".base", base], { cwd: work, stdio: "ignore" });
  const { status, stdout, stderr } = spawnSync("sh", ["-e", "-c", script(base)], {
    cwd: work,
    encoding: "utf8",
    env: {
      ...process.env,
      PATH: `${bin}${delimiter}${process.env.PATH}`,
      BASE: join(work, ".base"),
      CI_MERGE_REQUEST_DIFF_BASE_SHA: base,
      GITHUB_STEP_SUMMARY: clone.path("summary.md"),
    },
  });
  return { code: status, output: `${stdout}${stderr}`, report: clone.read("work/.report/report.md") };
}

test.each(Object.keys(JOBS))(
  "%s passes in a clone without data, and ends with 4 after a change that was not run",
  (job) => {
    const { code, output, report } = runJob(job, base);
    expect(output).toContain("pipelines/words.lock.yaml follows from the files here");
    expect(code).toBe(0);
    expect(report).toContain(
      "4 stages have the same result in `pipelines/words.lock.yaml` as in the lock of the other checkout",
    );
    expect(report).not.toContain(clone.folder);
    if (JOBS[job]!.checksOut) expect(clone.read("summary.md")).toBe(report);
    if (!JOBS[job]!.checksOut) rmSync(clone.path("work", ".base"), { recursive: true, force: true });
    const changed = runJob(job, unrun);
    expect(changed.code).toBe(4);
    expect(changed.report).toContain(
      '- `pipelines/words.yaml:2` `stage "twice" is not what is locked: params.times 2 -> 3`',
    );
  },
);

test("after a change that was run, the report says what it gave, beside the branch that it goes to", () => {
  const { code, report } = runJob("examples/ci/github.yml", rerun);
  expect(code).toBe(0);
  expect(report).toContain("**2 of 4 stages have another result**");
  expect(report).toContain("- `twice`: `params.times 2 -> 3`");
});

test("jobs on GitHub check out the branch that a pull request goes to", () => {
  for (const job of [".github/workflows/check-pipelines.yml", "examples/ci/github.yml"]) {
    const checkouts = stepsOf(job).filter(({ uses }) => uses?.startsWith("actions/checkout@"));
    expect(checkouts.map(({ with: options }) => options?.path)).toEqual([undefined, ".base"]);
    expect(checkouts[1]!.with!.ref).toContain("github.event.pull_request.base.sha");
  }
});

test("the guide and the examples run the same commands", () => {
  const commands = [
    "npm ci --omit=optional",
    'npx pipe report --md --against "$BASE" --out .report',
    "npx pipe check --frozen",
  ];
  for (const command of commands)
    for (const file of [...Object.keys(JOBS), "docs/ci.md"]) expect(read(file)).toContain(command);
});
