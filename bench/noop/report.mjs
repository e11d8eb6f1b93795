/** Tables and the curve of the no-op benchmark. */
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { environmentFolder, root } from "../train/places.mjs";
import { TOOLS } from "./tools.mjs";

const BUDGETS_MS = { 7: 150, 70: 180, 700: 300, 7000: 1000 };
const MOST_GROWTH = 10;
const ONE_STAGE_EXTRA_MS = 50;
const COMMAND_EXTRA_MS = 20;

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length % 2 === 1
    ? sorted[(sorted.length - 1) / 2]
    : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;
};

export function tablesOf({ machine, versions, rounds, minutes, results, large, leftOut }) {
  const sizes = [...new Set(results.map(({ size }) => size))].sort((a, b) => a - b);
  const of = (tool, size) => results.find((one) => one.tool === tool && one.size === size);
  const table = (title, times, note) => [
    `## ${title}`,
    "",
    ...(note === undefined ? [] : [note, ""]),
    `| tool | ${sizes.map((size) => `${size.toLocaleString("en")} stages`).join(" | ")} |`,
    `| --- |${" --- |".repeat(sizes.length)}`,
    ...Object.entries(versions).map(
      ([tool, version]) =>
        `| ${TOOLS[tool].title} ${version} | ${sizes.map((size) => cell(times(of(tool, size) ?? {}), rounds)).join(" | ")} |`,
    ),
    "",
  ];
  const node = results.flatMap((one) => one.node);
  return [
    "# A run that has nothing to do",
    "",
    `Chains of seven stages, each reading a small file of its own and what the one before it made. Wall time of whole processes, medians of ${rounds} interleaved rounds (of fewer where it is said), on ${machine.cores} cores of ${machine.cpu}, Node ${machine.node}; load ${machine.loadAtEnd} at the end. Node itself, \`node -e 0\` between all these: ${node.length === 0 ? "-" : time(median(node))}. Made in ${minutes} minutes by \`node bench/noop/run.mjs\`.`,
    "",
    "| ours | measured | budget | |",
    "| --- | --- | --- | --- |",
    ...sizes.flatMap((size, at) => budgetsOf(of("tfpipe", size), of("tfpipe", sizes[at - 1]))),
    ...(large === undefined ? [] : budgetsOfLarge(large)),
    "",
    ...table("Nothing to do", ({ noop }) => noop),
    ...table("One stage's own input changed", ({ one }) => one),
    ...table("First run", ({ first }) => (first === undefined ? undefined : [first]), "Once each."),
    ...(leftOut.length === 0
      ? []
      : [
          "## Left out",
          "",
          ...leftOut.map(
            ({ tool, size, why }) =>
              `- ${TOOLS[tool].title}${size ? `, ${size.toLocaleString("en")} stages` : ""}: ${why}`,
          ),
          "",
        ]),
  ].join("\n");
}

/** The median, with the number of rounds where it is another than that of the others. */
function cell(times, rounds) {
  if (times === undefined || times.length === 0) return "-";
  const few = times.length > 1 && times.length < rounds ? ` (${times.length} rounds)` : "";
  return `${time(median(times))}${few}`;
}

function budgetsOf(ours, smaller) {
  if (ours === undefined || ours.noop.length === 0) return [];
  const { size } = ours;
  const noop = median(ours.noop);
  const budget = BUDGETS_MS[size];
  const growth = smaller === undefined || smaller.noop.length === 0 ? undefined : noop / median(smaller.noop);
  const stage = ours.stage === undefined ? undefined : median(ours.stage);
  const beyond = median(ours.one) - noop;
  return [
    ...(budget === undefined ? [] : [row(`nothing to do, ${size} stages`, time(noop), `${budget} ms`, noop <= budget)]),
    ...(growth === undefined || size / smaller.size !== 10
      ? []
      : [row(`time(${size}) / time(${smaller.size})`, growth.toFixed(2), MOST_GROWTH, growth <= MOST_GROWTH)]),
    row(
      `one of ${size} stages, beyond nothing to do`,
      time(beyond),
      stage === undefined ? `the stage + ${ONE_STAGE_EXTRA_MS} ms` : `${time(stage)} + ${ONE_STAGE_EXTRA_MS} ms`,
      stage === undefined || size !== 700 ? undefined : beyond <= stage + ONE_STAGE_EXTRA_MS,
    ),
    ...Object.entries(ours.also).map(([name, times]) => {
      const extra = median(times) - noop;
      return row(
        `\`${name}\` of ${size} stages, beyond nothing to do`,
        time(extra),
        `${COMMAND_EXTRA_MS} ms`,
        extra <= COMMAND_EXTRA_MS,
      );
    }),
  ];
}

function budgetsOfLarge({ gigabytes, noop, tiny, digest }) {
  const extra = median(noop) - median(tiny);
  return [
    row(`${gigabytes} GB of unchanged inputs, beyond tiny ones`, time(extra), "50 ms", extra <= 50),
    row(
      `digesting ${gigabytes} GB anew`,
      `${((gigabytes * 1000) / (median(digest) - median(noop))).toFixed(2)} GB/s`,
      "1.2 GB/s a core",
      undefined,
    ),
  ];
}

const row = (...cells) => {
  const [title, measured, budget, holds] = cells;
  return `| ${title} | ${measured} | ${budget} | ${holds === undefined ? "" : holds ? "holds" : "**exceeded**"} |`;
};

function time(ms) {
  return Math.abs(ms) < 10_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Both axes logarithmic. SVG text. */
export async function drawResults({ results, versions }) {
  const file = join(environmentFolder, "noop", "chart.js");
  mkdirSync(dirname(file), { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: ["bench/noop/chart.mjs"],
    outfile: file,
    ...{ bundle: true, platform: "node", target: "node20", format: "esm", packages: "external", logLevel: "warning" },
  });
  const { drawChart } = await import(pathToFileURL(file).href);
  const rows = results
    .filter(({ noop }) => noop.length > 0)
    .map(({ tool, size, noop }) => ({
      tool: `${TOOLS[tool].title} ${versions[tool]}`,
      stages: size,
      seconds: median(noop) / 1000,
    }));
  const font = (weight) => join(root, "assets", "fonts", `Inter-${weight}.ttf`);
  return drawChart(rows, { regular: font("Regular"), semiBold: font("SemiBold") });
}
