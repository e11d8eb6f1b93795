/**
 * Makes one file of all that a command loads before it does anything: reading dozens of small modules takes Node longer
 * than running them. esbuild splits by who imports what, so the chunks that a run with nothing to do needs are put
 * together again, and every other file imports from the whole.
 *
 * What must stay true: each module is there once (classes are compared by identity), and nothing that is merged awaits at
 * its top: other chunks import the whole while the program runs.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { build } from "esbuild";

const STATIC = "import-statement";

/**
 * `metafile` is esbuild's of a split build into `folder`, its paths relative to `root`. `entry` is the source file that a
 * command starts with; `along` are sources that it imports dynamically, and nearly always.
 */
export async function mergeChunks({ root, folder, metafile, entry, along, options }) {
  const outputs = new Map(
    Object.entries(metafile.outputs).map(([path, output]) => [posix.relative(folder, path), output]),
  );
  const imports = (file, kind) =>
    outputs
      .get(file)
      .imports.filter((one) => one.kind === kind && one.external !== true)
      .map(({ path }) => posix.relative(folder, path));
  const fileOf = (source) => {
    for (const [file, { entryPoint }] of outputs) if (entryPoint === source) return file;
    throw new Error(`${source} is no file of its own: is it still imported dynamically?`);
  };
  const start = fileOf(entry);
  const merged = new Set();
  const waiting = [...imports(start, STATIC), ...along.map(fileOf)];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (merged.has(file)) continue;
    merged.add(file);
    waiting.push(...imports(file, STATIC));
  }

  // Two chunks may export different things by one name.
  const numbers = new Map([...merged].sort().map((file, at) => [file, at]));
  const nameOf = (file, exported) => `m${numbers.get(file)}_${exported}`;
  const whole = `${posix.basename(start, ".js")}-core.js`;
  const place = (...parts) => join(root, folder, ...parts);
  const contents = [...merged].map((file) => {
    const names = outputs.get(file).exports.map((name) => `${name} as ${nameOf(file, name)}`);
    return names.length === 0 ? `import "./${file}";` : `export { ${names.join(", ")} } from "./${file}";`;
  });
  const { outputFiles } = await build({
    ...options,
    absWorkingDir: root,
    stdin: { contents: contents.join("\n"), resolveDir: place() },
    outfile: place(whole),
    write: false,
    splitting: false,
    treeShaking: false,
    // Chunks do nothing when they are loaded: those that are merged for nothing but that may go.
    logOverride: { "ignored-bare-import": "silent" },
    plugins: [
      {
        name: "chunks-of-their-own",
        setup({ onResolve }) {
          onResolve({ filter: /^\./ }, ({ kind, path, resolveDir }) => {
            const file = posix.relative(place(), posix.join(resolveDir, path));
            if (kind === "dynamic-import" && !merged.has(file)) return { path: `./${file}`, external: true };
            return undefined;
          });
        },
      },
    ],
  });
  for (const file of outputs.keys()) {
    if (merged.has(file) || !file.endsWith(".js")) continue;
    const text = readFileSync(place(file), "utf8");
    const rewritten = importFromWhole(text, file);
    if (rewritten !== text) writeFileSync(place(file), rewritten);
  }
  writeFileSync(place(whole), outputFiles[0].contents);
  for (const file of merged) rmSync(place(file));
  return { file: whole, merged: merged.size };

  function importFromWhole(text, file) {
    const toWhole = `./${posix.relative(posix.dirname(file), whole)}`.replace("./../", "../");
    const target = (path) => posix.join(posix.dirname(file), path);
    const more = new Set();
    const renamed = text
      .replaceAll(/^import \{([^}]*)\} from "(\.[^"]+)";$/gm, (statement, list, path) => {
        if (!merged.has(target(path))) return statement;
        const names = list.split(",").map((name) => {
          const [imported, local = imported] = name.trim().split(/\s+as\s+/);
          return `${nameOf(target(path), imported)} as ${local}`;
        });
        return `import { ${names.join(", ")} } from "${toWhole}";`;
      })
      .replaceAll(/^import "(\.[^"]+)";$/gm, (statement, path) =>
        merged.has(target(path)) ? `import "${toWhole}";` : statement,
      )
      .replaceAll(/\bimport\("(\.[^"]+)"\)/g, (call, path) => {
        if (!merged.has(target(path))) return call;
        const names = outputs.get(target(path)).exports;
        for (const name of names) more.add(nameOf(target(path), name));
        return `Promise.resolve({ ${names.map((name) => `${name}: ${nameOf(target(path), name)}`).join(", ")} })`;
      });
    for (const path of [...renamed.matchAll(/"(\.{1,2}\/[^"\n]+\.js)"/g)].map((match) => match[1]))
      if (merged.has(target(path)))
        throw new Error(`${dirname(file)}: ${file} refers to ${path} in a way unknown here`);
    return more.size === 0 ? renamed : insertImport(renamed, `import { ${[...more].join(", ")} } from "${toWhole}";`);
  }
}

/** After the line that says which program runs the file. */
function insertImport(text, statement) {
  const end = text.startsWith("#!") ? text.indexOf("\n") + 1 : 0;
  return `${text.slice(0, end)}${statement}\n${text.slice(end)}`;
}
