/** Edits of inputs, outputs and code, while a stage runs and between runs: what is stored is what was read. */
import { appendFileSync, lstatSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import { CellProject, FIRST, LINE, noise, SECOND, withProject } from "./cell-project.ts";
import { testCells } from "./test-cells.ts";

/** `first` has read its input when it says so, and goes on when `go` is there. */
const HELD = LINE.replace(/(tail .*)/, "$1\n      echo has read; while [ ! -e go ]; do sleep 0.02; done");
const FOLDER = HELD.replace("./data.bin", "./data").replace(
  `tail -c 65536 "\${inputs.data}"`,
  `cat "\${inputs.data}"/*`,
);
/** Each command writes into its input once it has read it. */
const SPOILING = LINE.replace(/(tail .*)/, `$1\n      echo spoilt > "\${inputs.data}"`).replace(
  /(cksum .*)/,
  `$1\n      echo spoilt > "\${inputs.from}"`,
);

/** Does `edit` after the stage has read its input; the run fails and keeps nothing, and the next one is right. */
async function expectRefused(project: CellProject, edited: string, edit: () => void): Promise<void> {
  const running = project.start(["run", "line.yaml", "--json"]);
  await running.event((event) => event.type === "stage-logged" && event.line === "has read");
  edit();
  project.project.write("go", "");
  const run = await running.result;
  expect(run.code).toBe(1);
  expect(run.stage("first").failure).toMatchObject({
    message: `input ${project.path(edited)} was changed while the stage ran, so its result cannot be kept`,
    help: "run it again once the file is still",
  });
  expect([run.outcomes, project.executed()]).toEqual([{ first: "failed", second: "skipped" }, ["first"]]);
  expect([project.traces().size, project.visible()]).toEqual([0, {}]);
  project.expectTidy();

  const next = await project.run();
  expect([next.code, next.executed]).toEqual([0, ["first", "second"]]);
  await project.expectRight();
}

const A_TIME = new Date(1_700_000_000_000);

/** Other bytes of the same size at the same inode, and the times that can be set as before. */
function editUnseen(path: string): void {
  const { atime, mtime } = lstatSync(path);
  const bytes = readFileSync(path);
  bytes[7]! ^= 1;
  writeFileSync(path, bytes);
  utimesSync(path, atime, mtime);
}

const onLine = (body: (project: CellProject) => Promise<void>) => () =>
  withProject(CellProject.line(), async (project) => {
    await project.run();
    await body(project);
  });

/** The right bytes are put back, nothing runs, and the store never saw the edit. */
async function expectRepaired(project: CellProject): Promise<void> {
  project.expectSound();
  const run = await project.run();
  expect([run.code, run.executed]).toEqual([0, []]);
  expect(run.said).toMatch(/first {2}restored/);
  await project.expectRight();
}

const SHOUT = `import { readFileSync, writeFileSync, appendFileSync } from "node:fs";
import { join } from "node:path";
import { defineStage } from "tfpipe";
import { shout } from "./helper.ts";
export const first = defineStage({
  type: "first",
  description: "Shouts.",
  schema: { type: "object", properties: { log: { type: "string", "x-role": "execution" } } },
  inputs: { data: { kind: "any", description: "A text." } },
  outputs: { out: { kind: "file", description: "The text, louder." } },
  async run({ params, inputs, outputs }) {
    appendFileSync(params.log as string, "first\\n");
    writeFileSync(join(outputs.out!.folder, "out.txt"), shout(readFileSync(inputs.data!.path(), "utf8")));
  },
});
`;
const HELPER = `export const shout = (text: string) => text.toUpperCase();
export const whisper = (text: string) => text.toLowerCase();
`;

testCells("edited", {
  "input-edited": () =>
    withProject(CellProject.line(HELD), (project) =>
      expectRefused(project, "data.bin", () => project.project.write("data.bin", noise(5, 65_600))),
    ),

  "input-set-back": () =>
    withProject(CellProject.line(HELD), async (project) => {
      // A time that can be set exactly.
      const path = project.path("data.bin");
      utimesSync(path, A_TIME, A_TIME);
      const { mtimeMs, size, ino } = lstatSync(path);
      await expectRefused(project, "data.bin", () => {
        const before = readFileSync(path);
        writeFileSync(path, noise(5, before.length));
        writeFileSync(path, before);
        utimesSync(path, A_TIME, A_TIME);
        expect(lstatSync(path)).toMatchObject({ mtimeMs, size, ino });
      });
    }),

  "input-folder-grew": () =>
    withProject(new CellProject({ "line.yaml": FOLDER, "data/a": "one", "data/b": "two" }), (project) =>
      expectRefused(project, "data", () => project.project.write("data/c", "three")),
    ),

  "input-same-stat": onLine(async (project) => {
    const path = project.path("data.bin");
    utimesSync(path, A_TIME, A_TIME);
    expect((await project.run()).executed).toEqual([]);
    const { mtimeMs, size, ino } = lstatSync(path);
    editUnseen(path);
    expect(lstatSync(path)).toMatchObject({ mtimeMs, size, ino });
    const run = await project.run();
    expect([run.code, run.executed]).toEqual([0, ["first"]]);
    await project.expectRight();
  }),

  "input-older": onLine(async (project) => {
    project.project.write("data.bin", noise(6, 65_600));
    utimesSync(project.path("data.bin"), new Date(1_000_000_000_000), new Date(1_000_000_000_000));
    const run = await project.run();
    expect([run.code, run.executed]).toEqual([0, ["first", "second"]]);
    expect(run.said).toContain("first  runs: input data changed (./data.bin)");
    await project.expectRight();
  }),

  "input-spoiled": () =>
    withProject(CellProject.line(SPOILING), async (project) => {
      const run = await project.run();
      expect([run.code, run.executed]).toEqual([0, ["first", "second"]]);
      expect(readFileSync(project.path("data.bin")).equals(noise(1, 65_600))).toBe(true);
      project.expectSound();
      await project.expectRight();
      expect((await project.run()).executed).toEqual([]);
    }),

  "output-edited": onLine(async (project) => {
    appendFileSync(project.path("artifacts/line", FIRST), "by hand");
    await expectRepaired(project);
    writeFileSync(project.path("artifacts/line", FIRST), noise(7, 65_536));
    await expectRepaired(project);
  }),

  "output-same-stat": onLine(async (project) => {
    editUnseen(project.path("artifacts/line", FIRST));
    await expectRepaired(project);
  }),

  "helper-edited": () =>
    withProject(
      new CellProject({
        "shout.ts": SHOUT,
        "helper.ts": HELPER,
        "data.txt": "one two\n",
        "line.yaml": `name: line
stages:
  first: { uses: ./shout.ts, inputs: { data: ./data.txt }, with: { log: log.txt } }
`,
      }),
      async (project) => {
        project.project.edit("line.yaml", "log: log.txt", `log: "${project.path("log.txt")}"`);
        expect((await project.run()).executed).toEqual(["first"]);
        project.project.edit("helper.ts", "toLowerCase", "trim");
        expect((await project.run()).executed).toEqual([]);
        project.project.edit("helper.ts", "text.toUpperCase()", 'text.toUpperCase().concat("!")');
        const run = await project.run();
        expect([run.code, run.executed]).toEqual([0, ["first"]]);
        expect(run.said).toMatch(/first {2}runs: .*helper\.ts was edited/);
        expect(project.project.read("artifacts/line/first/out/out.txt")).toBe("ONE TWO\n!");
      },
    ),

  "helper-unlisted": () =>
    withProject(
      new CellProject({
        "main.sh": '. "$(dirname "$0")/helper.sh"\nshout\n',
        "helper.sh": "shout() { echo LOUD; }\n",
        "line.yaml": `name: line
stages:
  first:
    inputs: { script: ./main.sh }
    outputs: { out: out.txt }
    run: sh "\${inputs.script}" > "\${outputs.out}"
`,
      }),
      async (project) => {
        const run = await project.run();
        expect(run.code).toBe(1);
        expect(run.said).toMatch(/helper\.sh/);
        expect([project.traces().size, project.visible()]).toEqual([0, {}]);
        // With the helper in a folder that is the input, both count.
        project.project.write("code/main.sh", project.project.read("main.sh"));
        project.project.write("code/helper.sh", project.project.read("helper.sh"));
        project.project.edit("line.yaml", "{ script: ./main.sh }", "{ code: ./code }");
        project.project.edit("line.yaml", `\${inputs.script}`, `\${inputs.code}/main.sh`);
        expect((await project.run()).code).toBe(0);
        project.project.edit("code/helper.sh", "LOUD", "LOUDER");
        expect((await project.run()).said).toContain("first  runs: input code changed (./code)");
        expect(project.project.read("artifacts/line/first/out/out.txt")).toBe("LOUDER\n");
      },
    ),

  "same-bytes": onLine(async (project) => {
    // `first` keeps the last 65,536 bytes: one before them is not in its output.
    const bytes = noise(1, 65_600);
    bytes[3]! ^= 1;
    project.project.write("data.bin", bytes);
    const run = await project.run();
    expect([run.code, run.executed]).toEqual([0, ["first"]]);
    expect(run.said).toContain("second  fresh");
    await project.expectRight();
    expect(project.project.read(`artifacts/line/${SECOND}`)).toMatch(/^\d+ 65536\n$/);
  }),
});
