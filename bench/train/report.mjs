/** Samples to figures, and figures to Markdown. Pure: the same document (results.json), the same text. */
import { FIGURES } from "./cases.mjs";

const median = (list) => {
  const sorted = list.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
const best = (list) => Math.min(...list);
const geometricMean = (list) => Math.exp(list.reduce((sum, value) => sum + Math.log(value), 0) / list.length);

const secondsOf = (result, peer) => result?.peers[peer]?.seconds.flat();
const rateOf = (result, peer, pick) => {
  const seconds = secondsOf(result, peer);
  return seconds && result.batch / pick(seconds);
};

/** Of a figure of cases.mjs: { median, best } and which cases it was made of, or undefined where none was measured. */
export function figureOf(figure, { results }) {
  const cases = figure.cases.map((name) => results.find((result) => result.name === name)).filter(Boolean);
  if (figure.kind === "share") {
    const shares = cases.map((one) => one.peers.tfpipe?.share).filter(Boolean);
    if (shares.length === 0) return undefined;
    return { median: Math.max(...shares.map(median)), best: Math.max(...shares.map(best)), of: shares.length };
  }
  if (figure.kind === "growth") {
    const base = results.find((result) => result.name === "growth-base");
    const grown = cases.filter((one) => secondsOf(one, "tfpipe"));
    if (secondsOf(base, "tfpipe") === undefined || grown.length === 0) return undefined;
    const times = (pick) => grown.map((one) => pick(secondsOf(one, "tfpipe")) / pick(secondsOf(base, "tfpipe")));
    return { median: Math.max(...times(median)), best: Math.max(...times(best)), of: grown.length };
  }
  const [ours, theirs] = figure.pair;
  const both = cases.filter((one) => one.peers[ours] && one.peers[theirs]);
  if (both.length === 0) return undefined;
  if (figure.kind === "memory") {
    const [ratio] = both.map((one) => one.peers[ours].peakBytes / one.peers[theirs].peakBytes);
    return { median: ratio, best: ratio, of: 1 };
  }
  const ratio = (pick) => geometricMean(both.map((one) => rateOf(one, ours, pick) / rateOf(one, theirs, pick)));
  return { median: ratio(median), best: ratio(best), of: both.length };
}

/** RESULTS.md. Sections without a measured case are left out. */
export function drawTables(document) {
  const { machine, threads, titles, results, leftOut } = document;
  const of = (...kinds) => results.filter(({ kind, name }) => kinds.includes(kind) && !name.startsWith("growth-"));
  const versions = [...new Set(results.flatMap(({ peers }) => Object.values(peers).map(({ version }) => version)))];
  return [
    "# Training speed\n",
    `${machine.processor}, ${machine.cores} cores, ${machine.memoryGB} GB, ${machine.platform}, Node ${machine.node}; ${threads} threads each; ${machine.date}.`,
    `${versions.filter(Boolean).join("; ")}. Load average when it began ${machine.loadAtStart}, when it ended ${machine.loadAtEnd} (the benchmark itself is ${threads}).\n`,
    "Each figure is a median (a best in brackets) over interleaved processes; only ratios from one run count. How: ../README.md.\n",
    section("Promised figures", figuresTable(document)),
    section("Optimiser steps, images a second", ratesTable(of("step"), titles)),
    section("Optimiser steps, ratio to PyTorch", ratiosTable(of("step"), titles)),
    bars(document).length > 0 ? "![Bars: each peer's rate by PyTorch's, per case](results.svg)\n" : "",
    section("Peak memory, GB", memoryTable(of("step"), titles)),
    section("Evaluation, images a second", ratesTable(of("evaluate"), titles)),
    section("Evaluation, ratio to PyTorch", ratiosTable(of("evaluate"), titles)),
    section("The loader alone, images a second", ratesTable(of("load"), titles)),
    section("Waiting for data", waitingTable(of("wait"))),
    section("Growth of a step", growthTable(results)),
    section("Left out", leftOutTable(leftOut)),
  ]
    .filter((part) => part !== "")
    .join("\n");
}

const section = (title, table) => (table === "" ? "" : `## ${title}\n\n${table}`);

function table(head, rows) {
  if (rows.length === 0) return "";
  const line = (cells) => `| ${cells.join(" | ")} |\n`;
  return line(head) + line(head.map((_, i) => (i === 0 ? "---" : "---:"))) + rows.map(line).join("");
}

function figuresTable(document) {
  const rows = FIGURES.flatMap((figure) => {
    const value = figureOf(figure, document);
    if (value === undefined) return [];
    const less = figure.kind !== "speed";
    const holds = less ? value.median <= figure.must : value.median >= figure.must;
    const show = (x) => (figure.kind === "share" ? `${(100 * x).toFixed(2)} %` : x.toFixed(2));
    const partial = value.of < figure.cases.length ? `, ${value.of} of ${figure.cases.length} cases` : "";
    const limit = (x) => `${less ? "≤" : "≥"} ${show(x)}`;
    const measured = `**${show(value.median)}** (${show(value.best)})`;
    return [[figure.title + partial, limit(figure.must), limit(figure.goal), measured, holds ? "yes" : "no"]];
  });
  return table(["figure", "must", "goal", "measured", "holds"], rows);
}

const peersOf = (results, titles) => Object.keys(titles).filter((peer) => results.some(({ peers }) => peers[peer]));

function perPeer(results, titles, cell) {
  const peers = peersOf(results, titles);
  const rows = results.map((one) => [one.title, ...peers.map((peer) => (one.peers[peer] ? cell(one, peer) : ""))]);
  return table(["", ...peers.map((peer) => titles[peer])], rows);
}

function ratesTable(results, titles) {
  const show = (rate) => (rate < 1000 ? rate.toFixed(1) : Math.round(rate).toString());
  return perPeer(
    results,
    titles,
    (one, peer) => `${show(rateOf(one, peer, median))} (${show(rateOf(one, peer, best))})`,
  );
}

function ratiosTable(results, titles) {
  const compared = results.filter(({ peers }) => peers.torch);
  return perPeer(compared, titles, (one, peer) =>
    [median, best]
      .map((pick) => (rateOf(one, peer, pick) / rateOf(one, "torch", pick)).toFixed(2))
      .map((ratio, i) => (i === 0 ? ratio : `(${ratio})`))
      .join(" "),
  );
}

function memoryTable(results, titles) {
  return perPeer(results, titles, (one, peer) => (one.peers[peer].peakBytes / 1e9).toFixed(2));
}

function waitingTable(results) {
  const rows = results.flatMap(({ title, peers }) =>
    peers.tfpipe ? [[title, `${(100 * median(peers.tfpipe.share)).toFixed(2)} %`]] : [],
  );
  return table(["", "share of step time, median of rounds"], rows);
}

function growthTable(results) {
  const base = results.find(({ name }) => name === "growth-base");
  if (base?.peers.tfpipe === undefined) return "";
  const time = (one, pick) => pick(secondsOf(one, "tfpipe"));
  const grown = results.filter(({ name, peers }) => name.startsWith("growth-") && peers.tfpipe);
  const rows = grown.map((one) => {
    const ratio = (pick) => (time(one, pick) / time(base, pick)).toFixed(2);
    const changed = one === base ? "" : `2 x ${one.name.slice("growth-".length)}`;
    return [one.title, changed, (1000 * time(one, median)).toFixed(0), `${ratio(median)} (${ratio(best)})`];
  });
  return table(["basic blocks", "changed", "ms a step", "time / first row's"], rows);
}

function leftOutTable(leftOut) {
  const why = ({ refused, failed }) => refused ?? `failed: ${failed}`;
  return table(
    ["what", "why"],
    leftOut.map((one) => [one.what, why(one).replaceAll("|", "\\|")]),
  );
}

/** Rows of the chart: every peer's median rate by PyTorch float32's, per step case. */
export function bars({ results, titles }) {
  return results
    .filter(({ kind, peers }) => kind === "step" && peers.torch)
    .flatMap((one) =>
      Object.keys(titles)
        .filter((peer) => one.peers[peer] && peer !== "torch")
        .map((peer) => ({
          case: one.title,
          peer: titles[peer],
          ratio: Number((rateOf(one, peer, median) / rateOf(one, "torch", median)).toPrecision(3)),
        })),
    );
}
