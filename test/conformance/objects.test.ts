/** Blobs and listings of the store damaged behind the runner's back: what was damaged is made again, and only that. */
import {
  appendFileSync,
  chmodSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { expect } from "vitest";
import { CellProject, type CellRun, FIRST, keptStat, noise, outputsOf, SECOND, withProject } from "./cell-project.ts";
import { testCells } from "./test-cells.ts";

type Damage = (path: string) => void;

/** As a disk would, whatever the modes are. */
const writing =
  (change: Damage): Damage =>
  (path) => {
    chmodSync(path, 0o644);
    change(path);
    chmodSync(path, 0o444);
  };
const flip = writing((path) => {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 0x10;
  writeFileSync(path, bytes);
});
const cutTo = (sizeBytes: number) => writing((path) => truncateSync(path, sizeBytes));
const extend = writing((path) => appendFileSync(path, "\0"));
const remove: Damage = (path) => rmSync(path);

const onLine = (body: (project: CellProject, first: CellRun) => Promise<void>) => () =>
  withProject(CellProject.line(), async (project) => body(project, await project.run("--json")));

/** After damage to a blob of `first`: the stage runs again, `second` does not, and nothing is left to do. */
async function expectMadeAgain(project: CellProject, message: RegExp): Promise<void> {
  const run = await project.run();
  expect(run.said).toMatch(message);
  expect([run.code, run.executed]).toEqual([0, ["first"]]);
  await project.expectRight();
  project.expectSound();
  project.expectTidy();
  expect((await project.run()).said).toContain("nothing to do");
}

const damaged = (damage: Damage, message: RegExp) =>
  onLine(async (project) => {
    damage(project.objectOf(FIRST));
    project.hideVisible();
    await expectMadeAgain(project, message);
  });

const DAMAGED = /first {2}runs: output out: object [0-9a-f]{12} in the store is damaged/;
const MISSING = /first {2}runs: output out: object [0-9a-f]{12} is missing from the store/;

const TWINS = `name: line
stages:
  first:
    inputs: { data: ./data.bin }
    outputs: { out: first.bin }
    run: echo first >> log.txt; head -c 32768 "\${inputs.data}" > "\${outputs.out}"
  second:
    inputs: { data: ./data.bin }
    outputs: { out: second.bin }
    run: echo second >> log.txt; tail -c 32768 "\${inputs.data}" > "\${outputs.out}"
`;

testCells("objects", {
  "flipped-bit": damaged(flip, DAMAGED),
  truncated: damaged(cutTo(30_000), DAMAGED),
  emptied: damaged(cutTo(0), DAMAGED),
  extended: damaged(extend, DAMAGED),
  deleted: damaged(remove, MISSING),

  "flipped-bit-unseen": onLine(async (project) => {
    const path = project.objectOf(FIRST);
    const stale = keptStat(path);
    flip(path);
    project.hideVisible();
    const run = await project.runUnder({ fault: "stale", stale });
    expect(run.said).toMatch(/warning: object [0-9a-f]{12} in the store is damaged; first runs again/);
    expect([run.code, run.executed]).toEqual([0, ["first"]]);
    await project.expectRight();
    project.expectSound();
  }),

  "flipped-bit-passed-on": onLine(async (project) => {
    const path = project.objectOf(FIRST);
    const stale = keptStat(path);
    flip(path);
    project.project.edit("line.yaml", "cksum <", "cksum  <");
    const run = await project.runUnder({ fault: "stale", stale });
    expect(run.said).toMatch(/warning: object [0-9a-f]{12} in the store is damaged; first runs again to make it/);
    expect([run.code, run.executed]).toEqual([0, ["first", "second"]]);
    await project.expectRight();
    project.expectSound();
  }),

  swapped: () =>
    withProject(new CellProject({ "line.yaml": TWINS, "data.bin": noise(2, 65_536) }), async (project) => {
      await project.run();
      const [one, other] = [project.objectOf(FIRST), project.objectOf("second/out/second.bin")];
      renameSync(one, `${one}.aside`);
      renameSync(other, one);
      renameSync(`${one}.aside`, other);
      project.hideVisible();
      const run = await project.run();
      for (const stage of ["first", "second"])
        expect(run.said).toMatch(
          new RegExp(`${stage} {2}runs: output out: object [0-9a-f]{12} in the store is damaged`),
        );
      expect([run.code, run.executed.toSorted()]).toEqual([0, ["first", "second"]]);
      await project.expectRight();
      project.expectSound();
    }),

  "damaged-listing": async () => {
    const damages: readonly (readonly [Damage, RegExp])[] = [
      [flip, DAMAGED],
      [cutTo(20), DAMAGED],
      [cutTo(0), DAMAGED],
      [extend, DAMAGED],
      [remove, MISSING],
    ];
    await onLine(async (template, first) => {
      for (const [damage, message] of damages)
        await withProject(template.copy(), async (project) => {
          const [listing] = outputsOf(project.traceOf(first, "first"));
          damage(project.object(listing!.digest));
          project.hideVisible();
          await expectMadeAgain(project, message);
        });
    })();
  },

  doctor: onLine(async (project) => {
    const [first, second] = [project.objectOf(FIRST), project.objectOf(SECOND)];
    flip(first);
    remove(second);
    const { code, stdout } = await project.start(["doctor"]).result;
    expect(code).toBe(0);
    expect(stdout).toContain(
      `${first.slice(project.store().length + 1)}: is not what its name says; moved to quarantine`,
    );
    expect(stdout).toMatch(
      new RegExp(`names object ${second.slice(-64, -52)}, which is lost; removed: its stage runs`),
    );
    project.hideVisible();
    const run = await project.run();
    expect([run.code, run.executed]).toEqual([0, ["first", "second"]]);
    await project.expectRight();
    project.expectSound();
    expect((await project.start(["doctor"]).result).stdout).toContain("all is right");
    expect(readdirSync(project.store("quarantine"))).toHaveLength(1);
  }),
});
