/** Commands that do not keep to what their stage declares: they fail by name, and what was there before stays. */
import { expect } from "vitest";
import { CellProject, LINE, withProject } from "./cell-project.ts";
import { testCells } from "./test-cells.ts";

/** After a good run `first` gets another last line; it fails with the message, and nothing has changed. */
async function expectFailed(line: string, message: RegExp): Promise<void> {
  await withProject(CellProject.line(), async (project) => {
    await project.run();
    const earlier = project.visible();
    const traces = project.traces().size;
    project.project.edit("line.yaml", /(tail .*)/, `$1\n      ${line}`);
    const run = await project.run();
    expect([run.code, run.executed]).toEqual([1, ["first"]]);
    expect(run.said).toMatch(message);
    expect(run.said).not.toMatch(/^ +at /m);
    expect([project.visible(), project.traces().size]).toEqual([earlier, traces]);
    project.expectSound();
    project.expectTidy();
    // The earlier command has its earlier result.
    project.project.write("line.yaml", LINE);
    const back = await project.run();
    expect([back.code, back.executed]).toEqual([0, []]);
    await project.expectRight();
  });
}

const refuse = async (outputs: string, places: readonly string[]): Promise<void> => {
  await withProject(CellProject.line(LINE.replace("{ out: first.bin }", outputs)), async (project) => {
    const run = await project.run();
    expect([run.code, run.executed]).toEqual([2, []]);
    expect(run.said).toContain("lies where the output");
    expect(run.said).toMatch(/line\.yaml:5:\d+/);
    for (const place of places) expect(run.said).toContain(place);
    expect(project.visible()).toEqual({});
  });
};

testCells("outputs", {
  "undeclared-output": async () => {
    await expectFailed(
      `echo more > "$(dirname "\${outputs.out}")/more.txt"`,
      /its command wrote out\/more\.txt beside its outputs, which it does not declare/,
    );
    await expectFailed(
      `mkdir "$(dirname "\${outputs.out}")/../other"`,
      /its command wrote other beside its outputs, which it does not declare/,
    );
  },

  "missing-output": () =>
    expectFailed(
      `rm "\${outputs.out}"`,
      /its command ended well and did not write its output out \(first\.bin\)[\s\S]*a place of its own/,
    ),

  "overlapping-outputs": async () => {
    await refuse("{ out: first.bin, also: ./first.bin }", ['"out"']);
    await refuse("{ out: all, also: all/first.bin }", ['"out"']);
    await refuse("{ out: First.bin, also: first.BIN }", ['"out"']);
  },

  "output-is-link": async () => {
    await expectFailed(
      `rm "\${outputs.out}"; ln -s /etc/hostname "\${outputs.out}"`,
      /its output out \(first\.bin\) is neither a file nor a folder/,
    );
    await expectFailed(
      `rm "\${outputs.out}"; mkdir "\${outputs.out}"; ln -s /etc/hostname "\${outputs.out}/link"`,
      /link is a link or a device; an artifact holds files and folders only/,
    );
  },

  "failed-command": () =>
    expectFailed(`head -c 30000 "\${inputs.data}" > "\${outputs.out}"; exit 7`, /its command ended with exit code 7/),
});
