/** SIGKILL at every change of the disk, and what killed processes leave: the next run goes on as if nothing had been. */
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { expect } from "vitest";
import { processIdentity } from "../../src/platform/process-tree.ts";
import { CellProject, noise, waitedMs, withProject } from "./cell-project.ts";
import { eachChange } from "./each-change.ts";
import { testCells } from "./test-cells.ts";

const ONE_STAGE = `name: line
stages:
  first:
    inputs: { data: ./data.bin }
    outputs: { out: first.bin }
    run: |
      echo first >> log.txt
      tail -c 65536 "\${inputs.data}" > "\${outputs.out}"
`;

const MANY_FILES = `name: line
stages:
  first:
    inputs: { data: ./data.bin }
    outputs: { out: files }
    run: |
      echo first >> log.txt
      mkdir "\${outputs.out}"
      split -a 4 -b 64 "\${inputs.data}" "\${outputs.out}/part-"
`;
const FILES = 400;

/** Kills at each change in turn. `template` is where each run starts, `earlier` what is visible there of each stage. */
async function killAtEachChange(template: CellProject, earlier: Readonly<Record<string, string>>): Promise<void> {
  const clean = await template.rebuilt();
  const killed = await eachChange(template, "kill", async (project, run, change) => {
    expect([change, run.signal]).toEqual([change, "SIGKILL"]);
    // Nobody sees a part, also before the next run.
    for (const [path, digest] of Object.entries(project.visible()))
      expect([change, path, [earlier[path], clean[path]]]).toEqual([
        change,
        path,
        expect.arrayContaining([digest]) as unknown,
      ]);
    project.expectSound();
    const finished = new Set(project.traces().keys());

    const next = await project.run("--json");
    expect([change, next.code, next.stderr]).toEqual([change, 0, ""]);
    for (const { stage, fingerprint } of next.record!.stages)
      expect([change, stage, next.executed.includes(stage)]).toEqual([change, stage, !finished.has(fingerprint!)]);
    expect(waitedMs(next.events), change).toBeLessThanOrEqual(1000);
    await project.expectRight();
    project.expectSound();
    await project.expectTidyInTheEnd();
  });
  expect(killed).toBeGreaterThan(60);
}

/** Runs `line` with a lock of `first` that somebody left. */
async function expectNoWaiting(lock: string, limitMs: number, ageMs = 0): Promise<void> {
  await withProject(CellProject.line(), async (project) => {
    const first = await project.run("--json");
    rmSync(project.store("traces"), { recursive: true });
    const path = project.store("locks", `${first.stage("first").fingerprint}.json`);
    writeFileSync(path, lock);
    const left = new Date(Date.now() - ageMs);
    if (ageMs > 0) utimesSync(path, left, left);
    const run = await project.run("--json");
    expect([run.code, run.executed]).toEqual([0, ["first", "second"]]);
    expect(waitedMs(run.events)).toBeLessThanOrEqual(limitMs);
    await project.expectRight();
    project.expectTidy();
  });
}

testCells("killed", {
  "kill-first-run": () =>
    withProject(new CellProject({ "line.yaml": ONE_STAGE, "data.bin": noise(1, 65_600) }), (template) =>
      killAtEachChange(template, {}),
    ),

  "kill-next-run": () =>
    withProject(CellProject.line(), async (template) => {
      await template.run();
      const earlier = template.visible();
      template.project.write("data.bin", noise(3, 65_600));
      await killAtEachChange(template, earlier);
    }),

  "kill-many-files": () =>
    withProject(new CellProject({ "line.yaml": MANY_FILES, "data.bin": noise(4, FILES * 64) }), async (template) => {
      await withProject(template.copy(), async (counted) => {
        const log = counted.path("changes.json");
        await counted.runUnder({ fault: "count", log });
        const changes = JSON.parse(readFileSync(log, "utf8")) as readonly string[];
        for (const part of [0.2, 0.4, 0.6, 0.8])
          await withProject(template.copy(), async (project) => {
            const run = await project.runUnder({ fault: "kill", at: Math.floor(part * changes.length) });
            expect(run.signal).toBe("SIGKILL");
            project.expectSound();
            const finished = project.traces().size > 0;
            const next = await project.run();
            expect([next.code, next.executed]).toEqual([0, finished ? [] : ["first"]]);
            expect(Object.keys(project.visible())).toHaveLength(FILES);
            await project.expectRight();
            await project.expectTidyInTheEnd();
          });
      });
    }),

  "kill-while-stage-runs": () =>
    withProject(CellProject.line(), async (project) => {
      // The last thing that the command would do is never done.
      // `$$` twice, since the text is a replacement.
      const waiting = "echo $$$$ > pid; echo begun; while [ ! -e go ]; do sleep 0.02; done; echo over >> log.txt";
      project.project.edit("line.yaml", "echo first >> log.txt", `echo first >> log.txt; ${waiting}`);
      const running = project.start(["run", "line.yaml", "--json"]);
      await running.event((event) => event.type === "stage-logged" && event.line === "begun");
      running.child.kill("SIGKILL");
      expect((await running.result).signal).toBe("SIGKILL");
      expect(project.executed()).toEqual(["first"]);
      const pid = Number(project.project.read("pid"));
      await expect.poll(() => processIdentity(pid)).toBeUndefined();
      project.project.write("go", "");
      const next = await project.run("--json");
      expect([next.code, next.executed]).toEqual([0, ["first", "over", "second"]]);
      expect(waitedMs(next.events)).toBe(0);
      await project.expectRight();
      project.expectTidy();
    }),

  "dead-lock": async () => {
    const { pid } = spawnSync(process.execPath, ["-e", ""]);
    await expectNoWaiting(JSON.stringify({ pid, identity: "then", host: hostname() }), 0);
    await expectNoWaiting(JSON.stringify({ pid: process.pid, identity: "another", host: hostname() }), 0);
  },

  "cut-lock": async () => {
    for (const lock of ["", '{"pid":', "garbage", "null", "[]", '{"pid":"x","host":7}'])
      await expectNoWaiting(lock, 1000);
  },

  "lock-of-another-machine": () =>
    expectNoWaiting(JSON.stringify({ pid: process.pid, identity: "x", host: "elsewhere.example" }), 0, 5 * 60_000),
});
