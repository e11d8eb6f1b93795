/**
 * The process edge and composition root: argv, signals, streams, exit code; and the one place that connects the rooms to
 * the real file system, clock, machine, stage types and engines.
 */
import { randomBytes } from "node:crypto";
import { setMaxListeners } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { registry } from "../stages/registry.ts";
import { type App, type ExitCode, type Interrupts, UsageError } from "./cli/app.ts";
import { runProgram } from "./cli/program.ts";
import { createContentComparer } from "./compose-comparison.ts";
import { createEngineTools } from "./compose-engines.ts";
import { createModelExporter } from "./compose-export.ts";
import { createWorkspace } from "./compose-workspace.ts";
import { describeRefusal } from "./execute/describe-refusal.ts";
import { createDigestThreads } from "./platform/digest-threads.ts";
import { nodeFileSystem } from "./platform/file-system.ts";
import { describeMachine } from "./platform/machine.ts";
import { processIdentity } from "./platform/process-tree.ts";
import type { ReporterOutput } from "./report/reporter.ts";
import { version } from "./version.ts";

const EXIT_REFUSED = 1;
const EXIT_BUG = 3;

async function main(): Promise<ExitCode> {
  const dist = dirname(fileURLToPath(import.meta.url));
  const packageFolder = join(dist, "..");
  const machine = describeMachine();
  const nowMs = () => performance.now();
  // Host and process are in the name, so that what a killed process left can be told from what a live one is writing.
  const host = hostname().replaceAll(/[^\w.]/g, "_");
  const unique = () => `${host}-${process.pid}-${randomBytes(6).toString("hex")}`;
  const isAbandoned = (name: string) => {
    const [, pid] = name.startsWith(`${host}-`) ? (/^-(\d+)-/.exec(name.slice(host.length)) ?? []) : [];
    return pid !== undefined && processIdentity(Number(pid)) === undefined;
  };
  const engines = createEngineTools({ dist });
  const files = {
    ...nodeFileSystem,
    ...createDigestThreads({ worker: join(dist, "digest-worker.js"), threads: machine.cores }),
  };
  const app: App = {
    cwd: process.cwd(),
    environment: process.env,
    out: outputTo(process.stdout),
    err: outputTo(process.stderr),
    version,
    build: buildStamp(fileURLToPath(import.meta.url)),
    unique,
    files,
    catalogue: registry,
    engines,
    exporter: createModelExporter(),
    comparer: createContentComparer(),
    schedule(callback, delayMs) {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
    nowMs,
    processors: machine.cores,
    worker: join(dist, "worker.js"),
    packageFolder,
    newRunId: () => `${new Date().toISOString().replace(/[-:]|\.\d+Z/g, "")}-${randomBytes(3).toString("hex")}`,
    interrupts: createInterrupts(),
    async loadUserStages(artifactsFolder, modules) {
      const { loadUserStages } = await import("./identity/user-stages.ts");
      const folder = join(artifactsFolder, ".store", "code");
      const nowNs = () => BigInt(Date.now()) * 1_000_000n;
      const elsewhere = () => {
        const refuge = mkdtempSync(join(tmpdir(), "tfpipe-code-"));
        process.once("exit", () => rmSync(refuge, { recursive: true, force: true }));
        return refuge;
      };
      return loadUserStages({ files: nodeFileSystem, folder, elsewhere, packageFolder, unique, nowNs }, modules);
    },
    openWorkspace: (artifactsFolder, { paranoid, userStages, needsCode = true }) =>
      createWorkspace({
        files,
        artifactsFolder,
        paranoid,
        needsCode,
        codeFolder: join(dist, "code"),
        // A source checkout has the stages' sources beside the build; an installed package has not.
        sources: existsSync(join(packageFolder, "stages", "registry.ts")) ? packageFolder : undefined,
        catalogue: registry,
        ...(userStages === undefined ? {} : { userStages }),
        engines,
        machine,
        version,
        unique,
        isAbandoned,
        nowMs,
        pid: process.pid,
        host: hostname(),
        searchPath: process.env.PATH ?? "",
      }),
  };
  return runProgram(app, process.argv.slice(2));
}

/** Each build writes this file anew. */
function buildStamp(program: string): string {
  const stat = nodeFileSystem.stat(program);
  return [version, stat?.sizeBytes, stat?.mtimeNs, stat?.inode].join(" ");
}

function outputTo(stream: NodeJS.WriteStream): ReporterOutput {
  const isTerminal = stream.isTTY === true && process.env.TERM !== "dumb";
  return {
    write: (text) => void stream.write(text),
    columns: () => stream.columns ?? 100,
    rows: () => stream.rows ?? 24,
    isTerminal,
    color: isTerminal && process.env.NO_COLOR === undefined,
  };
}

function createInterrupts(): Interrupts {
  const stop = new AbortController();
  const kill = new AbortController();
  // Every stage that runs or waits listens.
  setMaxListeners(0, stop.signal, kill.signal);
  return {
    stop: stop.signal,
    kill: kill.signal,
    listen() {
      const onSignal = () => {
        if (!stop.signal.aborted) {
          stop.abort();
          return;
        }
        kill.abort();
        // Listeners of `kill` have ended every stage's process by now.
        process.exit(130);
      };
      process.on("SIGINT", onSignal);
      process.on("SIGTERM", onSignal);
      process.on("SIGHUP", onSignal);
    },
  };
}

// A pipe closed by its reader (`pipe plan | head`) is an end, not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.on("uncaughtException", (error) => {
  reportError(error);
  process.exit();
});

try {
  process.exitCode = await main();
} catch (error) {
  reportError(error);
}

function reportError(error: unknown): void {
  if (error instanceof UsageError) {
    process.stderr.write(`error: ${error.message}\n${error.help === undefined ? "" : `  help: ${error.help}\n`}`);
    process.exitCode = 2;
  } else if (describeRefusal(error) !== undefined) {
    const { message, help } = describeRefusal(error)!;
    process.stderr.write(`error: ${message}\n  help: ${help}\n`);
    process.exitCode = EXIT_REFUSED;
  } else {
    process.stderr.write(
      `this is a bug in tfpipe (${version}), please report it:\n${error instanceof Error ? error.stack : String(error)}\n`,
    );
    process.exitCode = EXIT_BUG;
  }
}
