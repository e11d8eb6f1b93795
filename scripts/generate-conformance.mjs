/**
 * Generates docs/conformance.md, and the table in the README, from the table that the tests of test/conformance follow. With
 * `--check` nothing is written: stale files are listed, and the exit code is 1.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { CELLS, GROUPS, PEERS } = await importTypeScript("test/conformance/table.ts");
const peers = Object.entries(PEERS);
const compared = CELLS.filter((cell) => cell.peers !== undefined);

const START = "<!-- Generated from test/conformance/table.ts: npm run generate -->";
const END = "<!-- Generated until here -->";

const outputs = new Map([
  ["docs/conformance.md", renderDocument()],
  ["README.md", renderReadme(read("README.md"))],
]);
const stale = [...outputs].filter(([path, text]) => read(path) !== text);
if (process.argv.includes("--check")) {
  for (const [path] of stale) console.error(`stale: ${path}`);
  if (stale.length > 0) console.error("run `npm run generate` and commit what it writes");
  process.exitCode = stale.length > 0 ? 1 : 0;
} else
  for (const [path, text] of stale) {
    writeFileSync(join(root, path), text);
    console.log(`wrote ${path}`);
  }

function renderDocument() {
  const groups = Object.entries(GROUPS).map(([group, title]) => {
    const rows = CELLS.filter((cell) => cell.group === group).map(({ id, situation, promise, fails }) => [
      `\`${id}\``,
      situation,
      fails === undefined ? promise : `**Does not hold yet:** ${fails} Promised: ${promise}`,
    ]);
    return `### ${title}\n\n${renderTable(["cell", "when", "then"], rows)}`;
  });
  const failing = CELLS.filter(({ fails }) => fails !== undefined);
  return read("test/conformance/document.template.md")
    .replace(/^<!--[\s\S]*?-->\n/, "<!-- Generated from test/conformance/table.ts and document.template.md. -->\n")
    .replace("{{count}}", String(CELLS.length))
    .replace(
      "{{state}}",
      failing.length === 0 ? "Every cell holds." : `${failing.length} of them do not hold yet, and say so below.`,
    )
    .replace("{{groups}}", groups.join("\n\n"))
    .replace("{{peers}}", renderPeers());
}

/** What each of the others did, in words. */
function renderPeers() {
  return renderTable(
    ["experiment", "tfpipe", ...peers.map(([, name]) => name)],
    compared.map((cell) => [
      cell.situation,
      mark(cell.fails === undefined),
      ...peers.map(([peer]) => {
        const result = cell.peers[peer];
        return result === undefined ? "not tried" : `${mark(result.right)} ${result.text}`;
      }),
    ]),
  );
}

function renderReadme(text) {
  const [before, rest] = text.split(`${START}\n`);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`README.md has no lines "${START}" and "${END}"`);
  const table = renderTable(
    ["", "tfpipe", ...peers.map(([, name]) => name)],
    compared.map((cell) => [
      cell.short,
      mark(cell.fails === undefined),
      ...peers.map(([peer]) => (cell.peers[peer] === undefined ? "" : mark(cell.peers[peer].right))),
    ]),
  );
  return `${before}${START}\n\n${table}\n\n${END}${after}`;
}

function mark(right) {
  return right ? "✓" : "✗";
}

function renderTable(head, rows) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function read(path) {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch {
    return "";
  }
}

async function importTypeScript(path) {
  const { outputFiles } = await build({
    entryPoints: [join(root, path)],
    bundle: true,
    format: "esm",
    platform: "neutral",
    write: false,
  });
  return import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
}
