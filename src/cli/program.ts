/**
 * The command line: names, options, help and examples. Each command's own file is loaded when it is called.
 * Longer than most files because it is one command after the other, as the help shows them.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { App, ExitCode } from "./app.ts";
import { EXPORT_TARGETS } from "./model-exporter.ts";

/** Parses `argv` (without node and script) and runs the command. Usage errors were printed; their code is 2. */
export async function runProgram(app: App, argv: readonly string[]): Promise<ExitCode> {
  let exitCode: ExitCode = 0;
  const set = (code: ExitCode) => {
    exitCode = code;
  };
  const program = buildProgram(app, set);
  try {
    await program.parseAsync(argv as string[], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2;
  }
  return exitCode;
}

function buildProgram(app: App, done: (code: ExitCode) => void): Command {
  const program = new Command("pipe")
    .description("Runs machine-learning pipelines: only what changed runs again, and every result is kept.")
    .version(app.version)
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ sortSubcommands: false, helpWidth: Math.min(app.out.columns(), 100) })
    .configureOutput({ writeOut: app.out.write, writeErr: app.err.write })
    .addHelpText(
      "after",
      examples([
        "pipe init",
        "pipe run pipelines/resnet34.yaml --profile quick",
        "pipe why train",
        "pipe show evaluate",
      ]),
    );

  runningCommand(program, "run", "bring a pipeline, or some of its stages, up to date")
    .option(
      "-f, --force [stage]",
      "run this stage (all, if none is named) whatever the cache has; may be repeated",
      collectForce,
    )
    .option("-n, --dry-run", "show the plan, and run nothing")
    .option("--name <name>", "what to call the run: for pipe diff, pipe why --run and the list of runs")
    .option("--frozen", "refuse to change the pipeline's lock: run only what comes to what is locked")
    .addHelpText(
      "after",
      examples([
        "pipe run                                  the only pipeline in pipelines/",
        "pipe run pipelines/resnet34.yaml --profile quick",
        "pipe run resnet34 evaluate                evaluate and what it needs",
        "pipe run resnet34 --force train          train again, and what its result changes",
        "pipe run resnet34 --from train --dry-run  what train and all behind it would do",
        "pipe run resnet34 --param epochs=10 --param data=./cifar10.tar.gz",
      ]),
    )
    .action(async (words: string[], options) => {
      const { runCommand } = await import("./run.ts");
      done(
        await runCommand(app, words, {
          ...runningDefaults(options),
          ...(options.name === undefined ? {} : { name: options.name as string }),
          force: options.force ?? [],
          dryRun: flag(options.dryRun),
          frozen: flag(options.frozen),
        }),
      );
    });

  pipelineCommand(program, "sweep", "run a pipeline with many values of its params: a grid, or random draws")
    .option(
      "--grid <param=values>",
      "try each of these values, with each of every other grid; may be repeated",
      collect,
    )
    .option(
      "--random <param=distribution>",
      "draw values: log(1e-3..1e-1), uniform(0.8..0.99), int(1..8) or choice(a, b); may be repeated",
      collect,
    )
    .option("--trials <n>", "how many draws", parseCount)
    .option("--seed <n>", "what is drawn depends on this number alone (default: 0)", parseSeed)
    .option("--metric <stage.metric>", "the objective: what trials are ranked by")
    .addOption(
      new Option("--mode <mode>", "which way it is better (default: max; of a loss, min)").choices(["max", "min"]),
    )
    .option("-j, --jobs <n>", "how many processors trials may take at once (default: all)", parseCount)
    .option("-n, --dry-run", "show the plan, and run nothing")
    .option("--name <name>", "what to call the run")
    .option("--logs", "show every line that stages write, not only the newest")
    .option("--paranoid", "digest every input again instead of trusting unchanged file times")
    .addOption(
      new Option("--csv", "print the trials as CSV; what happens is told on standard error").conflicts(["json"]),
    )
    .option("--json", "print the trials as one JSON object; what happens is told on standard error")
    .addHelpText(
      "after",
      `
What trials have in common is done once: stages before the first param, and epochs of trainings that agree up to there.
A trial that fails stops no other; then the exit code is 1. A sweep that was stopped goes on when it is called again.
${examples([
  "pipe sweep resnet34 --grid learningRate=0.1,0.01 --grid seed=1,2 --metric evaluate.testAccuracy",
  'pipe sweep resnet34 --random "learningRate=log(1e-3..1e-1)" --trials 12 --seed 7 --metric train.validLoss',
  "pipe sweep resnet34 --grid epochs=10,20 --dry-run",
])}`,
    )
    .action(async (words: string[], options) => {
      const { sweepCommand } = await import("./sweep.ts");
      const { grid = [], random = [], trials, seed, metric, mode, name } = options;
      done(
        await sweepCommand(app, words, {
          ...defaults(options),
          grid,
          random,
          ...(trials === undefined ? {} : { trials }),
          ...(seed === undefined ? {} : { seed }),
          ...(metric === undefined ? {} : { metric }),
          ...(mode === undefined ? {} : { mode }),
          ...(name === undefined ? {} : { name }),
          logs: flag(options.logs),
          paranoid: flag(options.paranoid),
          dryRun: flag(options.dryRun),
          format: options.csv ? "csv" : options.json ? "json" : "text",
        }),
      );
    });

  runningCommand(program, "watch", "run, and run again whenever a file is saved that the pipeline depends on")
    .addHelpText("after", examples(["pipe watch resnet34 --profile quick", "pipe watch resnet34 --until evaluate"]))
    .action(async (words: string[], options) => {
      const { watchCommand } = await import("./watch.ts");
      done(await watchCommand(app, words, { ...runningDefaults(options), force: [], dryRun: false, frozen: false }));
    });

  pipelineCommand(program, "check", "say what is wrong with pipelines, without running anything")
    .usage("[options] [pipeline...]")
    .option("--frozen", "also whether every lock still follows from the files here; needs no data and no engine")
    .option("--attestation <file>", "as --frozen; also whether this signed statement is of the lock, by a trusted key")
    .option(
      "--rebuild <share>",
      "as --frozen; also make so many of the stages again, drawn at random, and compare: 20%",
    )
    .option("--seed <n>", "draw what is rebuilt from this seed (default: another one each time, which is printed)")
    .option("--json", "print one JSON array of diagnostics, with lines and columns")
    .addHelpText(
      "after",
      examples([
        "pipe check                                every pipeline in pipelines/",
        "pipe check resnet34 --profile quick",
        "pipe check pipelines/resnet34.yaml --json",
        "pipe check --frozen                       in CI",
        "pipe check resnet34 --attestation pipelines/resnet34.attestation.json --rebuild 20%",
      ]),
    )
    .action(async (words: string[], options) => {
      const { checkCommand } = await import("./check.ts");
      done(
        await checkCommand(app, words, {
          ...defaults(options),
          frozen: flag(options.frozen),
          ...(options.attestation === undefined ? {} : { attestation: options.attestation }),
          ...(options.rebuild === undefined ? {} : { rebuild: options.rebuild }),
          ...(options.seed === undefined ? {} : { seed: options.seed }),
        }),
      );
    });

  pipelineCommand(program, "lock", "write what the last run made beside the pipeline, to be committed")
    .usage("[options] [pipeline]")
    .addHelpText("after", examples(["pipe lock resnet34", "pipe lock resnet34 --profile quick"]))
    .action(async (words: string[], options) => {
      const { lockCommand } = await import("./lock.ts");
      done(await lockCommand(app, words, defaults(options)));
    });

  program
    .command("attest")
    .argument("[pipeline]", "a pipeline file or its name in pipelines/")
    .description("sign what a pipeline's lock says, where the store has seen it made")
    .option("--key <file>", "an Ed25519 private key, as PEM (default: what TFPIPE_SIGNING_KEY holds)")
    .option("-o, --out <file>", "where (default: <pipeline>.attestation.json beside it)")
    .option("--artifacts <folder>", "where results and the store are (default: artifacts/ at the project's root)")
    .addHelpText("after", examples(["pipe attest resnet34 --key ~/keys/ci.pem"]))
    .action(async (pipeline: string | undefined, options) => {
      const { attestCommand } = await import("./attest.ts");
      const { key, out, artifacts } = options;
      done(
        await attestCommand(app, pipeline === undefined ? [] : [pipeline], {
          ...(key === undefined ? {} : { key }),
          ...(out === undefined ? {} : { out }),
          ...(artifacts === undefined ? {} : { artifacts }),
        }),
      );
    });

  pipelineCommand(program, "plan", "show what a run would do, and why")
    .option("--json", "print one JSON object per stage")
    .addHelpText("after", examples(["pipe plan resnet34 --profile quick", "pipe plan resnet34 --param epochs=100"]))
    .action(async (words: string[], options) => {
      const { planCommand } = await import("./plan.ts");
      done(await planCommand(app, words, defaults(options)));
    });

  pipelineCommand(program, "why", "explain why a stage would run: which param, input, code or package changed")
    .option("--run <run>", "compare with what the stage had in this run: an id or its beginning, a name, last, last~1")
    .option("--against <pipeline>", "compare with the stage of this name in another pipeline")
    .option("--against-profile <name>", "compare with the stage in this profile; may be repeated", collect)
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples([
        "pipe why resnet34 train",
        "pipe why resnet34 train --param learningRate=0.05",
        "pipe why resnet34 train --run baseline",
        "pipe why resnet34 train --against-profile quick",
      ]),
    )
    .action(async (words: string[], options) => {
      const { whyCommand } = await import("./why.ts");
      const { run, against, againstProfile = [] } = options;
      done(
        await whyCommand(app, words, {
          ...defaults(options),
          ...(run === undefined ? {} : { run }),
          ...(against === undefined ? {} : { against }),
          againstProfile,
        }),
      );
    });

  pipelineCommand(program, "status", "show each stage's state beside its last run")
    .option("--json", "print one JSON object")
    .addHelpText("after", examples(["pipe status resnet34 --profile quick"]))
    .action(async (words: string[], options) => {
      const { statusCommand } = await import("./status.ts");
      done(await statusCommand(app, words, defaults(options)));
    });

  pipelineCommand(program, "dag", "draw the graph of stages")
    .addOption(new Option("--format <format>", "how").choices(["text", "mermaid", "svg"]).default("text"))
    .addHelpText("after", examples(["pipe dag resnet34", "pipe dag resnet34 --format svg > resnet34.svg"]))
    .action(async (words: string[], options) => {
      const { dagCommand } = await import("./dag.ts");
      done(await dagCommand(app, words, { ...defaults(options), format: options.format }));
    });

  pipelineCommand(program, "show", "show what a stage produced: artifacts, metrics, params")
    .option(
      "--path [file]",
      "print where files are in the store: all, one output's, or one (`model/model.safetensors`)",
    )
    .option("--run <run>", "what it had produced in this run; without a stage, the run as a whole")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples([
        "pipe show resnet34 train",
        "pipe show resnet34 train --path model/model.safetensors",
        "pipe show resnet34 --run baseline",
        "pipe show resnet34 train --run last~1",
      ]),
    )
    .action(async (words: string[], options) => {
      const { showCommand } = await import("./show.ts");
      const run = options.run === undefined ? {} : { run: options.run as string };
      done(await showCommand(app, words, { ...defaults(options), ...run, path: options.path ?? flag(options.paths) }));
    });

  runsCommandLine(program, "runs", "list the runs that are kept, newest first")
    .usage("[options] [pipeline]")
    .option("-n, --limit <n>", "at most so many", parseCount, 20)
    .option("--json", "print one JSON object per run")
    .addHelpText("after", examples(["pipe runs", "pipe runs resnet34 --profile quick", "pipe runs --json --limit 100"]))
    .action(async (words: string[], options) => {
      const { runsCommand } = await import("./runs.ts");
      done(await runsCommand(app, words, { ...defaults(options), limit: options.limit }));
    });

  runsCommandLine(
    program,
    "diff",
    "show what differs between two runs: params, metrics, artifacts, code, durations ...",
  )
    .usage("[options] [pipeline] <run> <run>")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples(["pipe diff last~1 last", "pipe diff baseline last", "pipe diff resnet34 last~1 last"]),
    )
    .action(async (words: string[], options) => {
      const { diffCommand } = await import("./diff.ts");
      done(await diffCommand(app, words, defaults(options)));
    });

  runsCommandLine(program, "bisect", "find where two runs part: the stage, epoch, minibatch and tensor, and why")
    .usage("[options] [pipeline] <run> <run>")
    .option("--no-replay", "tell what is recorded, and execute nothing again")
    .option("--json", "print one JSON object")
    .addHelpText("after", examples(["pipe bisect last~1 last", "pipe bisect resnet34 baseline last"]))
    .action(async (words: string[], options) => {
      const { bisectCommand } = await import("./bisect.ts");
      done(await bisectCommand(app, words, { ...defaults(options), replay: options.replay }));
    });

  pipelineCommand(program, "verify", "run stages again from what they had, and compare every artifact bit by bit")
    .option("--sample <share>", "only so many of the stages, drawn at random (20%), and of a training one epoch")
    .option("--seed <n>", "draw the sample from this seed (default: another one each time, which is printed)")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples([
        "pipe verify resnet34                      every stage",
        "pipe verify resnet34 split normalize",
        "pipe verify resnet34 --sample 20% --seed 7",
      ]),
    )
    .action(async (words: string[], options) => {
      const { verifyCommand } = await import("./verify.ts");
      const { sample, seed } = options;
      const chosen = { ...(sample === undefined ? {} : { sample }), ...(seed === undefined ? {} : { seed }) };
      done(await verifyCommand(app, words, { ...defaults(options), ...chosen }));
    });

  const metrics = metricsFormats(
    pipelineCommand(program, "metrics", "show the headline metrics of a pipeline's stages"),
  )
    .option("--run <run>", "those of this run instead of each stage's last success")
    .addHelpText(
      "after",
      examples(["pipe metrics resnet34", "pipe metrics resnet34 --csv", "pipe metrics diff last~1 last"]),
    )
    .action(async (words: string[], options) => {
      const { metricsCommand } = await import("./metrics.ts");
      const run = options.run === undefined ? {} : { run: options.run as string };
      done(await metricsCommand(app, words, { ...defaults(options), ...run, format: formatOf(options) }));
    });
  metricsFormats(runsCommandLine(metrics, "diff", "show the metrics of two runs beside each other"))
    .usage("[options] [pipeline] <run> <run>")
    .addHelpText("after", examples(["pipe metrics diff last~1 last", "pipe metrics diff baseline last --md"]))
    .action(async (words: string[], options) => {
      const { metricsDiffCommand } = await import("./metrics.ts");
      const given = { ...metrics.opts(), ...options };
      done(await metricsDiffCommand(app, words, { ...defaults(given), format: formatOf(given) }));
    });

  pipelineCommand(
    program,
    "report",
    "write the report of a run anew; with --md what changed and why, for a pull request",
  )
    .usage("[options] [pipeline...]")
    .option("--md", "print Markdown: what changed and why, metrics and charts before and after")
    .option("--run <run>", "of this run (default: the last one; with --md, what is locked where no run is kept here)")
    .option(
      "--against <what>",
      "compare with a run, a lock file or the locks in a folder (default: the pipeline's lock)",
    )
    .option(
      "-o, --out <folder>",
      "write report.md and the pictures of charts here (default: print it, without pictures)",
    )
    .option("--pictures <url>", "where the pictures will be: what links to them begin with")
    .addHelpText(
      "after",
      examples([
        "pipe report resnet34                      the page that the last run wrote, once more",
        "pipe report resnet34 --md --against baseline",
        "pipe report --md --against ../main        in CI: every pipeline, beside a checkout of the other branch",
        "pipe report resnet34 --md --against last~1 --out report",
      ]),
    )
    .action(async (words: string[], options) => {
      const { reportCommand } = await import("./report.ts");
      const { md, run, against, out, pictures } = options;
      done(
        await reportCommand(app, words, {
          ...defaults(options),
          markdown: flag(md),
          ...(run === undefined ? {} : { run }),
          ...(against === undefined ? {} : { against }),
          ...(out === undefined ? {} : { out }),
          ...(pictures === undefined ? {} : { pictures }),
        }),
      );
    });

  pipelineCommand(program, "export", "write a stage's model for PyTorch or the browser")
    .usage("[options] [pipeline] <stage>[.output]")
    .addOption(new Option("--to <target>", "the format").choices([...EXPORT_TARGETS]).makeOptionMandatory())
    .option("-o, --out <folder>", "where (default: <pipeline>-<stage>-<target> here)")
    .option("-f, --force", "replace files that exist there")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples([
        "pipe export resnet34 train --to safetensors        a state dict with torchvision's names",
        "pipe export resnet34 train.model --to tfjs --out web/model",
      ]),
    )
    .action(async (words: string[], options) => {
      const { exportCommand } = await import("./export.ts");
      done(
        await exportCommand(app, words, {
          ...defaults(options),
          to: options.to,
          ...(options.out === undefined ? {} : { out: options.out }),
          force: flag(options.force),
        }),
      );
    });

  const engine = program
    .command("engine")
    .description("list the engines that compute, with versions and a self-test")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples(["pipe engine", "pipe engine install", "pipe engine install --dir /opt/libtensorflow"]),
    )
    .action(async (options) => {
      const { engineCommand } = await import("./engine.ts");
      done(await engineCommand(app, { json: flag(options.json) }));
    });
  engine
    .command("test")
    .argument("[name...]", "engines to test (default: all that are available)")
    .description("ask engines to compute what is known: the self-test, or every op with --full")
    .option("--full", "every op and gradient, in every geometry, against double precision: some seconds an engine")
    .option("--json", "print one JSON object")
    .addHelpText("after", examples(["pipe engine test", "pipe engine test native --full"]))
    .action(async (names: string[], options) => {
      const { engineTestCommand } = await import("./engine.ts");
      const json = flag(options.json) || flag(engine.opts().json);
      done(await engineTestCommand(app, names, { full: flag(options.full), json }));
    });
  engine
    .command("install")
    .description("put the native TensorFlow engine in place (once per user and version)")
    .option("--gpu", "the CUDA build of TensorFlow (Linux x64 with an NVIDIA GPU)")
    .option(
      "--dir <folder>",
      "a folder that has TensorFlow's C library (2.15 or newer) and headers, instead of the wheel",
    )
    .action(async (options) => {
      const { engineInstallCommand } = await import("./engine.ts");
      done(
        await engineInstallCommand(app, {
          gpu: flag(options.gpu),
          ...(options.dir === undefined ? {} : { dir: options.dir }),
        }),
      );
    });

  program
    .command("schema")
    .argument("[name]", "pipeline, run, key, a stage type, or the path of a stage of your own")
    .description("print a JSON Schema, or list them")
    .addHelpText("after", examples(["pipe schema", "pipe schema train", "pipe schema ./stages/clean.ts"]))
    .action(async (name: string | undefined) => {
      const { schemaCommand } = await import("./schema.ts");
      done(await schemaCommand(app, name));
    });

  program
    .command("init")
    .description("write a commented starter pipeline and a .gitignore line")
    .argument("[folder]", "where", ".")
    .addHelpText("after", examples(["pipe init", "pipe init my-project"]))
    .action(async (folder: string) => {
      const { initCommand } = await import("./init.ts");
      done(initCommand(app, folder));
    });

  program
    .command("gc")
    .description("free what in the store nothing refers to any more, and runs beyond the limits")
    .option("--keep-last <n>", "of each pipeline, keep only the last runs", parseCount)
    .option("--older-than <span>", "let runs go that are older: 12h, 30d, 8w")
    .option("--max-size <size>", "let checkpoints, then the oldest runs go, until the store is no larger: 20GB")
    .option("--pin <run>", "keep this run whatever the limits are, and free nothing now; may be repeated", collect)
    .option("--unpin <run>", "no longer; may be repeated", collect)
    .option("-n, --dry-run", "say what would be freed, and free nothing")
    .option("--json", "print one JSON object")
    .option("--artifacts <folder>", "where results and the store are (default: artifacts/ at the project's root)")
    .addHelpText(
      "after",
      examples([
        "pipe gc --dry-run",
        "pipe gc --keep-last 5 --older-than 30d    older ones go, but never the last five",
        "pipe gc --max-size 20GB",
        "pipe gc --pin baseline",
      ]),
    )
    .action(async (options) => {
      const { gcCommand } = await import("./gc.ts");
      const { olderThan, maxSize, keepLast, pin = [], unpin = [], artifacts } = options;
      done(
        await gcCommand(app, {
          ...(olderThan === undefined ? {} : { olderThan }),
          ...(maxSize === undefined ? {} : { maxSize }),
          ...(keepLast === undefined ? {} : { keepLast }),
          ...(artifacts === undefined ? {} : { artifacts }),
          pin,
          unpin,
          dryRun: flag(options.dryRun),
          json: flag(options.json),
        }),
      );
    });

  program
    .command("doctor")
    .description("examine everything in the store, and repair what can be: its stages run again")
    .option("--json", "print one JSON object")
    .option("--artifacts <folder>", "where results and the store are (default: artifacts/ at the project's root)")
    .addHelpText("after", examples(["pipe doctor", "pipe doctor --json"]))
    .action(async (options) => {
      const { doctorCommand } = await import("./doctor.ts");
      const { artifacts } = options;
      done(await doctorCommand(app, { json: flag(options.json), ...(artifacts === undefined ? {} : { artifacts }) }));
    });

  pipelineCommand(program, "clean", "remove visible results (the store keeps what was computed)")
    .option("--store", "also empty the store: everything will have to run again")
    .option("--json", "print one JSON object")
    .addHelpText("after", examples(["pipe clean resnet34", "pipe clean resnet34 plot", "pipe clean resnet34 --store"]))
    .action(async (words: string[], options) => {
      const { cleanCommand } = await import("./clean.ts");
      done(
        await cleanCommand(app, words, { ...defaults(options), store: flag(options.store), json: flag(options.json) }),
      );
    });
  return program;
}

/** A command that takes `[pipeline] [stage...]` and the options that choose a pipeline's values. */
function pipelineCommand(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .argument("[words...]", "[pipeline] [stage...]: a pipeline file or its name in pipelines/, then stage names")
    .usage("[options] [pipeline] [stage...]")
    .option("-p, --profile <name>", "merge a profile over the file; may be repeated", collect)
    .option("--param <name=value>", "set a param; may be repeated", collect)
    .option("--artifacts <folder>", "where results and the store are (default: artifacts/ at the project's root)");
}

/** A command about runs that are kept. It takes no params: what ran, ran. */
function runsCommandLine(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .argument("[words...]", "[pipeline] [run...]: a run's id or the beginning of it, its name, `last` or `last~1`")
    .option("-p, --profile <name>", "only runs of this profile; may be repeated", collect)
    .option("--artifacts <folder>", "where results and the store are (default: artifacts/ at the project's root)");
}

function metricsFormats(command: Command): Command {
  return command
    .addOption(new Option("--csv", "print CSV").conflicts(["md", "json"]))
    .addOption(new Option("--md", "print a Markdown table").conflicts(["csv", "json"]))
    .option("--json", "print one JSON object");
}

function formatOf({ csv, md, json }: { csv?: true; md?: true; json?: true }): "text" | "json" | "csv" | "md" {
  return csv ? "csv" : md ? "md" : json ? "json" : "text";
}

/** A command that runs stages. */
function runningCommand(program: Command, name: string, description: string): Command {
  return pipelineCommand(program, name, description)
    .option("-j, --jobs <n>", "how many processors stages may take at once (default: all)", parseCount)
    .option("--from <stage>", "only this stage and all that depends on it; may be repeated", collect)
    .option("--until <stage>", "only this stage and all that it needs; may be repeated", collect)
    .option("-k, --keep-going", "after a failure, go on with what does not depend on it")
    .option("--logs", "show every line that stages write, not only the newest")
    .option("--paranoid", "digest every input again instead of trusting unchanged file times")
    .option("--json", "print events, one JSON object a line");
}

interface RunningFlags extends DefaultFlags {
  readonly from?: readonly string[];
  readonly until?: readonly string[];
  readonly keepGoing?: true;
  readonly logs?: true;
  readonly paranoid?: true;
}

function runningDefaults(options: RunningFlags) {
  return {
    ...defaults(options),
    from: options.from ?? [],
    until: options.until ?? [],
    keepGoing: flag(options.keepGoing),
    logs: flag(options.logs),
    paranoid: flag(options.paranoid),
  };
}

interface DefaultFlags {
  readonly profile?: string[];
  readonly param?: string[];
  readonly artifacts?: string;
  readonly jobs?: number;
  readonly json?: true;
}

function defaults(options: DefaultFlags) {
  const { profile = [], param = [], artifacts, jobs, json } = options;
  return {
    profile,
    param,
    ...(artifacts === undefined ? {} : { artifacts }),
    ...(jobs === undefined ? {} : { jobs }),
    json: flag(json),
  };
}

const flag = (value: true | undefined): boolean => value === true;
const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** `--force` alone is `true`; commander hands it over as such. */
const collectForce = (value: string, before: readonly string[] | true = []): readonly string[] =>
  before === true ? [value] : [...before, value];

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError("a whole number from 1 on is needed.");
  return count;
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new InvalidArgumentError("a whole number from 0 on is needed.");
  return seed;
}

function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}
