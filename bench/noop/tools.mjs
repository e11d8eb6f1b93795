/**
 * The same work for every tool: chains of seven stages. Each stage reads a small file of its own and what the stage before
 * it made, and writes both into its output. A tool is { title, version, limit, install, write, run, output, environment }:
 *
 *   limit    the most stages it is measured with
 *   install  puts the tool in place; throws where it cannot
 *   write    writes its project for `chains` into a folder that has `in/<chain>-<stage>.txt`
 *   run      command and arguments that bring everything up to date
 *   output   where the last stage of a chain leaves its result
 *   also     other commands to time when there is nothing to do, by name
 *   stageMs  how long the one stage took that the last run executed
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { installPackages, installPython, run } from "../installed.mjs";
import { root } from "../train/places.mjs";

const here = dirname(fileURLToPath(import.meta.url));
export const LENGTH = 7;
export const own = (chain, stage) => `in/${chain}-${stage}.txt`;

const out = (chain, stage) => `out/${chain}-${stage}.txt`;
const product = join(root, "dist", "pipe.js");
const pipe = (words) => [process.execPath, product, ...words];
const firstLine = (program, args) => execFileSync(program, args, { encoding: "utf8" }).trim().split("\n")[0];
/** Every stage as { chain, stage, reads, writes }. */
function* stagesOf(chains, writes = out) {
  for (let chain = 0; chain < chains; chain++)
    for (let stage = 1; stage <= LENGTH; stage++)
      yield {
        chain,
        stage,
        reads: [own(chain, stage), ...(stage > 1 ? [writes(chain, stage - 1)] : [])],
        writes: writes(chain, stage),
      };
}
const lines = (chains, line) => [...stagesOf(chains)].map(line).join("");
const json = (folder, file, value) => {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), `${JSON.stringify(value, null, 1)}\n`);
};

const python = () => installPython("noop-python", join(here, "requirements.txt"));
const packages = () => join(installPackages("noop-npm", join(here, "packages")), "node_modules", ".bin");

export const TOOLS = {
  tfpipe: {
    title: "tfpipe",
    limit: Number.POSITIVE_INFINITY,
    install: () => run("npm", ["run", "--silent", "build"], { cwd: root }),
    version: () => firstLine(process.execPath, [product, "--version"]),
    write(folder, chains) {
      const stages = lines(
        chains,
        ({ chain, stage, reads }) => `  s${chain}-${stage}:
    inputs: { own: ./${reads[0]}${stage > 1 ? `, before: s${chain}-${stage - 1}` : ""} }
    outputs: { out: out.txt }
    run: cat "\${inputs.own}"${stage > 1 ? ` "\${inputs.before}"` : ""} > "\${outputs.out}"
`,
      );
      writeFileSync(join(folder, "chains.yaml"), `name: chains\nstages:\n${stages}`);
      json(folder, "package.json", {});
    },
    run: () => pipe(["run", "chains.yaml", "--jobs", "2"]),
    output: (chain) => `artifacts/chains/s${chain}-${LENGTH}/out/out.txt`,
    also: (chains) => ({
      plan: pipe(["plan", "chains.yaml"]),
      status: pipe(["status", "chains.yaml"]),
      why: pipe(["why", "chains.yaml", `s${chains - 1}-${LENGTH}`]),
      dag: pipe(["dag", "chains.yaml"]),
    }),
    stageMs(folder) {
      const runs = join(folder, "artifacts", ".store", "runs");
      const records = readdirSync(runs).map((id) => JSON.parse(readFileSync(join(runs, id, "run.json"), "utf8")));
      const last = records.sort((a, b) => (a.startedAt < b.startedAt ? -1 : 1)).at(-1);
      const ran = last.stages.filter(({ outcome }) => outcome === "ran");
      if (ran.length !== 1) throw new Error(`the last run executed ${ran.length} stages where one had changed`);
      return ran[0].durationMs;
    },
  },
  ninja: {
    title: "ninja",
    limit: Number.POSITIVE_INFINITY,
    // From PyPI: no compiler and no system package is needed.
    install: python,
    version: () => firstLine(join(python(), "ninja"), ["--version"]).split(".git")[0],
    write: (folder, chains) =>
      writeFileSync(
        join(folder, "build.ninja"),
        `rule cat\n  command = cat $in > $out\n${lines(chains, ({ reads, writes }) => `build ${writes}: cat ${reads.join(" ")}\n`)}`,
      ),
    run: () => [join(python(), "ninja"), "-j2", "--quiet"],
  },
  make: {
    title: "GNU make",
    limit: Number.POSITIVE_INFINITY,
    install: () => firstLine("make", ["--version"]),
    version: () => firstLine("make", ["--version"]).replace("GNU Make ", ""),
    write(folder, chains) {
      const all = [...stagesOf(chains)].map(({ writes }) => writes).join(" ");
      const rules = lines(chains, ({ reads, writes }) => `${writes}: ${reads.join(" ")}\n\tcat $^ > $@\n`);
      writeFileSync(join(folder, "Makefile"), `all: ${all}\n${rules}.PHONY: all\n`);
    },
    run: () => ["make", "-j2", "--silent"],
  },
  turbo: {
    title: "Turborepo",
    limit: 700,
    install: packages,
    version: () => firstLine(join(packages(), "turbo"), ["--version"]),
    write(folder, chains) {
      const name = (chain, stage) => `s${chain}-${stage}`;
      for (const { chain, stage } of stagesOf(chains)) {
        const before = stage > 1 ? name(chain, stage - 1) : undefined;
        json(folder, `packages/${name(chain, stage)}/package.json`, {
          name: name(chain, stage),
          version: "1.0.0",
          scripts: {
            build: `cat ../../${own(chain, stage)} ${before ? `../${before}/out.txt` : ""} > out.txt`,
          },
          ...(before && { dependencies: { [before]: "1.0.0" } }),
        });
        json(folder, `packages/${name(chain, stage)}/turbo.json`, {
          extends: ["//"],
          tasks: { build: { inputs: [`../../${own(chain, stage)}`], outputs: ["out.txt"] } },
        });
      }
      json(folder, "package.json", {
        name: "chains",
        private: true,
        packageManager: `npm@${firstLine("npm", ["--version"])}`,
        workspaces: ["packages/*"],
      });
      json(folder, "turbo.json", { tasks: { build: { dependsOn: ["^build"], outputs: ["out.txt"] } } });
      writeFileSync(join(folder, ".gitignore"), "node_modules\n.turbo\nout.txt\n");
      run("npm", ["install", "--package-lock-only", "--ignore-scripts", "--offline", "--no-audit", "--no-fund"], {
        cwd: folder,
      });
      run("git", ["init", "--quiet"], { cwd: folder });
    },
    run: () => [join(packages(), "turbo"), "run", "build", "--concurrency=2", "--output-logs=none"],
    environment: { TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1", TURBO_NO_UPDATE_NOTIFIER: "1" },
    output: (chain) => `packages/s${chain}-${LENGTH}/out.txt`,
  },
  wireit: {
    title: "wireit",
    limit: 700,
    install: packages,
    version: () =>
      JSON.parse(execFileSync("cat", [join(packages(), "..", "wireit", "package.json")], { encoding: "utf8" })).version,
    write(folder, chains) {
      const scripts = { all: "wireit" };
      const wireit = { all: { dependencies: [] } };
      for (const { chain, stage, reads, writes } of stagesOf(chains)) {
        scripts[`s${chain}-${stage}`] = "wireit";
        wireit[`s${chain}-${stage}`] = {
          command: `cat ${reads.join(" ")} > ${writes}`,
          files: [reads[0]],
          output: [writes],
          ...(stage > 1 && { dependencies: [`s${chain}-${stage - 1}`] }),
        };
        if (stage === LENGTH) wireit.all.dependencies.push(`s${chain}-${stage}`);
      }
      json(folder, "package.json", { name: "chains", private: true, scripts, wireit });
      // The command is found as that of any installed package.
      run("ln", ["-s", join(packages(), ".."), join(folder, "node_modules")]);
    },
    run: () => ["npm", "run", "--silent", "all"],
    environment: { WIREIT_PARALLEL: "2", WIREIT_LOGGER: "simple", WIREIT_FAILURES: "no-new" },
  },
  dvc: {
    title: "DVC",
    limit: 700,
    install: python,
    version: () => firstLine(join(python(), "dvc"), ["--version"]),
    write(folder, chains) {
      const stages = lines(
        chains,
        ({ chain, stage, reads, writes }) =>
          `  s${chain}-${stage}:\n    cmd: cat ${reads.join(" ")} > ${writes}\n    deps: [${reads.join(", ")}]\n    outs: [${writes}]\n`,
      );
      writeFileSync(join(folder, "dvc.yaml"), `stages:\n${stages}`);
      run(join(python(), "dvc"), ["init", "--no-scm", "--quiet"], { cwd: folder });
    },
    run: () => [join(python(), "dvc"), "repro", "--quiet"],
    environment: { DVC_NO_ANALYTICS: "1" },
  },
  snakemake: {
    title: "Snakemake",
    limit: 700,
    install: python,
    version: () => firstLine(join(python(), "snakemake"), ["--version"]),
    write(folder, chains) {
      const quoted = (names) => names.map((name) => JSON.stringify(name)).join(", ");
      const rules = lines(
        chains,
        ({ chain, stage, reads, writes }) =>
          `rule s${chain}_${stage}:\n    input: ${quoted(reads)}\n    output: ${quoted([writes])}\n    shell: "cat {input} > {output}"\n`,
      );
      const last = Array.from({ length: chains }, (_, chain) => out(chain, LENGTH));
      writeFileSync(join(folder, "Snakefile"), `rule all:\n    input: ${quoted(last)}\n${rules}`);
    },
    run: () => [join(python(), "snakemake"), "--cores", "2", "--quiet", "all"],
  },
};

/** Where the last stage of a chain leaves its result, unless the tool says another place. */
export const outputOf = (tool, chain) => TOOLS[tool].output?.(chain) ?? out(chain, LENGTH);
