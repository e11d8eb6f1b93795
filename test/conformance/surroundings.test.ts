/** Odd clocks and odd names: nothing is different for them. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { CellProject, type CellRun, noise, withProject } from "./cell-project.ts";
import { testCells } from "./test-cells.ts";

/** As `JSON.stringify`, which is YAML too. */
const quoted = (text: string) => JSON.stringify(text);

const ODD = [
  "a b.txt",
  "line\nbreak.txt",
  " leading and trailing ",
  'it\'s "quoted" `$HOME` $(rm -rf x) \\n.txt',
  "-rf",
  "*?[a].txt",
  "größe 東京 🙂.txt",
  "tab\tbell\u0007.txt",
  "C:\\x.txt",
  "..odd",
  "%41#x&y=z;.txt",
];

const ODD_PIPELINE = `name: line
stages:
  first:
    inputs: { data: ${quoted("./da ta\n'ö' 🙂")}, file: ${quoted(`./${ODD[3]}`)} }
    outputs: { out: ${quoted("co py 🙂")}, file: ${quoted("ein\u00e9 $x `y`.txt")} }
    run: |
      echo first >> log.txt
      cp -R "\${inputs.data}" "\${outputs.out}"
      cat "\${inputs.file}" > "\${outputs.file}"
  second:
    inputs: { from: first.out, file: first.file }
    outputs: { out: list.txt }
    run: |
      echo second >> log.txt
      (cd "\${inputs.from}" && find . -type f -exec cksum {} + | LC_ALL=C sort; cksum < "\${inputs.file}") > "\${outputs.out}"
`;
/** A copy of a folder. */
const LISTING = `name: line
stages:
  first:
    inputs: { data: ./data }
    outputs: { out: copy }
    run: echo first >> log.txt; cp -R "\${inputs.data}" "\${outputs.out}"
`;
const ODD_FOLDER = "pipe\nlines  'n' \"größer\" 🙂 $X";

testCells("surroundings", {
  "clock-back": () =>
    withProject(CellProject.line(), async (project) => {
      const run = (...args: string[]) => project.runUnder({ fault: "clock-back" }, ...args);
      const expectRun = async ({ code, executed, said }: CellRun, stages: readonly string[]) => {
        expect([code, executed]).toEqual([0, stages]);
        expect(said).not.toMatch(/-\d+(\.\d+)? (ms|s)\b/);
        await project.expectRight();
        project.expectSound();
        project.expectTidy();
      };
      await expectRun(await run(), ["first", "second"]);
      await expectRun(await run(), []);
      project.project.write("data.bin", noise(3, 65_600));
      await expectRun(await run(), ["first", "second"]);
      project.hideVisible();
      await expectRun(await run(), []);
      await expectRun(await run("--force", "second"), ["second"]);
      project.project.write("data.bin", noise(1, 65_600));
      await expectRun(await run(), []);
      // And with the right clock again.
      await expectRun(await project.run(), []);
    }),

  "odd-names": () =>
    withProject(new CellProject({}, join(ODD_FOLDER, "li ne.yaml"), "pro ject"), async (project) => {
      const pipeline = (...parts: string[]) => project.path(ODD_FOLDER, ...parts);
      project.project.write(join(ODD_FOLDER, "li ne.yaml"), ODD_PIPELINE);
      const data = pipeline("da ta\n'ö' 🙂");
      for (const [i, name] of ODD.entries()) {
        mkdirSync(join(data, "sub folder\n", name), { recursive: true });
        writeFileSync(join(data, name), `${i}`);
        writeFileSync(join(data, "sub folder\n", name, name), `${i} below`);
      }
      writeFileSync(pipeline(ODD[3]!), "by its name");
      const expectRun = async (executed: readonly string[]) => {
        const run = await project.run();
        expect([run.code, run.stderr, run.executed]).toEqual([0, "", executed]);
        const out = project.path("artifacts/line/first/out");
        for (const name of ODD) {
          expect(readFileSync(join(out, name), "utf8")).toBe(readFileSync(join(data, name), "utf8"));
          const below = join("sub folder\n", name, name);
          expect(readFileSync(join(out, below), "utf8")).toBe(readFileSync(join(data, below), "utf8"));
        }
        expect(readdirSync(out).toSorted()).toEqual([...ODD, "sub folder\n"].toSorted());
        expect(project.project.read("artifacts/line/first/file/ein\u00e9 $x `y`.txt")).toBe("by its name");
        await project.expectRight();
      };
      await expectRun(["first", "second"]);
      await expectRun([]);
      project.hideVisible();
      await expectRun([]);
      writeFileSync(join(data, ODD[1]!), "another");
      await expectRun(["first", "second"]);
      project.expectSound();
      project.expectTidy();
    }),

  "names-apart-by-form": () =>
    withProject(CellProject.line(LISTING), async (project) => {
      const [composed, decomposed] = ["data/\u00e9", "data/e\u0301"];
      project.project.write(composed, "one");
      project.project.write(decomposed, "two");
      // Some file systems take the two for one name.
      const apart = readdirSync(project.path("data")).length === 2;
      const run = await project.run();
      expect(run.code, run.said).toBe(0);
      const names = readdirSync(project.path("artifacts/line/first/out")).toSorted();
      expect(names).toEqual(readdirSync(project.path("data")).toSorted());
      expect(project.project.read("artifacts/line/first/out/e\u0301")).toBe("two");
      if (apart) expect(project.project.read("artifacts/line/first/out/\u00e9")).toBe("one");
      rmSync(project.path(composed));
      expect((await project.run()).said).toContain("first  runs: input data changed (./data)");
    }),

  "names-not-utf-8": () =>
    withProject(CellProject.line(LISTING), async (project) => {
      project.project.write("data/plain", "one");
      const name = Buffer.concat([Buffer.from(project.path("data/caf")), Buffer.from([0xe9])]);
      try {
        writeFileSync(name, "two");
      } catch {
        return; // Such a name cannot be on this file system.
      }
      const run = await project.run();
      expect(run.code).toBe(1);
      expect(run.said).toMatch(/data\/caf.*not UTF-8/);
      expect([project.traces().size, project.visible()]).toEqual([0, {}]);
      rmSync(name);
      expect((await project.run()).code).toBe(0);
    }),
});
