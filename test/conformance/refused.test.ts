/** Disks that refuse: full, failing, read-only, without links. The run says so, and nothing wrong is kept or shown. */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { CellProject, noise, withProject } from "./cell-project.ts";
import { eachChange } from "./each-change.ts";
import { testCells } from "./test-cells.ts";

/** Refuses at each change of a run that replaces earlier results. */
const refusedAtEachChange = (fault: "ENOSPC" | "EIO" | "EROFS", message: RegExp) => () =>
  withProject(CellProject.line(), async (template) => {
    await template.run();
    const earlier = template.visible();
    template.project.write("data.bin", noise(3, 65_600));
    const clean = await template.rebuilt();
    const refused = await eachChange(template, fault, async (project, run, change) => {
      // Said in words, not as a crash; or not needed for the result, and then it is right.
      expect([change, run.signal]).toEqual([change, null]);
      expect(run.said, change).not.toMatch(/bug in tfpipe|^ +at /m);
      expect([change, [0, 1]]).toEqual([change, expect.arrayContaining([run.code]) as unknown]);
      if (run.code === 1) expect(run.said, change).toMatch(message);
      else expect([change, project.visible()]).toEqual([change, clean]);
      // Of each stage the earlier or the new result is there, whole; nothing only where it could be neither moved in nor back.
      const visible = project.visible();
      const isMoving = fault !== "EIO" && /rename \/artifacts\/line\/\w+$/.test(change);
      for (const path of Object.keys(clean)) {
        const wanted = [earlier[path], clean[path], ...(isMoving ? [undefined] : [])];
        expect([change, path, wanted]).toEqual([change, path, expect.arrayContaining([visible[path]]) as unknown]);
      }
      project.expectSound();
      const finished = new Set(project.traces().keys());

      const next = await project.run("--json");
      expect([change, next.code, next.stderr]).toEqual([change, 0, ""]);
      for (const { stage, fingerprint } of next.record!.stages)
        expect([change, stage, next.executed.includes(stage)]).toEqual([change, stage, !finished.has(fingerprint!)]);
      await project.expectRight();
      project.expectSound();
      await project.expectTidyInTheEnd();
    });
    expect(refused).toBeGreaterThan(40);
  });

testCells("refused", {
  enospc: refusedAtEachChange("ENOSPC", /the disk is full/),
  eio: refusedAtEachChange("EIO", /the disk failed/),
  erofs: refusedAtEachChange("EROFS", /the file system is read-only/),

  "read-only-hit": () =>
    withProject(CellProject.line(), async (project) => {
      await project.run();
      const run = await project.runUnder({ fault: "EROFS", at: 1 });
      expect([run.code, run.executed]).toEqual([0, []]);
      expect(run.said).toContain("nothing to do");
      await project.expectRight();
    }),

  "no-links": () =>
    withProject(CellProject.line(), async (project) => {
      const asked = async () => {
        const log = project.path("changes.json");
        const run = await project.runUnder({ fault: "no-links", log });
        expect([run.code, JSON.parse(readFileSync(log, "utf8"))]).toEqual([0, []]);
        await project.expectRight();
        return run.executed;
      };
      expect(await asked()).toEqual(["first", "second"]);
      project.hideVisible();
      expect(await asked()).toEqual([]);
      project.project.write("data.bin", noise(3, 65_600));
      expect(await asked()).toEqual(["first", "second"]);
    }),
});
