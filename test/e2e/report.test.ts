/** `pipe report` with the real program: Markdown for a pull request, of runs and of locks, with pictures beside it. */
import { existsSync, readdirSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { Project } from "./project.ts";
import { createWordsProject } from "./words-pipeline.ts";

let project: Project;
afterEach(() => project.remove());

const report = async (...args: readonly string[]) => {
  const { code, stdout, stderr } = await project.run(["report", ...args]);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  return stdout;
};

describe("of runs", () => {
  test("says which stages gave something else than is locked, and where that begins", async () => {
    project = createWordsProject();
    await project.run(["run", "words.yaml"]);
    await project.run(["lock", "words.yaml"]);
    expect(await report("words.yaml", "--md")).toMatchInlineSnapshot(`
      "## \`words\`

      4 stages have the same result in the last run as in \`words.lock.yaml\`.

      <details><summary>4 stages as before</summary>

      \`upper\`, \`twice\`, \`count\`, \`other\`

      </details>
      "
    `);
    project.write("base/words.lock.yaml", project.read("words.lock.yaml"));
    project.edit("words.yaml", 'times: "2"', 'times: "3"');
    project.edit("words.yaml", "rev ", "rev  ");
    await project.run(["run", "words.yaml", "--name", "thrice"]);
    const text = await report("words.yaml", "--md", "--against", "base");
    expect(text).toMatchInlineSnapshot(`
      "## \`words\`

      **2 of 4 stages have another result** in the last run than in the lock of the other checkout.

      **Root cause**

      - \`twice\`: \`params.times 2 -> 3\`

      | stage | state | result | why |
      | --- | --- | --- | --- |
      | \`twice\` | ran | **other** | \`params.times 2 -> 3\` |
      | \`count\` | ran | **other** | \`input text changed (twice: params.times 2 -> 3)\` |
      | \`other\` | ran | same | \`its command was edited\` |

      <details><summary>1 stage as before</summary>

      \`upper\`

      </details>
      "
    `);
    // The same of the file, and of the run before; twice the same.
    const against = async (what: string) => (await report("words.yaml", "--md", "--against", what)).split("\n");
    expect((await against("base/words.lock.yaml")).slice(4)).toEqual(text.split("\n").slice(4));
    expect((await against("last~1")).slice(4)).toEqual(text.split("\n").slice(4));
    expect(await report("words.yaml", "--md", "--against", "base")).toBe(text);
    expect(text).not.toMatch(new RegExp(`${project.folder}|\\d{4}-\\d\\d|\\d{8}T`));
  });

  test("holds no value of a listed variable, neither compared nor alone", async () => {
    project = createWordsProject();
    project.edit("words.yaml", "stages:", "env: TOKEN\nstages:");
    project.edit("words.yaml", /rev ("[^"]+")/, `echo "\${env.TOKEN}" | cat - $1`);
    for (const TOKEN of ["first-secret", "second-secret"]) await project.run(["run", "words.yaml"], { TOKEN });
    const reported = async (...args: readonly string[]) =>
      (await project.run(["report", "words.yaml", "--md", ...args], { TOKEN: "third-secret" })).stdout;
    const [alone, compared] = [await reported(), await reported("--against", "last~1")];
    expect(alone).toContain("| `other` | ran |");
    expect(compared).toContain("- `other`: `the environment variable TOKEN changed`");
    expect(alone + compared).not.toContain("secret");
  });

  test("shows a stage that failed, with its reason, and those that were skipped", async () => {
    project = createWordsProject();
    await project.run(["run", "words.yaml"]);
    await project.run(["lock", "words.yaml"]);
    project.edit("words.yaml", "wc -l", "exit 3; wc -l");
    expect((await project.run(["run", "words.yaml"])).code).toBe(1);
    const text = await report("words.yaml", "--md");
    expect(text).toContain("1 without a result");
    expect(text).toMatch(/^\| `count` \| ✗ failed \| none \| `.*3.*` \|$/m);
  });

  test("writes the pictures of charts beside it, before and after, named by their content", async () => {
    project = new Project();
    project.write("pipelines/charts.yaml", CHARTS);
    project.write("stages/draw.ts", DRAW);
    const draw = async (title: string) =>
      expect((await project.run(["run", "--param", `title=${title}`, "--name", title])).code).toBe(0);
    await draw("first");
    await draw("second");
    expect(await report("--md", "--param", "title=second", "--against", "first", "-o", "out")).toBe(
      "out/report.md was written, and 5 pictures\n",
    );
    const text = project.read("out/report.md");
    const row = /^\| `draw`<br>`loss` \| !\[loss\]\((\S+)\) \| !\[loss\]\((\S+)\) \|$/m.exec(text)!;
    expect([row[1], row[2]].map((file) => project.read(`out/${file}`))).toEqual(["PNG first", "PNG second"]);
    expect(text).toContain("1 chart as before");
    const files = readdirSync(project.path("out")).sort();
    expect(files).toHaveLength(6);
    await report("--md", "--param", "title=second", "--against", "first", "-o", "out");
    expect(readdirSync(project.path("out")).sort()).toEqual(files);
    expect(project.read("out/report.md")).toBe(text);
    expect(await report("--md", "--param", "title=second", "--against", "first")).toContain(
      "Drawn otherwise: `draw` `loss`, `draw` `only svg`",
    );
  });

  test("without --md is the page that the run wrote", async () => {
    project = createWordsProject();
    await project.run(["run", "words.yaml"]);
    const page = project.read("artifacts/words/report.html");
    expect(await report("words.yaml", "--out", "page")).toBe("page/report.html\n");
    expect(project.read("page/report.html")).toBe(page);
  });
});

describe("in a clone without runs", () => {
  const cloneOf = async (from: Project) => {
    await from.run(["run", "words.yaml"]);
    await from.run(["lock", "words.yaml"]);
    const clone = new Project();
    for (const file of ["words.yaml", "words.lock.yaml"]) {
      clone.write(`pipelines/${file}`, from.read(file));
      clone.write(`base/pipelines/${file}`, from.read(file));
    }
    from.remove();
    return clone;
  };

  test("says whether what is locked follows, and what a change of a file leads to", async () => {
    project = await cloneOf(createWordsProject());
    expect(await report("--md", "--against", "base")).toMatchInlineSnapshot(`
      "## \`words\`

      ✓ \`pipelines/words.lock.yaml\` follows from the files here: 4 stages.

      4 stages have the same result in \`pipelines/words.lock.yaml\` as in the lock of the other checkout.

      <details><summary>4 stages as before</summary>

      \`upper\`, \`twice\`, \`count\`, \`other\`

      </details>

      - not checked: \`./text.txt is not here (upper)\`
      "
    `);
    project.edit("pipelines/words.yaml", 'times: "2"', 'times: "3"');
    expect(await report("--md", "--against", "base")).toMatchInlineSnapshot(`
      "## \`words\`

      4 stages have the same result in \`pipelines/words.lock.yaml\` as in the lock of the other checkout.

      ✗ **\`pipelines/words.lock.yaml\` does not follow from the files here**; 1 more stage may change then:

      - \`pipelines/words.yaml:2\` \`stage "twice" is not what is locked: params.times 2 -> 3\`

      | stage | state | result | why |
      | --- | --- | --- | --- |
      | \`twice\` | ✗ does not follow | same | \`params.times 2 -> 3\` |
      | \`count\` | may change | same |  |

      <details><summary>2 stages as before</summary>

      \`upper\`, \`other\`

      </details>

      - not checked: \`./text.txt is not here (upper)\`
      "
    `);
    expect(existsSync(project.path("artifacts", "words"))).toBe(false);
  });

  test("speaks of every profile that is locked, and of the pipeline without one only where it has run", async () => {
    project = createWordsProject();
    project.edit(
      "words.yaml",
      'params: { times: "2" }',
      'params: { times: null }\nprofiles: { two: { params: { times: "2" } }, three: { params: { times: "3" } } }',
    );
    for (const profile of ["two", "three"])
      for (const command of ["run", "lock"]) await project.run([command, "words.yaml", "--profile", profile]);
    const headings = (text: string) => text.match(/^## .*$/gm);
    const clone = new Project();
    for (const file of ["words.yaml", "words.lock.yaml"]) clone.write(file, project.read(file));
    for (const where of [project, clone]) {
      const { code, stdout } = await where.run(["report", "words.yaml", "--md"]);
      expect([code, headings(stdout)]).toEqual([0, ["## `words@three`", "## `words@two`"]]);
    }
    expect(headings(await report("words.yaml", "--md", "--profile", "two"))).toEqual(["## `words@two`"]);
    clone.remove();
  });

  test("of a pipeline that the other checkout does not have, all is new", async () => {
    project = await cloneOf(createWordsProject());
    project.write("empty/README.md", "");
    expect(await report("--md", "--against", "empty")).toContain("4 new");
  });
});

test("what cannot be reported is refused with a hint", async () => {
  project = createWordsProject();
  const refused = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await project.run(["report", ...args]);
    expect([code, stdout]).toEqual([2, ""]);
    return stderr;
  };
  expect(await refused("words.yaml", "--md")).toContain(
    "no run of it is kept here, and words.lock.yaml has nothing of it",
  );
  expect(await refused("words.yaml")).toContain("no run of words.yaml is kept here");
  expect(await refused("nothing.yaml", "--md")).toContain("there is no pipeline file nothing.yaml");
  await project.run(["run", "words.yaml"]);
  expect(await report("words.yaml", "--md")).toContain("there is no lock to compare with");
  expect(await refused("words.yaml", "--md", "--against", "nothing")).toContain('there is no run "nothing"');
  expect(await refused("words.yaml", "--md", "--against", "no.lock.yaml")).toContain("there is no lock no.lock.yaml");
  expect(await refused("words.yaml", "--md", "--against", "words.yaml")).toContain("words.yaml is no lock");
  expect(await refused("words.yaml", "--md", "--pictures", "https://example.org")).toContain("--out report");
  expect(await refused("words.yaml", "--against", "last")).toContain("pipe report --md");
});

const CHARTS = `name: charts
params: { title: none }
stages:
  draw:
    uses: ../stages/draw.ts
    with: { title: "\${params.title}" }
`;

const DRAW = `
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineStage } from "tfpipe";

export const draw = defineStage<{ title: string }>({
  type: "draw",
  description: "Draws.",
  schema: { type: "object", properties: { title: { type: "string" } } },
  inputs: {},
  outputs: { charts: { kind: "charts", description: "Two charts." } },
  async run({ params, outputs }) {
    const { folder } = outputs.charts!;
    writeFileSync(join(folder, "loss.png"), "PNG " + params.title);
    writeFileSync(join(folder, "loss.svg"), "<svg/>");
    writeFileSync(join(folder, "only svg.svg"), "<svg>" + params.title + "</svg>");
    writeFileSync(join(folder, "still.png"), "PNG");
  },
});
`;
