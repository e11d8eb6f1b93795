/** Several runners on one pipeline: each stage is executed once in all, and everybody ends well. */
import { expect } from "vitest";
import type { RunEvent } from "../../src/events.ts";
import { CellProject, LINE, withProject } from "./cell-project.ts";
import { testCells } from "./test-cells.ts";

/** `first` waits for a file. */
const HELD = LINE.replace("echo first >> log.txt", "echo first >> log.txt; while [ ! -e go ]; do sleep 0.02; done");
const RUN = ["run", "line.yaml", "--json"];

const started = (event: RunEvent) => event.type === "stage-started" && event.stage === "first";
const waiting = (event: RunEvent) => event.type === "stage-waiting" && event.stage === "first";

const FORK = `name: line
stages:
  first:
    inputs: { data: ./data.bin }
    outputs: { out: first.bin }
    run: echo first >> log.txt; tail -c 65536 "\${inputs.data}" > "\${outputs.out}"
  left:
    inputs: { from: first }
    outputs: { out: left.txt }
    run: echo left >> log.txt; cksum < "\${inputs.from}" > "\${outputs.out}"
  right:
    inputs: { from: first }
    outputs: { out: right.bin }
    run: echo right >> log.txt; head -c 999 "\${inputs.from}" > "\${outputs.out}"
  last:
    inputs: { left: left, right: right }
    outputs: { out: last.txt }
    run: echo last >> log.txt; cat "\${inputs.left}" "\${inputs.right}" | cksum > "\${outputs.out}"
`;

testCells("together", {
  "two-at-once": () =>
    withProject(CellProject.line(HELD), async (project) => {
      const one = project.start(RUN);
      await one.event(started);
      const other = project.start(RUN);
      const event = await other.event(waiting);
      expect(event).toMatchObject({ holder: expect.stringMatching(new RegExp(`^process ${one.child.pid} on `)) });
      project.project.write("go", "");
      const results = await Promise.all([one.result, other.result]);
      expect(results.map(({ code, stderr }) => [code, stderr])).toEqual([
        [0, ""],
        [0, ""],
      ]);
      expect(project.executed()).toEqual(["first", "second"]);
      expect(results[1].stage("first")).toMatchObject({
        outcome: "restored",
        reason: "made by another run meanwhile",
      });
      await project.expectRight();
      project.expectSound();
      project.expectTidy();
    }),

  "eight-at-once": () =>
    withProject(CellProject.line(FORK), async (project) => {
      const results = await Promise.all(Array.from({ length: 8 }, () => project.start(RUN).result));
      expect(results.map(({ code, stderr }) => [code, stderr])).toEqual(results.map(() => [0, ""]));
      expect(project.executed().toSorted()).toEqual(["first", "last", "left", "right"]);
      for (const { record } of results)
        expect(record!.stages.map(({ outputs }) => outputs)).toEqual(
          results[0]!.record!.stages.map(({ outputs }) => outputs),
        );
      await project.expectRight();
      project.expectSound();
      project.expectTidy();
    }),

  "holder-killed": () =>
    withProject(CellProject.line(HELD), async (project) => {
      const one = project.start(RUN);
      await one.event(started);
      const other = project.start(RUN);
      await other.event(waiting);
      one.child.kill("SIGKILL");
      await other.event(started);
      project.project.write("go", "");
      expect([(await one.result).signal, (await other.result).code]).toEqual(["SIGKILL", 0]);
      expect(project.executed()).toEqual(["first", "first", "second"]);
      await project.expectRight();
      project.expectSound();
      // What the killed one left goes with the next run that does something.
      expect((await project.run("--force", "second")).executed).toEqual(["second"]);
      project.expectTidy();
    }),
});
