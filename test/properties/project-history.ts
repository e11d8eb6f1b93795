/**
 * A project's life: edits of params, code, inputs, outputs and the store, runs that are killed, interrupted or disturbed,
 * and after each the question whether all is as it must be:
 *
 *   - what is visible is what the model says, file by file, and at the end what a clean rebuild gives, byte by byte;
 *   - exactly the stages whose fingerprint is new have run, and equal identities have equal fingerprints;
 *   - every result that was announced is still in the store, and nothing is left of locks and half-done work.
 *
 * What a killed run had begun and not announced may be in the store or not; so may what lost an object. Those may run.
 * Longer than most files because what is known of the project so far is the state of one class.
 */
import { basename, join, relative } from "node:path";
import { findGarbage, removeGarbage } from "../../src/cache/collect-garbage.ts";
import { findLiveRun } from "../../src/cache/run-lease.ts";
import { createRunStore } from "../../src/cache/run-store.ts";
import type { LastRun } from "../../src/execute/last-run.ts";
import type { StageRecord } from "../../src/record.ts";
import { createRng, type Rng } from "../../src/rng.ts";
import {
  evaluate,
  INPUT_FILES,
  INPUT_PATHS,
  type ModelProject,
  type ModelResult,
  type ModelSource,
  PUPPET_OUTPUTS,
} from "./model-project.ts";
import {
  type Disturbance,
  type Edit,
  isObjectDamage,
  type RunStep,
  type SpoiledObject,
  type SpoiledStore,
  type Step,
} from "./project-events.ts";
import { createPuppetTheatre } from "./puppet-stages.ts";
import { INPUTS, SimulatedProject, type SimulatedRun, VISIBLE } from "./simulated-project.ts";
import { flipped, pick, spoilObject, spoilOutput } from "./spoil-disk.ts";
import { auditStore, STORE } from "./store-audit.ts";

export class Violation extends Error {}

/** How often the disk is changed: about so often by a run, and by each stage that is executed. */
const CHANGES_PER_RUN = 30;
const CHANGES_PER_STAGE = 50;
const COPIES_PER_STAGE = 3;

export class ProjectHistory {
  readonly #project = new SimulatedProject();
  readonly #model: ModelProject;
  /** What the model gives, until it is changed. */
  #result: ModelResult | undefined;
  /** Fingerprints whose trace is in the store, with all that it names. */
  readonly #known = new Set<string>();
  /** Those of which that may be so. */
  readonly #uncertain = new Set<string>();
  readonly #fingerprintOf = new Map<string, string>();
  readonly #identityOf = new Map<string, string>();
  /** Identities that a run had begun to execute which did not come to its end. */
  readonly #begun = new Set<string>();
  /** Objects that went bad without anybody's doing: no time of theirs tells. They are found when they are needed. */
  readonly #rotten = new Set<string>();
  /** Whether somebody died who may have left a lock. */
  #killed = false;

  constructor({ stages, code, files }: ModelProject) {
    this.#model = { stages: [...stages], code: { ...code }, files: new Map(files) };
    this.#project.lay(this.#model);
  }

  async step({ edits, run, between }: Step): Promise<void> {
    this.#applyAll(edits, run);
    if (run.disturbance !== undefined) {
      await this.#disturbed(run, run.disturbance);
      this.#applyAll(between, run);
    }
    await this.#undisturbed({ ...run, seed: run.seed + 1 });
    await this.#idle(run);
  }

  #applyAll(edits: readonly Edit[], { pauseMs }: RunStep): void {
    for (const edit of edits) {
      this.#project.disk.advance(pauseMs);
      this.#apply(edit);
    }
  }

  /** What is visible, to the last byte and mode. */
  visible(): Readonly<Record<string, string>> {
    return visibleOf(this.#project, this.#model);
  }

  async cleanRebuild(): Promise<Readonly<Record<string, string>>> {
    const clean = new SimulatedProject();
    clean.lay(this.#model);
    const theatre = createPuppetTheatre({ seed: 0, readLate: false });
    await theatre.perform(clean.run(this.#model, { theatre, jobs: 1 }));
    return visibleOf(clean, this.#model);
  }

  async #undisturbed({ seed, jobs, readLate, pauseMs }: RunStep): Promise<void> {
    this.#project.disk.advance(pauseMs);
    const theatre = createPuppetTheatre({ seed, readLate });
    const { records, waitedFor, pid } = await theatre.perform(this.#project.run(this.#model, { theatre, jobs }));
    const dead = waitedFor.find((holder) => holder !== pid && holder !== 0);
    if (dead !== undefined) throw new Violation(`it waited for the lock of process ${dead}, which is gone`);
    this.#check([records!], theatre.executed);
  }

  /** Nothing has changed: only what fails runs again. */
  async #idle({ seed, jobs, readLate, pauseMs }: RunStep): Promise<void> {
    this.#project.disk.advance(pauseMs);
    const theatre = createPuppetTheatre({ seed, readLate });
    const { records } = await theatre.perform(this.#project.run(this.#model, { theatre, jobs }));
    const { values } = this.#evaluated();
    for (const { stage, outcome, reason } of records!)
      if (values.get(stage) !== undefined && outcome !== "fresh")
        throw new Violation(`${stage} is ${outcome} in a run that has nothing to do: ${reason}`);
    this.#check([records!], theatre.executed);
  }

  async #disturbed(run: RunStep, disturbance: Disturbance): Promise<void> {
    const { jobs, readLate, seed } = run;
    const work = this.#expectedWork();
    const stop = new AbortController();
    const at = Math.floor(disturbance.when * (work + 1));
    let isDisturbed = false;
    let setBack: (() => void) | undefined;
    const beforeEnd = (count: number, reads: readonly string[]): void => {
      if (disturbance.by === "interrupt" && count === at) {
        isDisturbed = true;
        stop.abort();
      }
      if (disturbance.by === "storeDamage" && count === at) {
        isDisturbed = true;
        this.#spoilStoreOfStage(disturbance, reads);
      }
      if (count === at + 1) {
        setBack?.();
        setBack = undefined;
      }
      if (disturbance.by !== "inputEdit" || count !== at) return;
      isDisturbed = true;
      setBack = this.#editWhileRunning(disturbance, reads);
    };
    const theatre = createPuppetTheatre({ seed, readLate, beforeEnd });
    let copies = 0;
    const beforeCopy = (from: string): void => {
      if (disturbance.by !== "rot" || copies++ !== Math.floor(disturbance.when * COPIES_PER_STAGE * (work + 1))) return;
      isDisturbed = true;
      this.#spoilObject(from, disturbance.how, createRng(disturbance.pick, "rot"));
    };
    const options = { theatre, jobs, signal: stop.signal, beforeCopy };
    const death =
      disturbance.by === "kill" || disturbance.by === "powerLoss" || (disturbance.by === "twin" && disturbance.kill)
        ? {
            atChange: 1 + Math.floor(disturbance.when * (CHANGES_PER_RUN + CHANGES_PER_STAGE * work)),
            torn: disturbance.torn,
          }
        : undefined;
    const runs = [this.#project.run(this.#model, death === undefined ? options : { ...options, death })];
    if (disturbance.by === "twin") runs.push(this.#project.run(this.#model, options));
    const ended = await theatre.perform(Promise.all(runs));
    setBack?.();
    if (disturbance.by === "powerLoss" && ended[0]!.records === undefined) {
      const rng = createRng(seed, "loss of power");
      this.#project.disk.losePower(() => rng.uniform());
    }
    const isKilled = ended.some(({ records }) => records === undefined);
    if (isKilled) this.#killed = true;
    // What comes after the run's end disturbs nothing.
    if (isKilled || isDisturbed) {
      const isStoreSound = disturbance.by !== "storeDamage" && disturbance.by !== "rot";
      this.#learn(ended, theatre.executed, isStoreSound);
    } else
      this.#check(
        ended.map(({ records }) => records!),
        theatre.executed,
      );
  }

  /** A file that the stage reads, if it reads one. Gives how to set it back, where it is to be. */
  #editWhileRunning(
    { file, value, restore }: Disturbance & { readonly by: "inputEdit" },
    reads: readonly string[],
  ): (() => void) | undefined {
    const { disk } = this.#project;
    const read = reads.filter((path) => path.startsWith(INPUTS)).map((path) => relative(INPUTS, path));
    const choices = read.length > 0 ? read : INPUT_FILES;
    const path = choices[file % choices.length]!;
    const before = this.#model.files.get(path);
    if (before === undefined) return undefined;
    const edit = (text: string): void => {
      disk.advance(5);
      disk.write(join(INPUTS, path), text);
    };
    edit(`text ${value}`);
    if (restore) return () => edit(before.text);
    this.#model.files.set(path, { ...before, text: `text ${value}` });
    this.#result = undefined;
    return undefined;
  }

  /** Where it is an object, one that the stage is reading. */
  #spoilStoreOfStage(
    { how, pick: drawn }: Disturbance & { readonly by: "storeDamage" },
    reads: readonly string[],
  ): void {
    const rng = createRng(drawn, "store");
    const read = pick(
      rng,
      reads.filter((path) => path.startsWith(STORE)),
    );
    if (read !== undefined && isObjectDamage(how)) this.#spoilObject(read, how, rng);
    else this.#spoilStore(how, rng);
  }

  /** Of a run that did not come to its end as it should: what it announced is done, what it had begun may be. */
  #learn(runs: readonly SimulatedRun[], executed: readonly string[], isStoreSound: boolean): void {
    for (const { outcome, fingerprint } of runs.flatMap(({ finished }) => finished)) {
      if (fingerprint === undefined || !isDone(outcome)) continue;
      if (isStoreSound) {
        this.#known.add(fingerprint);
        this.#uncertain.delete(fingerprint);
      } else if (!this.#known.has(fingerprint)) this.#uncertain.add(fingerprint);
    }
    this.#doubtRotten();
    // Which key a stage had that did not end is not known here: it may be any that it has from now on.
    const { identities } = this.#evaluated();
    for (const name of executed) {
      const identity = identities.get(name);
      if (identity !== undefined) this.#begun.add(identity);
    }
  }

  /** `runs` came to their end, all of the same pipeline. */
  #check(runs: readonly (readonly StageRecord[])[], executed: readonly string[]): void {
    const { values, identities } = this.#evaluated();
    const fingerprints = new Map<string, string>();
    for (const record of runs.flat()) {
      const { stage, outcome, fingerprint, failure } = record;
      const source = this.#model.stages.find(({ name }) => name === stage)!;
      const identity = identities.get(stage);
      const expected = values.get(stage) !== undefined ? "done" : identity === undefined ? "not run" : "failed";
      const actual = isDone(outcome) ? "done" : outcome === "failed" && identity !== undefined ? "failed" : "not run";
      if (actual !== expected)
        throw new Violation(
          `${stage} (${source.type}) is ${outcome} instead of ${expected}: ${failure?.message ?? record.reason}`,
        );
      if (identity === undefined || fingerprint === undefined) continue;
      this.#matchFingerprint(stage, identity, fingerprint);
      fingerprints.set(stage, fingerprint);
      if (this.#begun.delete(identity)) if (!this.#known.has(fingerprint)) this.#uncertain.add(fingerprint);
    }
    this.#checkExecuted(runs[0]!, executed, fingerprints, runs.length);
    for (const { outcome, fingerprint } of runs.flat())
      if (fingerprint !== undefined && isDone(outcome)) {
        this.#known.add(fingerprint);
        this.#uncertain.delete(fingerprint);
      }
    this.#doubtRotten();
    this.#checkVisible();
    this.#checkStore();
  }

  #matchFingerprint(stage: string, identity: string, fingerprint: string): void {
    const before = this.#fingerprintOf.get(identity) ?? fingerprint;
    if (before !== fingerprint)
      throw new Violation(`${stage} has another fingerprint than before with the same identity`);
    const other = this.#identityOf.get(fingerprint) ?? identity;
    if (other !== identity) throw new Violation(`${stage} has the fingerprint of a stage that is not the same`);
    this.#fingerprintOf.set(identity, fingerprint);
    this.#identityOf.set(fingerprint, identity);
  }

  #checkExecuted(
    records: readonly StageRecord[],
    executed: readonly string[],
    fingerprints: ReadonlyMap<string, string>,
    processes: number,
  ): void {
    const counts = new Map<string, number>();
    for (const stage of executed) {
      const fingerprint = fingerprints.get(stage);
      if (fingerprint === undefined) throw new Violation(`${stage} was executed and has no fingerprint`);
      counts.set(fingerprint, (counts.get(fingerprint) ?? 0) + 1);
    }
    for (const { stage, outcome, fingerprint, reason } of records) {
      if (fingerprint === undefined) continue;
      const count = counts.get(fingerprint) ?? 0;
      const who = `${stage} (${fingerprint.slice(0, 8)}, ${reason})`;
      if (outcome === "failed") {
        const same = records.filter((record) => record.fingerprint === fingerprint).length;
        if (count !== same * processes) throw new Violation(`${who} fails and was executed ${count} times`);
        continue;
      }
      if (this.#uncertain.has(fingerprint)) continue;
      const expected = this.#known.has(fingerprint) ? 0 : 1;
      if (count !== expected)
        throw new Violation(
          `${who} was executed ${count} times instead of ${expected}: its fingerprint is ${expected === 1 ? "new" : "not new"}`,
        );
    }
  }

  #checkVisible(): void {
    const { values } = this.#evaluated();
    for (const [stage, outputs] of values) {
      if (outputs === undefined) continue;
      for (const output of PUPPET_OUTPUTS) {
        const expected = [...outputs[output].files].map(
          ([path, { text, executable }]) => `${path} ${executable} ${text}`,
        );
        const actual = this.#project.disk
          .filesIn(join(VISIBLE, stage, output))
          .filter(([path]) => path !== "references.json")
          .map(([path, node]) => `${path} ${node.executable} ${new TextDecoder().decode(node.bytes)}`);
        if (expected.toSorted().join("\n") !== actual.toSorted().join("\n"))
          throw new Violation(
            `${stage}/${output} is not what it must be:\n${actual.join("\n")}\ninstead of\n${expected.join("\n")}`,
          );
      }
    }
  }

  #checkStore(): void {
    const { disk } = this.#project;
    for (const folder of this.#killed ? ["tmp"] : ["leases", "locks", "tmp"]) {
      const left = disk.list(join(STORE, folder));
      if (left.length > 0) throw new Violation(`${folder}/ still holds ${left.join(", ")}`);
    }
    const { traces, reach, isSound } = auditStore(this.#project);
    for (const fingerprint of this.#known) {
      const digests = traces.get(fingerprint);
      if (digests === undefined) throw new Violation(`the trace of ${fingerprint.slice(0, 8)} is lost`);
      for (const object of reach(digests))
        if (!isSound(object))
          throw new Violation(`object ${object.slice(0, 12)} of ${fingerprint.slice(0, 8)} is lost`);
    }
  }

  /** How many stages will be executed at least, as far as the model can tell. */
  #expectedWork(): number {
    const { identities } = this.#evaluated();
    const isNew = (identity: string | undefined) =>
      identity !== undefined && !this.#known.has(this.#fingerprintOf.get(identity) ?? "");
    return [...identities.values()].filter(isNew).length;
  }

  #evaluated(): ModelResult {
    this.#result ??= evaluate(this.#model);
    return this.#result;
  }

  #apply(edit: Edit): void {
    const model = this.#model;
    this.#result = undefined;
    const change = (index: number, edited: (stage: ModelProject["stages"][number], at: number) => object): void => {
      const at = index % model.stages.length;
      model.stages[at] = { ...model.stages[at]!, ...edited(model.stages[at]!, at) };
    };
    switch (edit.does) {
      case "setText":
        change(edit.stage, () => ({ text: "xyz"[edit.value % 3] }));
        return;
      case "setNote":
        change(edit.stage, () => ({ note: edit.value }));
        return;
      case "toggleFailure":
        change(edit.stage, ({ fails }) => ({ fails: !fails }));
        return;
      case "rewire":
        change(edit.stage, ({ inputs }, at) => ({
          inputs: { ...inputs, [`p${edit.value % 3}`]: pickSource(model, at, edit.value) },
        }));
        return;
      case "editCode":
        model.code[edit.type] = { ...model.code[edit.type], [edit.part]: `${edit.part}${edit.value}` };
        this.#project.lay(model);
        return;
      case "editInput":
      case "deleteInput":
      case "chmodInput": {
        const path = INPUT_FILES[edit.file % INPUT_FILES.length]!;
        const before = model.files.get(path) ?? { text: "", executable: false };
        if (edit.does === "deleteInput") model.files.delete(path);
        else if (edit.does === "chmodInput") model.files.set(path, { ...before, executable: !before.executable });
        else model.files.set(path, { ...before, text: `text ${edit.value}` });
        this.#project.lay(model);
        return;
      }
      case "spoilOutput":
        spoilOutput(this.#project.disk, edit.how, createRng(edit.pick, "output"));
        return;
      case "spoilStore":
        this.#spoilStore(edit.how, createRng(edit.pick, "store"));
        return;
      case "moveClock":
        this.#project.disk.advance(edit.hours * 3_600_000);
        return;
      case "collectGarbage":
        this.#collectGarbage(edit.keepLast);
        return;
    }
  }

  #spoilStore(how: SpoiledStore, rng: Rng): void {
    const { disk } = this.#project;
    switch (how) {
      case "flipObject":
      case "truncateObject":
      case "deleteObject":
      case "rotObject": {
        const [path] = pick(rng, disk.filesIn(join(STORE, "objects"))) ?? [];
        if (path !== undefined) this.#spoilObject(join(STORE, "objects", path), how, rng);
        return;
      }
      case "flipTrace":
      case "deleteTrace": {
        const [path, node] = pick(rng, disk.filesIn(join(STORE, "traces"))) ?? [];
        if (path === undefined || node === undefined) return;
        const full = join(STORE, "traces", path);
        if (how === "deleteTrace") disk.remove(full);
        else disk.write(full, flipped(node.bytes, rng));
        this.#forgetTraces();
        return;
      }
      case "deleteMemo":
      case "truncateMemo":
      case "deleteLast":
      case "truncateLast": {
        const folder = join(STORE, how.endsWith("Memo") ? "memo" : "last");
        for (const [path, { bytes }] of disk.filesIn(folder)) {
          if (how.startsWith("delete")) disk.remove(join(folder, path));
          else disk.write(join(folder, path), bytes.slice(0, bytes.length >> 1));
        }
        return;
      }
    }
  }

  #spoilObject(path: string, how: SpoiledObject | "rotObject", rng: Rng): void {
    this.#doubt(basename(path));
    if (how === "rotObject") this.#rotten.add(basename(path));
    spoilObject(this.#project.disk, path, how, rng);
  }

  #doubtRotten(): void {
    if (this.#rotten.size === 0) return;
    const { isSound } = auditStore(this.#project);
    for (const object of this.#rotten)
      if (isSound(object)) this.#rotten.delete(object);
      else this.#doubt(object);
  }

  /** Whatever names the object may run again: which of several stages makes it again is open. */
  #doubt(object: string): void {
    const { traces, reach } = auditStore(this.#project);
    for (const [fingerprint, digests] of traces)
      if (reach(digests).includes(object) && this.#known.delete(fingerprint)) this.#uncertain.add(fingerprint);
  }

  /** What has no trace any more that can be believed is new. */
  #forgetTraces(): void {
    const { traces } = auditStore(this.#project);
    for (const set of [this.#known, this.#uncertain])
      for (const fingerprint of set) if (!traces.has(fingerprint)) set.delete(fingerprint);
  }

  /** Of every stage's last success, as far as the store remembers. */
  #lastFingerprints(): readonly string[] {
    try {
      const text = this.#project.disk.readText(`${STORE}/last/puppets.json`) ?? "{}";
      return Object.values((JSON.parse(text) as Partial<LastRun>).stages ?? {});
    } catch {
      return [];
    }
  }

  #collectGarbage(keepLast: number): void {
    const opened = this.#project.openStore();
    const { files } = opened;
    const store = { ...opened, runs: createRunStore(opened) };
    const nowMs = Number(this.#project.disk.nowNs / 1_000_000n);
    const live = findLiveRun(opened);
    // A lock that was cut short may be being written this moment: nothing is collected for half a second.
    if (live?.pid === 0) return;
    if (live !== undefined) throw new Violation(`process ${live.pid} is gone, and looks as if it were running`);
    this.#killed = false;
    const kept = this.#lastFingerprints().filter((fingerprint) => this.#known.has(fingerprint));
    removeGarbage(files, findGarbage(store, { keepLast }, nowMs).garbage);
    this.#forgetTraces();
    for (const fingerprint of kept)
      if (!this.#known.has(fingerprint))
        throw new Violation(`garbage collection took ${fingerprint.slice(0, 8)}, which the last run had`);
    this.#checkStore();
  }
}

export function pickSource(model: Pick<ModelProject, "stages">, at: number, value: number): ModelSource {
  if (at === 0 || value % 4 === 0) return { path: INPUT_PATHS[value % INPUT_PATHS.length]! };
  // Mostly from near by: long chains, and diamonds.
  const back = 1 + ((value >> 2) % Math.min(at, 6));
  return { stage: model.stages[at - back]!.name, output: value % 5 === 0 ? "side" : "out" };
}

/** Of the stages that succeed: of another one what it made last is still there. */
function visibleOf({ disk }: SimulatedProject, model: ModelProject): Readonly<Record<string, string>> {
  const done = [...evaluate(model).values].flatMap(([name, outputs]) => (outputs === undefined ? [] : [name]));
  return Object.fromEntries(
    done.flatMap((name) =>
      disk
        .filesIn(join(VISIBLE, name))
        .map(([path, { bytes, executable }]) => [
          `${name}/${path}`,
          `${executable} ${new TextDecoder().decode(bytes)}`,
        ]),
    ),
  );
}

function isDone(outcome: string): boolean {
  return outcome === "ran" || outcome === "fresh" || outcome === "restored";
}
