/** What no longer follows from a pipeline's files, as diagnostics: at the line that changed, with the line that is locked. */
import type { DiagnosticNote } from "../diagnostics/diagnostic.ts";
import { type Diagnostic, diagnose } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";
import type { KeyDifference } from "../identity/key-manifest.ts";
import { BUNDLE, BUNDLED_PACKAGES, resultsName } from "../identity/lock.ts";
import type { Pipeline, PipelineStage } from "../language/pipeline.ts";
import type { LockProblem } from "./check-lock.ts";
import { describeDifferences } from "./decide.ts";
import { spanOf } from "./difference-origin.ts";

export interface LockPlaces {
  /** As it is shown. */
  readonly file: string;
  /** The pipeline's name in it. */
  readonly name: string;
  /** Where a part of it is written. */
  readonly placeOf: (path: readonly string[]) => Span;
}

/** `run`: the command that brings the lock up to date. */
export function diagnoseLock(
  problems: readonly LockProblem[],
  pipeline: Pipeline,
  places: LockPlaces,
  run: string,
): readonly Diagnostic[] {
  const stages = new Map(pipeline.stages.map((stage) => [stage.name, stage]));
  return problems.flatMap((found) => diagnoseProblem(found, stages.get(found.stage), pipeline, places, run));
}

function diagnoseProblem(
  found: LockProblem,
  stage: PipelineStage | undefined,
  pipeline: Pipeline,
  { file, name, placeOf }: LockPlaces,
  run: string,
): Diagnostic | readonly Diagnostic[] {
  const { stage: stageName } = found;
  const section = ["results", resultsName(name, pipeline.profiles)];
  if (found.problem === "lost" || stage === undefined)
    return diagnose(
      "lock/lost-stage",
      { stage: stageName, pipeline: pipeline.file, run },
      placeOf([...section, "stages", stageName]),
    );
  switch (found.problem) {
    case "unlocked":
      return diagnose("lock/unlocked-stage", { stage: stageName, lock: file, run }, stage.spans.name);
    case "unreadable":
      return diagnose(
        "lock/unreadable",
        { stage: stageName, problem: found.reason, help: found.help },
        spanOfUnreadable(stage, found.reason),
      );
    case "edited":
      return found.differences.map((difference) =>
        diagnose(
          "lock/edited",
          { stage: stageName, part: `${WORDS[difference.part]} ${difference.name}` },
          placeOf(lockPathOf(section, stageName, difference)),
        ),
      );
    case "changed":
      return found.differences.map((difference) => {
        const words = { stage: stageName, difference: describe(difference, stage), run };
        return diagnose("lock/changed", words, placeOfDifference(stage, difference), [
          noteOf(difference, placeOf(lockPathOf(section, stageName, difference))),
        ]);
      });
  }
}

function noteOf({ before }: KeyDifference, span: Span): DiagnosticNote {
  return { message: before === undefined ? "the lock has nothing of it here" : "locked here", span };
}

/** In one clause: `learningRate 0.1 -> 0.05`. */
export function describe(difference: KeyDifference, stage: PipelineStage): string {
  const { part, name } = difference;
  if (part === "code" && name === BUNDLE) return `the code of ${stage.type} is other code`;
  if (part === "package" && name === BUNDLED_PACKAGES) return `packages that ${stage.type} imports have other versions`;
  // Its value may be a secret.
  if (part === "env") return `the environment variable ${name} changed`;
  if (part === "output") return difference.before === undefined ? `output ${name} is new` : `output ${name} is gone`;
  return describeDifferences([difference], stage);
}

const WORDS: Readonly<Record<KeyDifference["part"], string>> = {
  stageType: "the line",
  code: "the code",
  command: "the command's",
  tool: "the tool",
  package: "the package",
  param: "the param",
  input: "the input",
  output: "the output",
  env: "the environment variable",
  numerics: "the engine's",
  schema: "the line",
};

function placeOfDifference(stage: PipelineStage, difference: KeyDifference): Span {
  const { spans } = stage;
  const found = spanOf(stage, difference);
  if (found !== undefined) return found;
  switch (difference.part) {
    case "numerics":
      return spans.engine ?? spans.name;
    case "code":
    case "package":
      return spans.type ?? spans.name;
    default:
      return spans.name;
  }
}

/** An input whose path is in the reason, else the stage. */
function spanOfUnreadable({ inputs, spans }: PipelineStage, reason: string): Span {
  const port = Object.keys(inputs).find((name) => {
    const source = inputs[name]!;
    return source.from === "path" && reason.startsWith(source.path);
  });
  return (port === undefined ? undefined : spans.inputs[port]) ?? spans.name;
}

function lockPathOf(section: readonly string[], stage: string, { part, name }: KeyDifference): readonly string[] {
  const path = [...section, "stages", stage];
  switch (part) {
    case "stageType":
      return [...path, "uses"];
    case "code":
      return name === BUNDLE ? [...path, "code"] : [...path, "modules", name];
    case "package":
      return name === BUNDLED_PACKAGES ? [...path, "packages"] : [...path, "packages", name];
    case "param":
      return [...path, "params", name];
    case "input":
      return [...path, "inputs", name];
    case "output":
      return [...path, "outputs", name];
    case "command":
      return [...path, "command", name];
    case "env":
      return [...path, "env", name];
    case "tool":
      return [...section, "tools", stage, name];
    case "numerics":
      return [...section, "numerics", stage, name];
    case "schema":
      return [...path, name];
  }
}
