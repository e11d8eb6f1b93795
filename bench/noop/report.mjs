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

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length % 2 === 1
    ? sorted[(sorted.length - 1) / 2]
    : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;
};

export function tablesOf({ machine, versions, rounds, results, large, leftOut }) {
  const sizes = [...new Set(results.map(({ size }) => size))];
  const of = (tool, size) => results.find((one) => one.tool === tool && one.size === size);
  const table = (title, figure) => [
    `## ${title}`,
    "",
    `| tool | ${sizes.map((size) => `${size.toLocaleString("en")} stages`).join(" | ")} |`,
    `| --- |${" --- |".repeat(sizes.length)}`,
    ...Object.entries(versions).map(
      ([tool, version]) =>
        `| ${TOOLS[tool].title} ${version} | ${sizes.map((size) => (of(tool, size) ? time(figure(of(tool, size))) : "-")).join(" | ")} |`,
    ),
    "",
  ];
  const budgets = sizes.flatMap((size, i) => {
    const ours = of("tfpipe", size);
    if (ours === undefined) return [];
    const [noop, one] = [median(ours.noop), median(ours.one)];
    const before = i === 0 ? undefined : of("tfpipe", sizes[i - 1]);
    const budget = BUDGETS_MS[size];
    return [
      ...(budget ? [row(`nothing to do, ${size} stages`, time(noop), `${budget} ms`, noop <= budget)] : []),
      ...(before && size / sizes[i - 1] === 10
        ? [
            row(
              `time(${size}) / time(${sizes[i - 1]})`,
              (noop / median(before.noop)).toFixed(2),
              `${MOST_GROWTH}`,
              noop / median(before.noop) <= MOST_GROWTH,
            ),
          ]
        : []),
      row(
        `one of ${size} stages, beyond nothing to do`,
        time(one - noop),
        `the stage + ${ONE_STAGE_EXTRA_MS} ms`,
        undefined,
      ),
    ];
  });
  const largeLines =
    large === undefined
      ? []
      : [
          row(
            `${large.gigabytes} GB of unchanged inputs, beyond tiny ones`,
            time(median(large.noop) - median(large.tiny)),
            "50 ms",
            median(large.noop) - median(large.tiny) <= 50,
          ),
          row(
            `digesting ${large.gigabytes} GB anew`,
            `${((large.gigabytes * 1000) / (median(large.digest) - median(large.noop))).toFixed(2)} GB/s`,
            `1.2 GB/s a core`,
            undefined,
          ),
        ];
  return [
    "# A run that has nothing to do",
    "",
    `Chains of seven stages, each reading a small file of its own and what the one before it made. Wall time of whole processes, medians of ${rounds} interleaved rounds, on ${machine.cores} cores of ${machine.cpu}, Node ${machine.node}; load ${machine.loadAtEnd} at the end. Made by \`node bench/noop/run.mjs\`.`,
    "",
    "| ours | measured | budget | |",
    "| --- | --- | --- | --- |",
    ...budgets,
    ...largeLines,
    "",
    ...table("Nothing to do", ({ noop }) => median(noop)),
    ...table("One stage's own input changed", ({ one }) => median(one)),
    ...table("First run, once", ({ first }) => first),
    ...(leftOut.length === 0
      ? []
      : [
          "## Left out",
          "",
          ...leftOut.map(({ tool, size, why }) => `- ${TOOLS[tool].title}${size ? `, ${size} stages` : ""}: ${why}`),
          "",
        ]),
  ].join("\n");
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
  const rows = results.map(({ tool, size, noop }) => ({
    tool: `${TOOLS[tool].title} ${versions[tool]}`,
    stages: size,
    seconds: median(noop) / 1000,
  }));
  const font = (weight) => join(root, "assets", "fonts", `Inter-${weight}.ttf`);
  return drawChart(rows, { regular: font("Regular"), semiBold: font("SemiBold") });
}
