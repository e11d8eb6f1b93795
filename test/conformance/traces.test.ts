/** What the store remembers (traces, memos, the last run, kept pipelines) damaged: it is not believed, and costs work at most. */
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect } from "vitest";
import { digestBytes } from "../../src/identity/digest.ts";
import { CellProject, type CellRun, withProject } from "./cell-project.ts";
import { spoilDigests, spoilText, spoilTypes } from "./spoil.ts";
import { testCells } from "./test-cells.ts";

const onLine = (body: (template: CellProject, first: CellRun) => Promise<void>) => () =>
  withProject(CellProject.line(), async (template) => body(template, await template.run("--json")));

/** Puts `text` in place of the trace, under a name that fits it. */
function replaceTrace(trace: string, text: string): void {
  rmSync(trace);
  writeFileSync(join(dirname(trace), `${digestBytes(text).slice(0, 32)}.json`), text);
}

/** `spoil` does something to the trace of `first`: it runs again, and that is all. */
async function expectTraceRefused(
  template: CellProject,
  first: CellRun,
  what: string,
  spoil: (trace: string, project: CellProject) => void,
): Promise<void> {
  await withProject(template.copy(), async (project) => {
    spoil(project.traceOf(first, "first"), project);
    const run = await project.run();
    expect([what, run.code, run.executed, run.stderr]).toEqual([what, 0, ["first"], ""]);
    expect(run.said).toContain("first  runs: its trace is gone from the store");
    await project.expectRight();
    project.expectTidy();
  });
}

/** A file of the store that only saves work is spoilt in every way: nothing runs, and nothing is wrong. */
async function expectIgnored(project: CellProject, path: string, spoilt: readonly (readonly [string, string])[]) {
  for (const [what, text] of spoilt) {
    // In its place, since memos know files by their paths.
    writeFileSync(project.store(path), text);
    const run = await project.run();
    const name = `${path} ${what}`;
    expect([name, run.code, run.executed, run.stderr]).toEqual([name, 0, [], ""]);
    await project.expectRight();
    project.expectTidy();
  }
}

testCells("traces", {
  "trace-cut": onLine(async (template, first) => {
    const text = readFileSync(template.traceOf(first, "first"), "utf8");
    for (const length of [0, 1, text.length >> 1, text.length - 1])
      await expectTraceRefused(template, first, `cut to ${length}`, (trace) => {
        writeFileSync(trace, text.slice(0, length));
      });
  }),

  "trace-garbage": onLine(async (template, first) => {
    const garbage = "{{{ no JSON";
    await expectTraceRefused(template, first, "under its name", (trace) => writeFileSync(trace, garbage));
    await expectTraceRefused(template, first, "no UTF-8", (trace) =>
      writeFileSync(trace, Buffer.from([0xff, 0xfe, 0])),
    );
    await expectTraceRefused(template, first, "under a fitting name", (trace) => replaceTrace(trace, garbage));
  }),

  "trace-wrong-types": onLine(async (template, first) => {
    const text = readFileSync(template.traceOf(first, "first"), "utf8");
    const trace = JSON.parse(text) as { outputs: { out: object } };
    const { out } = trace.outputs;
    const wrong: readonly (readonly [string, unknown])[] = [
      ["null", null],
      ["a number", 7],
      ["a list", []],
      ["outputs null", { ...trace, outputs: null }],
      ["outputs a number", { ...trace, outputs: 7 }],
      ["an output missing", { ...trace, outputs: {} }],
      ["an output null", { ...trace, outputs: { out: null } }],
      ["a digest a number", { ...trace, outputs: { out: { ...out, digest: 7 } } }],
      ["a digest that leads elsewhere", { ...trace, outputs: { out: { ...out, digest: "../../../line.yaml" } } }],
      ["metrics null", { ...trace, metrics: null }],
      ["warnings a text", { ...trace, warnings: "none" }],
      ["a duration of text", { ...trace, durationMs: "long" }],
      ["no manifest", { ...trace, manifest: null }],
      ["no time", { ...trace, madeAt: null }],
    ];
    for (const [what, value] of wrong)
      await expectTraceRefused(template, first, what, (path) => replaceTrace(path, JSON.stringify(value)));
    for (const [what, spoilt] of spoilTypes(text))
      await expectTraceRefused(template, first, what, (path) => replaceTrace(path, spoilt));
  }),

  "trace-foreign": onLine(async (template, first) => {
    await expectTraceRefused(template, first, "of another key", (trace, project) => {
      const other = project.traceOf(first, "second");
      copyFileSync(other, join(dirname(trace), basename(other)));
      rmSync(trace);
    });
  }),

  "memo-damaged": onLine(async (template) => {
    // A second run, so that the memo has all that it will have.
    await template.run();
    const names = readdirSync(template.store("memo")).filter((name) => !name.startsWith("pipeline-"));
    expect(names).not.toEqual([]);
    for (const name of names) {
      const text = readFileSync(template.store("memo", name), "utf8");
      const spoilt = [...spoilText(text), ["a digit of each digest another one", spoilDigests(text)] as const];
      expect(spoilDigests(text)).not.toBe(text);
      await expectIgnored(template, join("memo", name), spoilt);
    }
  }),

  "last-run-damaged": onLine(async (template) => {
    for (const name of readdirSync(template.store("last"))) {
      const path = join("last", name);
      const text = readFileSync(template.store(path), "utf8");
      await expectIgnored(template, path, [...spoilText(text), ["other digests", spoilDigests(text)] as const]);
    }
  }),

  "kept-pipeline-damaged": onLine(async (template) => {
    // It is found by the project's place, so it is spoilt there.
    const [name] = readdirSync(template.store("memo")).filter((file) => file.startsWith("pipeline-"));
    const path = template.store("memo", name!);
    const text = readFileSync(path, "utf8");
    const body = text.slice(text.indexOf("\n") + 1);
    const fitting = (spoilt: string) => `${digestBytes(spoilt)}\n${spoilt}`;
    const spoilt = [
      ...spoilText(text),
      ["a stage less", text.replace('"second"', '"sec0nd"')] as const,
      ...["null", "7", "[]", "{}"].map((value) => [`${value} under its digest`, fitting(value)] as const),
      ...spoilTypes(body).map(([what, value]) => [`${what}, under its digest`, fitting(value)] as const),
    ];
    for (const [what, content] of spoilt) {
      writeFileSync(path, content);
      const run = await template.run();
      expect([what, run.code, run.executed, run.stderr]).toEqual([what, 0, [], ""]);
      await template.expectRight();
      // What was spoilt has been written again.
      expect([what, readFileSync(path, "utf8")]).toEqual([what, text]);
    }
  }),
});
