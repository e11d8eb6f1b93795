/**
 * Every word that a user reads about the text they wrote, by code. Codes are `area/problem`, stable, and each has a
 * golden test of its whole screen in `test/golden/`.
 */

interface Words {
  readonly message: string;
  readonly help?: string | undefined;
}

export const catalog = {
  "language/yaml-syntax": (w: { detail: string }): Words => ({ message: w.detail }),
  "language/unsupported-yaml": (w: { what: string; help?: string }): Words => ({ message: w.what, help: w.help }),
  "language/too-large": (w: { what: string; limit: string }): Words => ({
    message: `${w.what}; the limit is ${w.limit}`,
  }),
  "language/duplicate-key": (w: { key: string }): Words => ({
    message: `the key ${quote(w.key)} is written twice`,
    help: "remove one of the two",
  }),
  "language/bad-name": (w: { what: string; name: string; rule: string }): Words => ({
    message: `${quote(w.name)} cannot be ${w.what}`,
    help: w.rule,
  }),
  "language/unknown-key": (w: {
    owner: string;
    word: "key" | "setting";
    key: string;
    suggestion?: string | undefined;
    known: readonly string[];
  }): Words => ({
    message: `${w.owner} has no ${w.word} ${quote(w.key)}`,
    help: w.suggestion ?? (w.known.length === 0 ? `it has no ${w.word}s at all` : `it has ${list(w.known)}`),
  }),
  "language/wrong-type": (w: { name: string; expected: string; actual: string }): Words => ({
    message: `${w.name} must be ${w.expected}, not ${w.actual}`,
  }),
  "language/wrong-value": (w: {
    name: string;
    actual: string;
    expected: string;
    suggestion?: string | undefined;
  }): Words => ({
    message: `${w.name} must be ${w.expected}, not ${w.actual}`,
    help: w.suggestion === undefined ? undefined : didYouMean(w.suggestion),
  }),
  "language/out-of-range": (w: { name: string; expected: string; actual: string }): Words => ({
    message: `${w.name} must be ${w.expected}, not ${w.actual}`,
  }),
  "language/missing-key": (w: { owner: string; key: string; description?: string | undefined }): Words => ({
    message: `${w.owner} needs ${quote(w.key)}`,
    help: w.description === undefined ? undefined : `${w.key}: ${w.description}`,
  }),
  "language/unknown-stage-type": (w: {
    type: string;
    suggestion?: string | undefined;
    known: readonly string[];
  }): Words => ({
    message: `there is no stage type ${quote(w.type)}`,
    help: w.suggestion === undefined ? `stage types are ${list(w.known)}` : didYouMean(w.suggestion),
  }),
  "language/unknown-stage": (w: {
    stage: string;
    suggestion?: string | undefined;
    known: readonly string[];
  }): Words => ({
    message: `there is no stage ${quote(w.stage)}`,
    help: w.suggestion === undefined ? `the ${are("stage", w.known)}` : didYouMean(w.suggestion),
  }),
  "language/unknown-output": (w: {
    stage: string;
    output: string;
    suggestion?: string | undefined;
    known: readonly string[];
  }): Words => ({
    message: `stage ${quote(w.stage)} has no output ${quote(w.output)}`,
    help: w.suggestion === undefined ? `its ${are("output", w.known)}` : didYouMean(w.suggestion),
  }),
  "language/ambiguous-output": (w: { stage: string; known: readonly string[] }): Words => ({
    message: `stage ${quote(w.stage)} has several outputs, so one must be named`,
    help: `write ${w.known
      .slice(0, 8)
      .map((output) => `${w.stage}.${output}`)
      .join(" or ")}`,
  }),
  "language/unknown-input": (w: {
    stage: string;
    type: string;
    input: string;
    suggestion?: string | undefined;
    known: readonly string[];
  }): Words => ({
    message: `stage ${quote(w.stage)} (a ${quote(w.type)} stage) has no input ${quote(w.input)}`,
    help:
      w.suggestion !== undefined
        ? didYouMean(w.suggestion)
        : w.known.length === 0
          ? "it takes no inputs"
          : `its ${are("input", w.known)}`,
  }),
  "language/missing-input": (w: {
    stage: string;
    type: string;
    input: string;
    takes: string;
    description: string;
  }): Words => ({
    message: `stage ${quote(w.stage)} (a ${quote(w.type)} stage) needs ${w.input === "*" ? "at least one input" : `the input ${quote(w.input)}`}`,
    help: `connect ${w.takes}: ${w.description}`,
  }),
  "language/kind-mismatch": (w: {
    input: string;
    takes: string;
    source: string;
    kind: string;
    fitting: readonly string[];
  }): Words => ({
    message: `the input ${quote(w.input)} takes ${w.takes}, but ${w.source} is ${w.kind}`,
    help: w.fitting.length === 0 ? undefined : `fitting outputs are ${w.fitting.slice(0, 8).join(", ")}`,
  }),
  "language/bad-reference": (w: { text: string; problem: string; help?: string | undefined }): Words => ({
    message: `${quote(w.text)} ${w.problem}`,
    help: w.help,
  }),
  "language/unknown-param": (w: {
    param: string;
    suggestion?: string | undefined;
    known: readonly string[];
  }): Words => ({
    message: `there is no param ${quote(w.param)}`,
    help:
      w.suggestion !== undefined
        ? didYouMean(w.suggestion)
        : w.known.length === 0
          ? "the pipeline has no params"
          : `the ${are("param", w.known)}`,
  }),
  "language/unknown-variable": (w: { variable: string }): Words => ({
    message: `${quote(`\${${w.variable}}`)} is not a variable`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is the pipeline language's own notation.
    help: 'variables are "${params.…}", "${matrix.…}" and "${env.…}"; write "$${" for the characters themselves',
  }),
  "language/unknown-axis": (w: { axis: string; suggestion?: string | undefined; known: readonly string[] }): Words => ({
    message: `there is no axis ${quote(w.axis)} in a matrix here`,
    help:
      w.suggestion !== undefined
        ? didYouMean(w.suggestion)
        : w.known.length === 0
          ? `give the stage, or the pipeline, one: matrix: { ${w.axis}: [...] }`
          : `its ${areOf("axis", "axes", w.known)}`,
  }),
  "language/bad-matrix": (w: { problem: string; help?: string | undefined }): Words => ({
    message: w.problem,
    help: w.help,
  }),
  "language/bad-sweep": (w: { text: string; problem: string; help?: string | undefined }): Words => ({
    message: `${quote(w.text)} ${w.problem}`,
    help: w.help,
  }),
  "language/uncovered-matrix": (w: {
    reader: string;
    stage: string;
    axes: readonly string[];
    missing: readonly string[];
    all: string;
  }): Words => ({
    message: `stage ${quote(w.stage)} has an instance for each ${list(w.axes)}, and stage ${quote(w.reader)} does not say which: it has no ${w.missing.join(" and no ")} of its own`,
    help: `write ${w.all} for all of them, or give stage ${quote(w.reader)} a matrix with ${list(w.missing)}`,
  }),
  "language/missing-instance": (w: {
    reader: string;
    stage: string;
    suffixes: readonly string[];
    all: string;
  }): Words => ({
    message: `stage ${quote(w.stage)} has no instance with the values of stage ${quote(w.reader)}`,
    help: `it has ${list(w.suffixes)}; all of them are ${w.all}`,
  }),
  "language/not-many": (w: { input: string; takes: string; source: string }): Words => ({
    message: `the input ${quote(w.input)} takes ${w.takes}, not several, but ${quote(w.source)} is every instance`,
    help: `give the stage the same matrix, and write ${quote(w.source.replace("@*", ""))}`,
  }),
  "language/unlisted-environment": (w: {
    name: string;
    suggestion?: string | undefined;
    known: readonly string[];
  }): Words => ({
    message: `the environment variable ${quote(w.name)} is not listed under "env"`,
    help:
      w.suggestion === undefined
        ? `list it: env: [${[...w.known.slice(0, 8), w.name].join(", ")}]`
        : didYouMean(w.suggestion),
  }),
  "language/unset-environment": (w: { name: string }): Words => ({
    message: `the environment variable ${quote(w.name)} is not set`,
    help: 'set it, or take it out of "env"',
  }),
  "language/conflicting-keys": (w: { owner: string; first: string; second: string; help: string }): Words => ({
    message: `${w.owner} has both ${quote(w.first)} and ${quote(w.second)}`,
    help: w.help,
  }),
  "language/bad-output": (w: { output: string; path: string; problem: string; help?: string | undefined }): Words => ({
    message: `the output ${quote(w.output)} at ${quote(w.path)} ${w.problem}`,
    help: w.help,
  }),
  "language/bad-module": (w: { text: string; problem: string; help?: string | undefined }): Words => ({
    message: `the stage ${quote(w.text)} cannot be used: it ${w.problem}`,
    help: w.help,
  }),
  "language/include-cycle": (w: { files: readonly string[] }): Words => ({
    message:
      w.files.length === 2
        ? `${quote(w.files[0]!)} includes itself`
        : `files include each other in a circle: ${w.files.join(" -> ")}`,
    help: "remove one of these includes",
  }),
  "language/param-cycle": (w: { params: readonly string[] }): Words => ({
    message: `params refer to each other in a circle: ${w.params.join(" -> ")}`,
    help: "give one of them a value of its own",
  }),
  "language/unknown-profile": (w: {
    profile: string;
    suggestion?: string | undefined;
    known: readonly string[];
  }): Words => ({
    message: `there is no profile ${quote(w.profile)}`,
    help:
      w.suggestion !== undefined
        ? didYouMean(w.suggestion)
        : w.known.length === 0
          ? "the pipeline has no profiles"
          : `the ${are("profile", w.known)}`,
  }),
  "language/bad-override": (w: { text: string; problem: string }): Words => ({
    message: `${quote(w.text)} ${w.problem}`,
    help: "write --param name=value, or --param group.name=value for a nested param",
  }),
  "language/cycle": (w: { stages: readonly string[] }): Words => ({
    message:
      w.stages.length === 2
        ? `stage ${quote(w.stages[0]!)} needs itself`
        : `stages need each other in a circle: ${w.stages.join(" -> ")}`,
    help: "remove one of these connections",
  }),
  "language/stage-check": (w: { stage: string; problem: string; help?: string | undefined }): Words => ({
    message: `stage ${quote(w.stage)}: ${w.problem}`,
    help: w.help,
  }),
  "language/unused-engine": (w: { stage: string; type: string }): Words => ({
    message: `stage ${quote(w.stage)} does not compute on an engine, so it cannot choose one`,
    help: `remove "engine" here: it would change nothing for a ${quote(w.type)} stage`,
  }),
  "language/missing-path": (w: { text: string; path: string }): Words => ({
    message: `there is no file or folder ${quote(w.text)}`,
    help: `looked for ${w.path}`,
  }),
  "language/engine-unavailable": (w: {
    stage: string;
    engine: string;
    reason: string;
    help?: string | undefined;
  }): Words => ({
    message: `stage ${quote(w.stage)} wants the engine ${quote(w.engine)}, which cannot be used here: ${w.reason}`,
    help: w.help,
  }),
  "language/unsupported-on-engine": (w: { problem: string; help: string }): Words => ({
    message: w.problem,
    help: w.help,
  }),
  "lock/merge-conflict": (_: object): Words => ({
    message: "two branches were merged here, and nobody has said yet which lines hold",
    help: "take either side of the whole file, then run the pipeline: it writes the lock anew",
  }),
  "lock/not-a-lock": (w: { format?: string }): Words => ({
    message:
      w.format === undefined
        ? "this is not a lock: it does not say its format"
        : `a lock of the format ${quote(w.format)} is not read here`,
    help: "`pipe lock` writes it anew, once this file is gone",
  }),
  "lock/without-machine": (w: { stage: string }): Words => ({
    message: `the lock does not say under "machine" what made stage ${quote(w.stage)}`,
    help: "take the lock from the last commit, then run the pipeline",
  }),
  "ledger/nondeterministic": (w: { stage: string; verify: string }): Words => ({
    message: `stage ${quote(w.stage)} gave two results of the same inputs, code and params`,
    help: `\`${w.verify}\` says in what they differ; make it a function of them, or give the reason here: nondeterministic: "..."`,
  }),
  "lock/changed": (w: { stage: string; difference: string; run: string }): Words => ({
    message: `stage ${quote(w.stage)} is not what is locked: ${w.difference}`,
    help: `run it, and commit the lock with the change: ${w.run}`,
  }),
  "lock/edited": (w: { stage: string; part: string }): Words => ({
    message: `${w.part} of stage ${quote(w.stage)} is not what its locked fingerprint was made of`,
    help: "nobody but `pipe run` and `pipe lock` may write here: take the lock from the last commit",
  }),
  "lock/unlocked-stage": (w: { stage: string; lock: string; run: string }): Words => ({
    message: `stage ${quote(w.stage)} is not in ${w.lock}`,
    help: `run it, and commit the lock: ${w.run}`,
  }),
  "lock/lost-stage": (w: { stage: string; pipeline: string; run: string }): Words => ({
    message: `the lock has a stage ${quote(w.stage)}, and ${w.pipeline} has none`,
    help: `run the pipeline, and commit the lock: ${w.run}`,
  }),
  "lock/lost-profile": (w: { profiles: readonly string[]; pipeline: string }): Words => ({
    message: `the lock has results of the profile ${w.profiles.map(quote).join(" and ")}, and ${w.pipeline} has no such profile`,
    help: "take these lines out, or the profile back in",
  }),
  "lock/unreadable": (w: { stage: string; problem: string; help?: string | undefined }): Words => ({
    message: `stage ${quote(w.stage)} cannot be compared with its lock: ${w.problem}`,
    help: w.help,
  }),
} as const;

export type DiagnosticCode = keyof typeof catalog;
export type DiagnosticWords<Code extends DiagnosticCode> = Parameters<(typeof catalog)[Code]>[0];

const LONGEST_QUOTE = 60;
const LONGEST_LIST = 12;

/** In double quotes, escaped, and cut where it is long: the frame shows the rest. */
export function quote(text: string): string {
  return JSON.stringify(text.length <= LONGEST_QUOTE ? text : `${text.slice(0, LONGEST_QUOTE - 1)}…`);
}

/** `a, b and c`, cut where it is long. */
export function list(names: readonly string[]): string {
  if (names.length > LONGEST_LIST)
    return `${names.slice(0, LONGEST_LIST).join(", ")} and ${names.length - LONGEST_LIST} more`;
  return names.length < 2 ? (names[0] ?? "none") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

const are = (word: string, names: readonly string[]): string =>
  names.length === 1 ? `only ${word} is ${names[0]}` : `${word}s are ${list(names)}`;

const areOf = (word: string, words: string, names: readonly string[]): string =>
  names.length === 1 ? `only ${word} is ${names[0]}` : `${words} are ${list(names)}`;

export function didYouMean(name: string): string {
  return `did you mean ${quote(name)}?`;
}
