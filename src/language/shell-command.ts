/**
 * A stage's `run`: what the shell is given. `${params.x}` and its like become names of environment variables, so that no
 * value is ever read as a piece of the command; `$VAR` and `$(...)` stay the shell's; `$${` stands for `${`.
 */

import { quote } from "../diagnostics/catalog.ts";
import { diagnose, type ReportDiagnostic } from "../diagnostics/diagnostic.ts";
import type { Span } from "../diagnostics/span.ts";
import { closestName } from "../diagnostics/suggest.ts";
import type { DraftContext } from "./draft-context.ts";
import { OWN_PREFIX } from "./environment.ts";
import { resolvePath } from "./input-source.ts";
import { type Located, type LocatedEntry, toJson } from "./located.ts";
import { describeValue } from "./merge.ts";
import type { ShellCommand } from "./pipeline.ts";
import { type RawShell, type RawStage, SHELL_TYPE, wrongType } from "./pipeline-shape.ts";
import { badName, isPlainName } from "./plain-name.ts";

const REFERENCE = /\$\$\{|\$\{(params|matrix|env|inputs|outputs)\.([^}\n]*)(\}?)/g;
const LONGEST_COMMAND = 100_000;
const MOST_OUTPUTS = 1_000;

/** The arguments with which each shell takes a script and stops at the first command that fails. */
const SHELLS: Readonly<Record<string, readonly string[] | undefined>> = {
  bash: ["bash", "-euo", "pipefail", "-c"],
  sh: ["sh", "-eu", "-c"],
  dash: ["dash", "-eu", "-c"],
  zsh: ["zsh", "-euo", "pipefail", "-c"],
  pwsh: ["pwsh", "-NoProfile", "-NonInteractive", "-Command"],
};
const DEFAULT_SHELL = "bash";

/** Undefined after a problem. `inputs` are the names of those that are connected. */
export function readCommand(
  raw: RawStage & { readonly shell: RawShell },
  inputs: readonly string[],
  context: DraftContext,
  report: ReportDiagnostic,
): ShellCommand | undefined {
  let sound = true;
  const problem: ReportDiagnostic = (diagnostic) => {
    sound = false;
    report(diagnostic);
  };
  const { run, shell, folder, tools } = raw.shell;
  const outputPaths = readOutputs(raw.shell, context, problem);
  const words = readShell(shell, context, problem);
  const at = readFolder(folder, context, problem);
  const listed =
    tools === undefined ? [] : readTexts('"tools"', "a list of names of programs", tools, context, problem);
  const text = run.value.kind === "scalar" && typeof run.value.value === "string" ? run.value.value : undefined;
  if (text === undefined) problem(wrongType('"run"', "text: a command for the shell", run.value));
  else if (text.trim() === "")
    problem(
      diagnose("language/wrong-value", { name: '"run"', expected: "a command", actual: "empty text" }, run.value.span),
    );
  else if (text.length > LONGEST_COMMAND) {
    const limit = `${LONGEST_COMMAND} characters`;
    problem(diagnose("language/too-large", { what: "the command is too long", limit }, run.value.span));
  }
  if (text === undefined || text.length > LONGEST_COMMAND) return undefined;
  const named = nameVariables(raw, text, { inputs, outputs: Object.keys(outputPaths) }, context, problem);
  if (!sound || words === undefined) return undefined;
  const refer = words[0] === "pwsh" ? (name: string) => `\${env:${name}}` : (name: string) => `\${${name}}`;
  return {
    text,
    script: text.replaceAll(REFERENCE, (_, kind?: string, rest?: string) =>
      kind === undefined ? "${" : refer(named.names.get(`${kind}.${rest}`)!),
    ),
    values: named.values,
    references: named.references,
    inputVariables: named.inputVariables,
    outputVariables: named.outputVariables,
    outputPaths,
    shell: words,
    folder: at ?? context.folder,
    tools: listed,
  };
}

/** A variable for every input and output, and for each value that the command refers to. */
function nameVariables(
  raw: RawStage,
  text: string,
  ports: Readonly<Record<"inputs" | "outputs", readonly string[]>>,
  context: DraftContext,
  problem: ReportDiagnostic,
) {
  const taken = new Set<string>();
  const name = (prefix: string, of: string): string => {
    const wanted = `${OWN_PREFIX}${prefix}_${of.replaceAll(/[^A-Za-z0-9]/g, "_").toUpperCase()}`;
    let free = wanted;
    for (let count = 2; taken.has(free); count++) free = `${wanted}_${count}`;
    taken.add(free);
    return free;
  };
  const inputVariables = Object.fromEntries(ports.inputs.map((port) => [port, name("INPUT", port)]));
  const outputVariables = Object.fromEntries(ports.outputs.map((port) => [port, name("OUTPUT", port)]));
  const names = new Map<string, string>();
  for (const [port, variable] of Object.entries(inputVariables)) names.set(`inputs.${port}`, variable);
  for (const [port, variable] of Object.entries(outputVariables)) names.set(`outputs.${port}`, variable);
  const values: Record<string, string> = {};
  const references: Record<string, { readonly text: string; readonly span: Span }> = {};
  const wrong = new Set<string>();
  for (const match of text.matchAll(REFERENCE)) {
    const [written, kind, rest, end] = match;
    const key = `${kind}.${rest}`;
    if (kind === undefined || wrong.has(key) || (names.has(key) && end !== "")) continue;
    const span = placeInText(raw.shell!.run.value.span, written, context);
    wrong.add(key);
    if (end === "") problem(diagnose("language/bad-reference", { text: written, problem: 'has no closing "}"' }, span));
    else if (kind === "inputs" || kind === "outputs") problem(unknownPort(raw.name, kind, rest!, ports[kind], span));
    else {
      const value = context.resolve({ kind: "scalar", value: written, span });
      if (value === undefined) continue;
      if (value.kind === "scalar" && value.value === null) {
        const words = { text: written, problem: "is null, which no command can be given" };
        problem(diagnose("language/bad-reference", words, span, [{ message: "its value", span: value.span }]));
        continue;
      }
      const variable = name(PREFIXES[kind]!, rest!);
      names.set(key, variable);
      wrong.delete(key);
      references[variable] = { text: key, span: value.span };
      values[variable] = value.kind === "scalar" ? String(value.value) : JSON.stringify(toJson(value));
    }
  }
  return { names, values, references, inputVariables, outputVariables };
}

const PREFIXES: Readonly<Record<string, string>> = { params: "PARAM", matrix: "MATRIX", env: "ENV" };

function unknownPort(stage: string, kind: "inputs" | "outputs", name: string, known: readonly string[], span: Span) {
  const suggestion = closestName(name, known);
  return kind === "outputs"
    ? diagnose("language/unknown-output", { stage, output: name, suggestion, known }, span)
    : diagnose("language/unknown-input", { stage, type: SHELL_TYPE, input: name, suggestion, known }, span);
}

/** The reference itself inside a command that was written as it is. */
function placeInText(span: Span, reference: string, { textOf }: DraftContext): Span {
  const at = textOf(span.file).slice(span.start, span.end).indexOf(reference);
  return at < 0 ? span : { file: span.file, start: span.start + at, end: span.start + at + reference.length };
}

/** Relative paths by output, each apart from the others. */
function readOutputs(
  shell: RawShell,
  context: DraftContext,
  problem: ReportDiagnostic,
): Readonly<Record<string, string>> {
  const paths: Record<string, string> = {};
  if (shell.outputs.size > MOST_OUTPUTS) {
    const [{ keySpan }] = [...shell.outputs.values()] as [LocatedEntry];
    problem(diagnose("language/too-large", { what: "there are too many outputs", limit: `${MOST_OUTPUTS}` }, keySpan));
    return paths;
  }
  const taken: { readonly name: string; readonly path: string; readonly span: Span }[] = [];
  for (const [name, { keySpan, value }] of shell.outputs) {
    if (!isPlainName(name)) problem(badName("an output", name, keySpan));
    const node = context.resolve(value);
    if (node === undefined) continue;
    if (node.kind !== "scalar" || typeof node.value !== "string") {
      problem(wrongType(`the output ${quote(name)}`, "the name of a file or folder", node));
      continue;
    }
    const bad = (what: string, help?: string) =>
      problem(
        diagnose("language/bad-output", { output: name, path: node.value as string, problem: what, help }, node.span),
      );
    const path = normalPath(node.value);
    if (typeof path !== "string") bad(path.problem, path.help);
    else {
      const folded = path.toLowerCase();
      const other = taken.find((one) => overlap(one.path, folded));
      if (other !== undefined) {
        const words = {
          output: name,
          path: node.value,
          problem: `lies where the output ${quote(other.name)} does`,
          help: "give each output a file or folder of its own",
        };
        problem(
          diagnose("language/bad-output", words, node.span, [
            { message: `${quote(other.name)} is here`, span: other.span },
          ]),
        );
      }
      taken.push({ name, path: folded, span: node.span });
      paths[name] = path;
    }
  }
  return paths;
}

const overlap = (a: string, b: string): boolean => a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);

/** `./a//b/` is `a/b`. */
function normalPath(text: string): string | { readonly problem: string; readonly help?: string } {
  const help = 'write where it lies among the results: "table.csv"';
  if (/^([/~]|[A-Za-z]:)/.test(text)) return { problem: "is not relative", help };
  if (text.includes("\\")) return { problem: "has a backslash", help: "folders are separated by /" };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (/[\u0000-\u001f\u007f]/.test(text)) return { problem: "has a character that cannot be in a name", help };
  const parts = text.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) return { problem: 'leads out of its place by ".."', help };
  if (parts.length === 0) return { problem: "names no file or folder", help };
  if (text.length > 200) return { problem: "is too long", help: "200 characters at most" };
  return parts.join("/");
}

function readShell(
  entry: LocatedEntry | undefined,
  context: DraftContext,
  problem: ReportDiagnostic,
): readonly string[] | undefined {
  if (entry === undefined) return SHELLS[DEFAULT_SHELL];
  const node = context.resolve(entry.value);
  if (node === undefined) return undefined;
  if (node.kind === "list" && node.items.length > 0)
    return readTexts(
      '"shell"',
      "a shell, or a program with its arguments",
      { ...entry, value: node },
      context,
      problem,
    );
  if (node.kind !== "scalar" || typeof node.value !== "string") {
    problem(wrongType('"shell"', "a shell, or a program with its arguments", node));
    return undefined;
  }
  const known = Object.keys(SHELLS);
  if (Object.hasOwn(SHELLS, node.value)) return SHELLS[node.value];
  const words = {
    name: '"shell"',
    expected: `one of ${known.join(", ")}, or a list of a program and its arguments`,
    actual: describeValue(node),
    suggestion: closestName(node.value, known),
  };
  problem(diagnose("language/wrong-value", words, node.span));
  return undefined;
}

function readFolder(
  entry: LocatedEntry | undefined,
  context: DraftContext,
  problem: ReportDiagnostic,
): string | undefined {
  const node = entry === undefined ? undefined : context.resolve(entry.value);
  if (node === undefined) return undefined;
  if (node.kind !== "scalar" || typeof node.value !== "string" || node.value === "") {
    problem(wrongType('"folder"', "the path of a folder", node));
    return undefined;
  }
  const path = resolvePath(node.value, context.folderOf(node.span));
  if (context.exists?.(path) === false)
    problem(diagnose("language/missing-path", { text: node.value, path }, node.span));
  return path;
}

/** A list of texts, or one text. */
function readTexts(
  name: string,
  expected: string,
  entry: LocatedEntry,
  context: DraftContext,
  problem: ReportDiagnostic,
): readonly string[] {
  const node: Located | undefined = context.resolve(entry.value);
  if (node === undefined) return [];
  return (node.kind === "list" ? node.items : [node]).flatMap((item) => {
    if (item.kind === "scalar" && typeof item.value === "string" && item.value !== "") return [item.value];
    problem(wrongType(name, expected, item));
    return [];
  });
}
