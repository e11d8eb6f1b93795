// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the pipeline language's own notation.
/**
 * Locks with the real program: what was run here is checked in a clone that has only what is committed, and each kind of
 * change is told by its name and its line. Longer than most files because each kind of change is one test beside the next.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FrozenJson } from "../../src/cli/check-frozen.ts";
import type { PlacedDiagnostic } from "../../src/diagnostics/place-diagnostic.ts";
import { Project } from "./project.ts";

const PIPELINE = `name: own
env: GREETING
params: { title: plain, times: "2" }
stages:
  prepare:
    inputs: { raw: ../data/raw.txt }
    outputs: { text: text.txt }
    tools: [./shape, seq]
    run: |
      for i in $(seq "\${params.times}"); do echo "\${env.GREETING} \${params.title}"; done > "\${outputs.text}"
      cat -- "\${inputs.raw}" >> "\${outputs.text}"
  count:
    uses: ../stages/count.ts
    inputs: { text: prepare }
    with: { least: 1 }
  show:
    inputs: { counts: count }
    outputs: { shown: shown.txt }
    run: cat -- "\${inputs.counts}"/* > "\${outputs.shown}"
  other:
    inputs: { text: prepare, words: ../words.txt }
    outputs: { out: out.txt }
    run: cat -- "\${inputs.words}" "\${inputs.text}" > "\${outputs.out}"
profiles:
  loud: { params: { title: LOUD } }
`;

const COUNT = `
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { shout } from "shout";
import { defineStage } from "tfpipe";
import { words } from "./words.ts";

export const count = defineStage<{ least: number; most: number }>({
  type: "count",
  description: "Counts words.",
  schema: {
    type: "object",
    properties: { least: { type: "integer", default: 1 }, most: { type: "integer", default: 100 } },
  },
  inputs: { text: { kind: "any", description: "A text." } },
  outputs: { counts: { kind: "numbers", description: "How many." } },
  async run({ inputs, outputs, metric }) {
    const found = words(readFileSync(inputs.text!.path("text.txt"), "utf8"));
    metric("words", found.length);
    writeFileSync(join(outputs.counts!.folder, "counts.txt"), shout(String(found.length)));
  },
});
`;

const SECRET = { GREETING: "good-morning" };
const LOCK = "pipelines/own.lock.yaml";
/** What is in the repository, beside the data. */
const COMMITTED = ["pipelines", "stages", "node_modules", "words.txt"];

let project: Project;
beforeEach(() => {
  project = new Project();
  project.write("pipelines/own.yaml", PIPELINE);
  project.write("pipelines/shape", "#!/bin/sh\n");
  chmodSync(project.path("pipelines/shape"), 0o755);
  project.write("stages/count.ts", COUNT);
  project.write(
    "stages/words.ts",
    "export function words(text: string) {\n  return text.split(/\\s+/).filter(Boolean);\n}\n",
  );
  project.write(
    "node_modules/shout/package.json",
    JSON.stringify({ name: "shout", version: "1.0.0", type: "module", exports: "./index.js" }),
  );
  project.write("node_modules/shout/index.js", "export const shout = (text) => text + '!';\n");
  project.write("data/raw.txt", "one two\n");
  project.write("words.txt", "three\n");
});
afterEach(() => project.remove());

const pipe = (where: Project, ...args: readonly string[]) => where.run(args, SECRET);

async function lock(): Promise<void> {
  expect((await pipe(project, "run", "own")).code).toBe(0);
  const { code, stdout, stderr } = await pipe(project, "lock", "own");
  expect([code, stdout, stderr]).toEqual([0, `${LOCK} was written: own, 4 stages; commit it\n`, ""]);
}

/** A clone, without what was made and without the data. */
function clone(): Project {
  const copy = new Project();
  for (const name of COMMITTED) cpSync(project.path(name), copy.path(name), { recursive: true });
  return copy;
}

async function check(where: Project): Promise<{ readonly code: number | null } & FrozenJson["results"][number]> {
  const { code, stdout, stderr } = await pipe(where, "check", "own", "--frozen", "--json");
  if (stdout === "") throw new Error(stderr);
  const { results } = JSON.parse(stdout) as FrozenJson;
  return { code, ...results[0]! };
}

const told = ({ diagnostics }: { readonly diagnostics: readonly PlacedDiagnostic[] }) =>
  diagnostics.map(({ file, line, message }) => `${file}:${line} ${message}`);

test("a lock holds neither dates nor places nor values of variables, and each run writes the same", async () => {
  await lock();
  const text = project.read(LOCK);
  expect(text).not.toContain(project.folder);
  expect(text).not.toContain("good-morning");
  expect(text).not.toMatch(/20\d\d-\d\d/);
  expect(text).toContain("\n  own:\n    stages:\n      count:\n        uses: count\n        fingerprint: ");
  expect(text).toContain("\n        metrics:\n          words: 6\n");
  const names = [...text.matchAll(/^ {6}(\w+):$/gm)].map((match) => match[1]);
  expect(names.slice(0, 4)).toEqual(["count", "other", "prepare", "show"]);
  expect((await pipe(project, "run", "own")).stderr).toBe("");
  // All of it again, in another place.
  const copy = clone();
  cpSync(project.path("data"), copy.path("data"), { recursive: true });
  rmSync(copy.path(LOCK));
  await pipe(copy, "run", "own");
  await pipe(copy, "lock", "own");
  expect(copy.read(LOCK)).toBe(text);
  copy.remove();
});

test("a clone without data and without anything that was made passes, and says what it took from the lock", async () => {
  await lock();
  const copy = clone();
  const { code, stdout, stderr } = await pipe(copy, "check", "--frozen");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toBe(
    `${LOCK} follows from the files here: own, 4 stages\n  not checked: ../data/raw.txt is not here (prepare)\n`,
  );
  expect(await check(copy)).toMatchObject({
    code: 0,
    follows: true,
    unchecked: [{ part: "input", stage: "prepare", name: "raw", path: "../data/raw.txt" }],
    diagnostics: [],
  });
  copy.remove();
});

describe("in a clone", () => {
  const changes: readonly (readonly [string, (copy: Project) => void, readonly string[]])[] = [
    [
      "a param is told at its line",
      (copy) => copy.edit("pipelines/own.yaml", 'times: "2"', 'times: "3"'),
      ['pipelines/own.yaml:3 stage "prepare" is not what is locked: params.times 2 -> 3'],
    ],
    [
      "a setting of a stage is told at its line",
      (copy) => copy.edit("pipelines/own.yaml", "least: 1", "least: 2"),
      ['pipelines/own.yaml:15 stage "count" is not what is locked: least 1 -> 2'],
    ],
    [
      "a default of a stage's schema is told at its stage",
      (copy) => copy.edit("stages/count.ts", "default: 100", "default: 99"),
      [
        'pipelines/own.yaml:12 stage "count" is not what is locked: most 100 -> 99',
        'pipelines/own.yaml:13 stage "count" is not what is locked: stages/count.ts was edited',
      ],
    ],
    [
      "a command is told at its line",
      (copy) => copy.edit("pipelines/own.yaml", 'run: cat -- "${inputs.words}"', 'run: cat  -- "${inputs.words}"'),
      ['pipelines/own.yaml:23 stage "other" is not what is locked: its command was edited'],
    ],
    [
      "a source file is told by its name",
      (copy) => copy.edit("stages/words.ts", "/\\s+/", "/\\s/"),
      ['pipelines/own.yaml:13 stage "count" is not what is locked: stages/words.ts was edited'],
    ],
    [
      "a package is told with both versions",
      (copy) => copy.edit("node_modules/shout/package.json", "1.0.0", "1.0.1"),
      ['pipelines/own.yaml:13 stage "count" is not what is locked: package shout 1.0.0 -> 1.0.1'],
    ],
    [
      "an input file is told at its line",
      (copy) => copy.write("words.txt", "four\n"),
      ['pipelines/own.yaml:21 stage "other" is not what is locked: input words changed (../words.txt)'],
    ],
    [
      "a program of the repository is told",
      (copy) => copy.write("pipelines/shape", "#!/bin/sh\n# another one\n"),
      ['pipelines/own.yaml:9 stage "prepare" is not what is locked: the program ./shape is another one'],
    ],
    [
      "another connection is told at its line",
      (copy) => copy.edit("pipelines/own.yaml", "{ text: prepare, words", "{ text: show, words"),
      [
        'pipelines/own.yaml:21 stage "other" is not what is locked: input text changed (show)',
        'pipelines/own.yaml:23 stage "other" is not what is locked: name of input text text.txt -> shown.txt',
      ],
    ],
    [
      "another path to data that is not here is told at its line",
      (copy) => copy.edit("pipelines/own.yaml", "../data/raw.txt", "../data/more.txt"),
      [expect.stringMatching(/^pipelines\/own\.yaml:6 stage "prepare" cannot be compared.*more\.txt does not exist$/)],
    ],
    [
      "a stage that is new, and one that is gone, are told",
      (copy) => copy.edit("pipelines/own.yaml", "  show:", "  display:"),
      [
        `pipelines/own.yaml:16 stage "display" is not in ${LOCK}`,
        expect.stringMatching(/own\.lock\.yaml:\d+ the lock has a stage "show", and pipelines\/own\.yaml has none$/),
      ],
    ],
    [
      "a line that was written into the lock by hand is told at its line",
      (copy) => copy.edit(LOCK, "least: 1", "least: 7"),
      [
        expect.stringMatching(
          /own\.lock\.yaml:\d+ the param least of stage "count" is not what its locked fingerprint was made of$/,
        ),
      ],
    ],
    [
      "an output's digest that was written by hand shows where it is read",
      (copy) => {
        const digest = /counts:\n +kind: numbers\n +digest: (\w+)/.exec(copy.read(LOCK))![1]!;
        copy.edit(LOCK, digest, "a".repeat(64));
      },
      ['pipelines/own.yaml:17 stage "show" is not what is locked: input counts changed (count)'],
    ],
  ];
  test.each(changes)("%s, and the check ends with 4", async (_, change, expected) => {
    await lock();
    const copy = clone();
    change(copy);
    chmodSync(copy.path("pipelines/shape"), 0o755);
    const found = await check(copy);
    expect(told(found)).toEqual(expected);
    expect([found.code, found.follows]).toEqual([4, false]);
    copy.remove();
  });

  test("what lies behind a change is listed, not accused", async () => {
    await lock();
    const copy = clone();
    copy.edit("pipelines/own.yaml", "title: plain", "title: other");
    const { code, stdout, stderr } = await pipe(copy, "check", "own", "--frozen");
    expect(code).toBe(4);
    expect(stdout).toContain("may change then: count, show, other\n");
    expect(stderr).toContain("lock/changed");
    expect(stderr).toContain("run it, and commit the lock with the change: pipe run pipelines/own.yaml");
    expect(stderr).toContain("locked here");
    expect(stderr).toContain("params.title");
    copy.remove();
  });

  test("another value of a listed variable is told without the value", async () => {
    await lock();
    const copy = clone();
    const { code, stdout } = await copy.run(["check", "own", "--frozen", "--json"], { GREETING: "good-evening" });
    expect(code).toBe(4);
    expect(stdout).toContain("the environment variable GREETING changed");
    expect(stdout).not.toContain("good-evening");
    copy.remove();
  });
});

test("a program of the machine's own that is another one is listed, and no failure", async () => {
  await lock();
  const copy = clone();
  copy.write("bin/seq", "#!/bin/sh\n");
  chmodSync(copy.path("bin/seq"), 0o755);
  const { code, stdout } = await copy.run(["check", "own", "--frozen"], {
    ...SECRET,
    PATH: `${copy.path("bin")}:${process.env.PATH}`,
  });
  expect(code).toBe(0);
  expect(stdout).toContain("not checked: the program seq here is another one (prepare)\n");
  copy.remove();
});

test("a lock made on another machine is noted, and no failure", async () => {
  await lock();
  const copy = clone();
  copy.edit(LOCK, /(machine:\n +count: )\S+/, "$1plan9-mips");
  const { code, stdout } = await pipe(copy, "check", "own", "--frozen");
  expect(code).toBe(0);
  expect(stdout).toContain("note: made on plan9-mips; here it is ");
  copy.remove();
});

describe("a run", () => {
  test("brings the lock of its profile up to date, and no other", async () => {
    await lock();
    const before = project.read(LOCK);
    await pipe(project, "run", "own", "--profile", "loud");
    expect(project.read(LOCK)).toBe(before);
    await pipe(project, "run", "own", "--param", "title=other");
    expect(project.read(LOCK)).toBe(before);
    expect((await pipe(project, "lock", "own", "--profile", "loud")).stdout).toContain("own@loud, 4 stages");
    const both = project.read(LOCK);
    expect(both.startsWith(before.slice(0, before.indexOf("  own:")))).toBe(true);
    expect(both).toContain('\n  own@loud:\n    profiles: ["loud"]\n');
    project.edit("pipelines/own.yaml", "title: LOUD", "title: LOUDER");
    const { stderr } = await pipe(project, "run", "own", "--profile", "loud");
    expect(stderr).toContain(`note: ${LOCK} was brought up to date: 3 stages changed; commit it\n`);
    const after = project.read(LOCK);
    expect(after.slice(0, after.indexOf("  own@loud:"))).toBe(both.slice(0, both.indexOf("  own@loud:")));
    expect((await pipe(project, "check", "--frozen")).code).toBe(0);
  });

  test("with nothing to do finds a lock that was edited, taken away or is of other results, however often it agreed", async () => {
    await lock();
    const text = project.read(LOCK);
    for (let i = 0; i < 3; i++) expect((await pipe(project, "run", "own")).stderr).toBe("");
    // The file is as it should be again after each run that finds it otherwise.
    project.write(LOCK, text.replace("words: 6", "words: 7"));
    expect((await pipe(project, "run", "own")).stderr).toContain("brought up to date: 1 stage changed");
    expect(project.read(LOCK)).toBe(text);
    await pipe(project, "run", "own");
    project.edit("pipelines/own.yaml", "least: 1", "least: 2");
    expect((await pipe(project, "run", "own")).stderr).toContain("brought up to date: 1 stage changed");
    expect(project.read(LOCK)).not.toBe(text);
    project.edit("pipelines/own.yaml", "least: 2", "least: 1");
    await pipe(project, "run", "own");
    expect(project.read(LOCK)).toBe(text);
    await pipe(project, "run", "own");
    project.write(LOCK, `${text}<<<<<<< ours\n`);
    expect((await pipe(project, "run", "own")).code).toBe(2);
    rmSync(project.path(LOCK));
    await pipe(project, "run", "own");
    expect(existsSync(project.path(LOCK))).toBe(false);
  });

  test("of some stages brings these up to date, and what depends on them is told", async () => {
    await lock();
    project.edit("pipelines/own.yaml", "title: plain", "title: two words");
    expect((await pipe(project, "run", "own", "prepare")).code).toBe(0);
    expect(told(await check(project))).toEqual([
      'pipelines/own.yaml:14 stage "count" is not what is locked: input text changed (prepare)',
      'pipelines/own.yaml:21 stage "other" is not what is locked: input text changed (prepare)',
    ]);
  });

  test("that is frozen refuses to change the lock before anything runs, and says which stages would", async () => {
    await lock();
    const before = project.read(LOCK);
    project.edit("pipelines/own.yaml", "least: 1", "least: 2");
    const refused = await pipe(project, "run", "own", "--frozen", "--json");
    expect([refused.code, refused.stdout]).toEqual([4, ""]);
    expect(refused.stderr).toContain('stage "count" is not what is locked: least 1 -> 2');
    expect(refused.stderr).toContain(`nothing was run: count would change ${LOCK}, and perhaps show after that\n`);
    expect(project.read(LOCK)).toBe(before);
    // Only what is asked for counts.
    expect((await pipe(project, "run", "own", "other", "--frozen")).code).toBe(0);
    project.edit("pipelines/own.yaml", "least: 2", "least: 1");
    // In a clone with the data everything runs, and comes to what is locked.
    const copy = clone();
    cpSync(project.path("data"), copy.path("data"), { recursive: true });
    const again = await pipe(copy, "run", "own", "--frozen", "--json");
    expect([again.code, new Set(Object.values(again.outcomes))]).toEqual([0, new Set(["ran"])]);
    expect(copy.read(LOCK)).toBe(before);
    copy.remove();
  });

  test("that is frozen ends with 4 where a stage makes something else of the same key", async () => {
    project.write(
      "pipelines/own.yaml",
      'name: own\nstages:\n  draw:\n    outputs: { out: out.txt }\n    run: head -c 9 /dev/urandom | od > "${outputs.out}"\n',
    );
    await pipe(project, "run", "own");
    await pipe(project, "lock", "own");
    const before = project.read(LOCK);
    const { code, stderr } = await pipe(project, "run", "own", "--frozen", "--force");
    expect(code).toBe(4);
    expect(stderr).toContain(`error: draw made something else than ${LOCK} says`);
    expect(project.read(LOCK)).toBe(before);
  });

  test("that is frozen needs a lock, and no params", async () => {
    const without = await pipe(project, "run", "own", "--frozen");
    expect([without.code, without.stderr]).toEqual([2, expect.stringContaining("write it with: pipe lock")]);
    const params = await pipe(project, "run", "own", "--frozen", "--param", "times=3");
    expect([params.code, params.stderr]).toEqual([2, expect.stringContaining("do not go together")]);
    expect(existsSync(project.path("artifacts/own"))).toBe(false);
  });
});

describe("pipe lock", () => {
  test("locks only what was run, and only what still follows", async () => {
    const never = await pipe(project, "lock", "own");
    expect([never.code, never.stderr]).toEqual([2, expect.stringContaining("has never run")]);
    await pipe(project, "run", "own");
    project.write("words.txt", "four\n");
    const stale = await pipe(project, "lock", "own");
    expect([stale.code, stale.stderr]).toEqual([
      4,
      "error: what other made last is not what it would make now: input words changed (../words.txt)\n" +
        "  help: run it first: pipe run pipelines/own.yaml\n",
    ]);
    expect(existsSync(project.path(LOCK))).toBe(false);
  });
});

describe("a lock that is none", () => {
  const damages: readonly (readonly [string, (text: string) => string, string, number])[] = [
    [
      "has conflicts of a merge",
      (text) => text.replace("results:", "<<<<<<< ours\nresults:"),
      "lock/merge-conflict",
      6,
    ],
    ["is not YAML", (text) => text.replace("results:", "results: {{"), "language/yaml-syntax", 10],
    ["is of another format", (text) => text.replace("tfpipe/lock/1", "tfpipe/lock/9"), "lock/not-a-lock", 4],
    ["is something else", () => "name: own\n", "lock/not-a-lock", 1],
    ["lacks a digest", (text) => text.replace(/fingerprint: \w+/, "fingerprint: none"), "language/wrong-value", 11],
    [
      "has a line nobody knows",
      (text) => text.replace("  own:\n", "  own:\n    date: today\n"),
      "language/unknown-key",
      8,
    ],
    [
      "expands without end",
      () => `a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nformat: tfpipe/lock/1\n`,
      "language/missing-key",
      1,
    ],
  ];
  test.each(damages)("since it %s is refused at its line, by the check and by a run", async (_, damage, code, line) => {
    await lock();
    project.write(LOCK, damage(project.read(LOCK)));
    const found = await check(project);
    expect(found.code).toBe(2);
    expect(found.diagnostics.map((one) => [one.code, one.line])).toContainEqual([code, line]);
    const run = await pipe(project, "run", "own");
    expect([run.code, run.stdout]).toEqual([2, ""]);
    expect(run.stderr).toContain(code);
  });
});

test("branches that change different stages merge cleanly, and the merged lock follows", async () => {
  const git = (...args: readonly string[]) =>
    spawnSync("git", ["-c", "user.name=a", "-c", "user.email=a@example.org", ...args], {
      cwd: project.folder,
      encoding: "utf8",
    });
  await lock();
  project.write(".gitignore", "artifacts/\nnode_modules/\n");
  expect(git("init", "-q", "-b", "main").status).toBe(0);
  git("add", ".");
  git("commit", "-q", "-m", "both");
  const branch = async (name: string, change: () => void) => {
    git("checkout", "-q", "-b", name, "main");
    change();
    await pipe(project, "run", "own");
    expect(git("commit", "-q", "-a", "-m", name).status).toBe(0);
  };
  await branch("left", () => project.edit("pipelines/own.yaml", "least: 1", "least: 2"));
  await branch("right", () =>
    project.edit("pipelines/own.yaml", 'run: cat -- "${inputs.words}"', 'run: tac -- "${inputs.words}"'),
  );
  const merged = git("merge", "-q", "--no-edit", "left");
  expect([merged.status, merged.stdout]).toEqual([0, expect.not.stringContaining("CONFLICT")]);
  expect((await pipe(project, "check", "--frozen")).code).toBe(0);
  expect(readFileSync(join(project.folder, LOCK), "utf8")).toContain("least: 2");
  // Both at once is what nobody ran yet, but each stage of it was.
  expect((await pipe(project, "run", "own", "--frozen")).code).toBe(0);
});
