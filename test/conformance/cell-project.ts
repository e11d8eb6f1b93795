/**
 * A small project for one cell: two shell stages that write down that they ran, the real program, and ways to look at what
 * people see and at what the store holds without asking the program.
 */
import { cpSync, existsSync, lstatSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect } from "vitest";
import type { RunEvent } from "../../src/events.ts";
import { digestBytes } from "../../src/identity/digest.ts";
import { createRng } from "../../src/rng.ts";
import { Project, type RunningProgram, type RunResult } from "../e2e/project.ts";

/** `first` is 65,536 bytes of what `data.bin` ends in; `second` its checksum. What ran is in `log.txt`. */
export const LINE = `name: line
stages:
  first:
    inputs: { data: ./data.bin }
    outputs: { out: first.bin }
    run: |
      echo first >> log.txt
      tail -c 65536 "\${inputs.data}" > "\${outputs.out}"
  second:
    inputs: { from: first }
    outputs: { out: second.txt }
    run: |
      echo second >> log.txt
      cksum < "\${inputs.from}" > "\${outputs.out}"
`;
export const FIRST = "first/out/first.bin";
export const SECOND = "second/out/second.txt";

/** Bytes that nothing compresses. */
export function noise(seed: number, sizeBytes: number): Uint8Array {
  const rng = createRng(seed, "noise");
  return Uint8Array.from({ length: sizeBytes }, () => Math.floor(rng.uniform() * 256));
}

export interface Fault {
  readonly fault: "count" | "kill" | "ENOSPC" | "EIO" | "EROFS" | "no-links" | "clock-back" | "stale";
  /** The number of the change. */
  readonly at?: number;
  /** Where the changes are listed. */
  readonly log?: string;
  /** A path, and the stat that the program sees of it whatever is there. */
  readonly stale?: KeptStat;
}

export interface KeptStat {
  readonly path: string;
  readonly mtimeNs: string;
  readonly ctimeNs: string;
  readonly ino: string;
}

export function keptStat(path: string): KeptStat {
  const { mtimeNs, ctimeNs, ino } = lstatSync(path, { bigint: true });
  return { path, mtimeNs: String(mtimeNs), ctimeNs: String(ctimeNs), ino: String(ino) };
}

export interface CellRun extends RunResult {
  /** All that a person would have read. */
  readonly said: string;
  /** The stages whose commands were started, by their own account. */
  readonly executed: readonly string[];
}

const layer = pathToFileURL(join(import.meta.dirname, "fault-layer.mjs")).href;

export class CellProject {
  readonly project: Project;
  readonly #pipeline: string;
  #known = 0;

  constructor(files: Readonly<Record<string, string | Uint8Array>>, pipeline = "line.yaml", name = "") {
    this.project = new Project(undefined, name);
    this.#pipeline = pipeline;
    for (const [path, content] of Object.entries(files)) this.project.write(path, content);
  }

  static line(text = LINE): CellProject {
    return new CellProject({ "line.yaml": text, "data.bin": noise(1, 65_600) });
  }

  path(...parts: string[]): string {
    return this.project.path(...parts);
  }

  /** The whole project as it is, store and all, in another place. */
  copy(): CellProject {
    const copy = new CellProject({}, this.#pipeline);
    cpSync(this.path(), copy.path(), { recursive: true });
    copy.#known = this.#known;
    return copy;
  }

  start(args: readonly string[], fault?: Fault): RunningProgram {
    return this.project.start(args, fault === undefined ? {} : this.#under(fault));
  }

  /** `pipe run`, as lines for people. */
  run(...args: string[]): Promise<CellRun> {
    return this.#run(args);
  }

  runUnder(fault: Fault, ...args: string[]): Promise<CellRun> {
    return this.#run(args, fault);
  }

  #under(fault: Fault): Readonly<Record<string, string>> {
    const root = this.path().replace(/\/$/, "");
    return { NODE_OPTIONS: `--import=${layer}`, TFPIPE_FAULTS: JSON.stringify({ root, ...fault }) };
  }

  async #run(args: readonly string[], fault?: Fault): Promise<CellRun> {
    const result = await this.start(["run", this.#pipeline, ...args], fault).result;
    return { ...result, said: result.stdout + result.stderr, executed: this.executed() };
  }

  /** Stages that wrote down that they ran, since the last time that this was asked. */
  executed(): readonly string[] {
    const log = this.path(dirname(this.#pipeline), "log.txt");
    const all = existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n") : [];
    const fresh = all.slice(this.#known);
    this.#known = all.length;
    return fresh;
  }

  /** Digests of all that people see of the pipeline's stages, by path. */
  visible(): Readonly<Record<string, string>> {
    const root = this.path("artifacts");
    const found = existsSync(root) ? digestsBelow(root, ".store") : {};
    // The report has times in it; that it is whole is looked at by itself.
    return Object.fromEntries(Object.entries(found).filter(([path]) => basename(path) !== "report.html"));
  }

  hideVisible(): void {
    for (const name of readdirSync(this.path("artifacts")))
      if (name !== ".store") rmSync(this.path("artifacts", name), { recursive: true });
  }

  /** Of a visible file of the pipeline `line`: its blob in the store. */
  objectOf(file: string): string {
    return this.object(digestBytes(readFileSync(this.path("artifacts/line", file))));
  }

  object(digest: string): string {
    return this.path("artifacts/.store/objects", digest.slice(0, 2), digest);
  }

  /** Whole traces by fingerprint. */
  traces(): ReadonlyMap<string, readonly string[]> {
    const traces = new Map<string, string[]>();
    for (const [path, digest] of Object.entries(digestsBelow(this.path("artifacts/.store/traces"), ""))) {
      const [, fingerprint, name] = path.split("/") as [string, string, string];
      if (!digest.startsWith(name.replace(/\.json$/, ""))) continue;
      traces.set(fingerprint, [...(traces.get(fingerprint) ?? []), this.path("artifacts/.store/traces", path)]);
    }
    return traces;
  }

  /** The one trace of the stage, by a run's record. */
  traceOf(run: RunResult, stage: string): string {
    return this.traces().get(run.stage(stage).fingerprint!)![0]!;
  }

  store(...parts: string[]): string {
    return this.path("artifacts/.store", ...parts);
  }

  /** What is visible equals what a clean rebuild of the same files gives. */
  async expectRight(): Promise<void> {
    expect(this.visible()).toEqual(await this.rebuilt());
  }

  /** What a run of the same files in another place, without a store, makes visible. */
  async rebuilt(): Promise<Readonly<Record<string, string>>> {
    const content = Object.entries(digestsBelow(this.path(), "artifacts")).filter(
      ([path]) => !NOT_INPUTS.includes(basename(path)),
    );
    const key = digestBytes(JSON.stringify([this.#pipeline, content]));
    const known = rebuilds.get(key) ?? this.#rebuild();
    rebuilds.set(key, known);
    return known;
  }

  async #rebuild(): Promise<Readonly<Record<string, string>>> {
    const clean = new CellProject({}, this.#pipeline);
    const isInput = (from: string) => from !== this.path("artifacts") && !NOT_INPUTS.includes(basename(from));
    cpSync(this.path(), clean.path(), { recursive: true, filter: isInput });
    try {
      const run = await clean.run();
      expect(run.code, run.said).toBe(0);
      return clean.visible();
    } finally {
      clean.remove();
    }
  }

  /** Every object is what its name says, every trace too, and has all its objects: nothing here can be served wrongly. */
  expectSound(): void {
    for (const [path, digest] of Object.entries(digestsBelow(this.store("objects"), "")))
      expect(`${digest.slice(0, 2)}/${digest}`).toBe(path);
    for (const trace of [...this.traces().values()].flat())
      for (const { digest } of outputsOf(trace)) {
        expect(existsSync(this.object(digest)), `${digest} of ${trace}`).toBe(true);
        for (const line of readFileSync(this.object(digest), "utf8").trimEnd().split("\n").slice(1))
          if (!line.endsWith('"/"]'))
            expect(existsSync(this.object((JSON.parse(line) as string[])[3]!)), line).toBe(true);
      }
  }

  /** Nothing is left that somebody would have to clean by hand. */
  expectTidy(): void {
    for (const folder of ["tmp", "locks", "leases"])
      expect(existsSync(this.store(folder)) ? readdirSync(this.store(folder)) : []).toEqual([]);
    const report = this.path("artifacts/line/report.html");
    if (existsSync(report)) expect(readFileSync(report, "utf8").trimEnd()).toMatch(/<\/html>$/);
  }

  /**
   * The same in the end: where a killed process has left something, runs that execute something take it away. What was cut
   * short is left alone for half a second, since somebody may be writing it.
   */
  async expectTidyInTheEnd(): Promise<void> {
    const isTidy = () => ["tmp", "locks", "leases"].every((folder) => readdirSync(this.store(folder)).length === 0);
    for (let runs = 0; runs < 5 && !isTidy(); runs++) expect((await this.run("--force", "first")).code).toBe(0);
    this.expectTidy();
  }

  remove(): void {
    this.project.remove();
  }
}

/** Files of the test's own in a project. */
const NOT_INPUTS = ["log.txt", "changes.json"];

const rebuilds = new Map<string, Promise<Readonly<Record<string, string>>>>();

export function outputsOf(trace: string): readonly { readonly digest: string }[] {
  return Object.values(
    (JSON.parse(readFileSync(trace, "utf8")) as { outputs: Record<string, { digest: string }> }).outputs,
  );
}

/** sha256 by path, of all files below a folder but one that is left out. Links are there by where they lead. */
export function digestsBelow(root: string, leftOut: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  const walk = (folder: string, prefix: string): void => {
    for (const name of existsSync(folder) ? readdirSync(folder).sort() : []) {
      if (prefix === "" && name === leftOut) continue;
      const path = join(folder, name);
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory()) walk(path, `${prefix}${name}/`);
      else if (stat?.isFile()) found[prefix + name] = digestBytes(readFileSync(path));
      else if (stat !== undefined) found[prefix + name] = "a link or a device";
    }
  };
  walk(root, "");
  return found;
}

/** Milliseconds that a run with `--json` waited for others' locks. */
export function waitedMs(events: readonly RunEvent[]): number {
  let waited = 0;
  for (const [i, event] of events.entries())
    if (event.type === "stage-waiting") {
      const next = events.slice(i + 1).find((later) => "stage" in later && later.stage === event.stage);
      waited += (next?.atMs ?? Number.POSITIVE_INFINITY) - event.atMs;
    }
  return waited;
}

/** Runs `body` on a project and removes it. */
export async function withProject(project: CellProject, body: (project: CellProject) => Promise<void>): Promise<void> {
  try {
    await body(project);
  } finally {
    project.remove();
  }
}
