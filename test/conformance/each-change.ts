/** Runs a project again and again, each time with a fault one change later, until a run gets through without meeting it. */
import { existsSync, readFileSync } from "node:fs";
import { type CellProject, type CellRun, type Fault, withProject } from "./cell-project.ts";

/** As many runs at once as the machine of a test can be counted on for. */
const AT_ONCE = 2;

/**
 * `check` is given the project after the run that met the fault, and which change that was. Gives how many runs met it.
 * `template` is copied for each run and stays as it is.
 */
export async function eachChange(
  template: CellProject,
  fault: Fault["fault"],
  check: (project: CellProject, run: CellRun, change: string) => Promise<void>,
): Promise<number> {
  let at = 0;
  let met = 0;
  let isThrough = false;
  const work = async (): Promise<void> => {
    while (!isThrough) {
      const own = ++at;
      await withProject(template.copy(), async (project) => {
        const log = project.path("changes.json");
        const run = await project.runUnder({ fault, at: own, log });
        // A process that was killed lists nothing.
        const changes = existsSync(log) ? (JSON.parse(readFileSync(log, "utf8")) as readonly string[]) : undefined;
        if (changes !== undefined && changes.length < own) {
          isThrough = true;
          return;
        }
        met++;
        await check(project, run, `${fault} at ${own}: ${(changes?.[own - 1] ?? "").replace(project.path(), "")}`);
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return met;
}
