/**
 * Why a stage runs, or why it does not: the difference of two key manifests in words, each with old and new value, and
 * under every input that a stage made, why that stage gives something else: a chain that ends at the root cause.
 */
import type { ComparedKey, ExplainedDifference, Explanation, RootCause } from "../identity/explanation.ts";
import type { Nondeterminism, StageDecision } from "../record.ts";
import { createPalette, type Palette } from "./ansi.ts";
import { breakText } from "./break-text.ts";
import { nondeterminismText } from "./nondeterminism-text.ts";
import type { TextStyle } from "./reporter.ts";
import { pipelineTitle, runTitle } from "./run-title.ts";
import { printableLine, textWidth, truncate } from "./text-width.ts";

export interface Why {
  readonly explanation: Explanation;
  /** Where its differences begin, up the chain. */
  readonly rootCauses: readonly RootCause[];
  /** The pipeline that was asked about: others are named. */
  readonly pipeline: string;
  readonly profiles: readonly string[];
  /** Of the stage. */
  readonly nondeterminism?: Nondeterminism;
}

const INDENT = 2;
/** Deeper links of a chain are not indented further, so that there is room for their words. */
const DEEPEST = 20;
const LONGEST_VALUE = 400;

/** Lines without a final break, none wider than the window. */
export function renderWhy(why: Why, style: TextStyle): string {
  const { explanation, rootCauses } = why;
  const palette = createPalette(style.color);
  const writer = createWriter(style.columns - 1);
  const name = explanation.stage;
  const against = explanation.against === undefined ? "" : comparedWith(explanation.against, why);
  writer.line(0, `${name} ${decisionSentence(explanation.decision)}: ${explanation.reason}`, (text) =>
    text.startsWith(name) ? palette.bold(name) + text.slice(name.length) : text,
  );
  const marked = nondeterminismText({ ...why, stage: name });
  if (marked !== undefined) writer.line(1, `it is ${marked}`, palette.yellow);
  if (explanation.frozen) writer.line(1, "it is frozen: what it produced last is kept, whatever changed");
  if (explanation.incomparable !== undefined) writer.line(1, explanation.incomparable, palette.dim);
  else if (explanation.against !== undefined && explanation.differences.length === 0)
    writer.line(1, `nothing that counts differs from ${against}`);
  else if (explanation.differences.length > 0) {
    writer.line(0, `against ${against}:`, palette.dim);
    for (const difference of explanation.differences) writeDifference(writer, 1, difference, palette);
  }
  const farther = rootCauses.filter(({ stage }) => stage !== name);
  if (explanation.differences.length > 0 && farther.length > 0)
    for (const [index, { stage, text, difference }] of rootCauses.entries()) {
      const place =
        difference?.origin === undefined || difference.part === "input" || difference.part === "code"
          ? ""
          : ` (${difference.origin})`;
      writer.line(0, `${index === 0 ? "root cause: " : "       and: "}${stage}: ${text}${place}`, palette.yellow);
    }
  return writer.lines.join("\n");
}

interface Writer {
  readonly lines: string[];
  /** `paint` gets each line as it is broken, without its indent. */
  line(depth: number, text: string, paint?: (text: string) => string): void;
}

function createWriter(width: number): Writer {
  const lines: string[] = [];
  return {
    lines,
    line(depth, text, paint = (same) => same) {
      const indent = " ".repeat(INDENT * Math.min(depth, DEEPEST, Math.floor(width / 5)));
      for (const line of breakText(printable(text), width - indent.length, INDENT))
        lines.push(`${indent}${paint(line)}`);
    },
  };
}

function decisionSentence(decision: StageDecision): string {
  switch (decision) {
    case "run":
      return "will run";
    case "fresh":
      return "is fresh";
    case "restore":
      return "will be restored";
    case "pending":
      return "waits";
    default:
      return decision satisfies never;
  }
}

function comparedWith(against: ComparedKey, { pipeline, profiles }: Pick<Why, "pipeline" | "profiles">): string {
  const title = pipelineTitle(against);
  const elsewhere = title === pipelineTitle({ pipeline, profiles }) ? "" : ` of ${title}`;
  if (against.runId === undefined) return `${title} as it is now`;
  return `the run ${runTitle({
    id: against.runId,
    ...(against.runName === undefined ? {} : { name: against.runName }),
    ...(against.madeAt === undefined ? {} : { startedAt: against.madeAt }),
  })}${elsewhere}`;
}

function writeDifference(writer: Writer, depth: number, difference: ExplainedDifference, palette: Palette): void {
  const { part, name, before, after, origin } = difference;
  const from = origin === undefined ? "" : ` (${origin})`;
  switch (part) {
    case "input":
      writeInput(writer, depth, difference, palette);
      return;
    case "code": {
      const verb = before === undefined ? "is new" : after === undefined ? "is no longer used" : "was edited";
      writer.line(depth, `code ${name} ${verb}${from}`);
      return;
    }
    case "tool":
      writer.line(depth, `the program ${name} is another one${from}`);
      return;
    case "command":
      if (name !== "text") {
        writeChange(writer, depth, `command ${name}`, difference, palette);
        return;
      }
      writer.line(depth, `its command was edited${from}`);
      writeEdit(writer, depth + 1, before ?? "", after ?? "", palette);
      return;
    case "stageType":
      writeChange(writer, depth, "stage type", difference, palette);
      return;
    case "schema":
      writeChange(writer, depth, "format of keys", difference, palette);
      return;
    case "package":
    case "param":
    case "output":
    case "env":
    case "numerics":
      writeChange(writer, depth, `${part === "numerics" ? "engine" : part} ${name}`, difference, palette);
      return;
    default:
      part satisfies never;
  }
}

function writeInput(writer: Writer, depth: number, difference: ExplainedDifference, palette: Palette): void {
  const { name, before, after, origin, undecided, because = [] } = difference;
  const from = origin === undefined ? "" : ` (${origin})`;
  if (undecided) writer.line(depth, `input ${name} may change${from}`);
  else if (before === undefined) writer.line(depth, `input ${name} is new${from}`);
  else if (after === undefined) writer.line(depth, `input ${name} is gone`);
  else writer.line(depth, `input ${name} changed${from}  ${shortDigest(before)} -> ${shortDigest(after)}`);
  for (const why of because) {
    writer.line(depth + 1, linkText(why));
    if (why.repeated || why.cut) continue;
    if (why.incomparable !== undefined) writer.line(depth + 2, why.incomparable, palette.dim);
    for (const deeper of why.differences) writeDifference(writer, depth + 2, deeper, palette);
  }
}

/** How a link of the chain begins: its differences follow below. */
function linkText({ stage, decision, reason, differences, incomparable, repeated, cut, frozen }: Explanation): string {
  if (repeated) return `${stage}: as above`;
  if (cut) return `${stage}, and so on up to the root cause`;
  const kept = frozen ? ", frozen" : "";
  if (differences.length > 0) {
    if (decision === "run") return `${stage} will run${kept}:`;
    return decision === "pending" ? `${stage} waits${kept}:` : `${stage} has given another result${kept}:`;
  }
  if (decision === "run" || decision === "pending") return `${stage} ${decisionSentence(decision)}${kept}: ${reason}`;
  return incomparable === undefined
    ? `${stage} has given another result for the same key${kept}`
    : `${stage} has given another result${kept}`;
}

/** On one line where it fits, else the values below, each on its own. */
function writeChange(
  writer: Writer,
  depth: number,
  label: string,
  difference: ExplainedDifference,
  palette: Palette,
): void {
  const old = difference.before === undefined ? "(none)" : truncate(printable(difference.before), LONGEST_VALUE);
  const now = difference.after === undefined ? "(none)" : truncate(printable(difference.after), LONGEST_VALUE);
  const from = difference.origin === undefined ? "" : ` (${difference.origin})`;
  if (textWidth(old) + textWidth(now) <= 60) {
    const change = `${old} -> ${now}`;
    writer.line(depth, `${label} ${change}${from}`, (text) =>
      text.includes(change) ? text.replace(change, () => `${palette.red(old)} -> ${palette.green(now)}`) : text,
    );
    return;
  }
  writer.line(depth, `${label}${from}`);
  writer.line(depth + 1, `   ${old}`, palette.red);
  writer.line(depth + 1, `-> ${now}`, palette.green);
}

/** Lines of one text that the other has not. */
function writeEdit(writer: Writer, depth: number, before: string, after: string, palette: Palette): void {
  const old = before.split("\n");
  const now = after.split("\n");
  for (const line of old) if (!now.includes(line)) writer.line(depth, `- ${printableLine(line)}`, palette.red);
  for (const line of now) if (!old.includes(line)) writer.line(depth, `+ ${printableLine(line)}`, palette.green);
}

function printable(text: string): string {
  return text.split("\n").map(printableLine).join("\n");
}

function shortDigest(digest: string): string {
  return digest.replace(/^[0-9a-f]{64}$/, (hex) => hex.slice(0, 12));
}
