/**
 * A user's project in a temporary folder, and the real program run in it. Its images are drawn, not found: each class is
 * a colour with seeded noise, so that a tiny network can learn it in seconds on any engine.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import type { RunEvent } from "../../src/events.ts";
import type { RunRecord, StageRecord } from "../../src/record.ts";
import { createRng } from "../../src/rng.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

export interface RunResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Of `--json`. */
  readonly events: readonly RunEvent[];
  readonly record: RunRecord | undefined;
  /** Outcome by stage. */
  readonly outcomes: Readonly<Record<string, string>>;
  stage(name: string): StageRecord;
}

export interface RunningProgram {
  readonly child: ChildProcess;
  readonly result: Promise<RunResult>;
  /** Resolves when an event that fits has been printed. Rejects if the program ends first. */
  event(fits: (event: RunEvent) => boolean): Promise<RunEvent>;
}

export class Project {
  readonly folder: string;
  readonly #temporary: string;
  readonly #program: string;

  /** `program` is the built program to run; left out: this checkout's. `name` is the project folder's. */
  constructor(program: string = join(root, "dist", "pipe.js"), name = "") {
    this.#temporary = mkdtempSync(join(tmpdir(), "project-"));
    this.folder = join(this.#temporary, name);
    this.#program = program;
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(join(this.folder, "package.json"), "{}\n");
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  write(path: string, text: string | Uint8Array): void {
    mkdirSync(dirname(this.path(path)), { recursive: true });
    writeFileSync(this.path(path), text);
  }

  edit(path: string, from: string | RegExp, to: string): void {
    const before = readFileSync(this.path(path), "utf8");
    const after = before.replace(from, to);
    if (after === before) throw new Error(`nothing to replace in ${path}`);
    writeFileSync(this.path(path), after);
  }

  read(path: string): string {
    return readFileSync(this.path(path), "utf8");
  }

  /** `cwd` is a folder of the project. */
  start(args: readonly string[], environment: Readonly<Record<string, string>> = {}, cwd = ""): RunningProgram {
    const child = spawn(process.execPath, [this.#program, ...args], {
      cwd: this.path(cwd),
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    const events: RunEvent[] = [];
    const waiting: {
      fits: (event: RunEvent) => boolean;
      resolve: (event: RunEvent) => void;
      reject: (error: Error) => void;
    }[] = [];
    let rest = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        if (!line.startsWith('{"')) continue;
        let event: RunEvent;
        try {
          event = JSON.parse(line) as RunEvent;
        } catch {
          continue;
        }
        events.push(event);
        for (const entry of waiting.filter(({ fits }) => fits(event))) {
          waiting.splice(waiting.indexOf(entry), 1);
          entry.resolve(event);
        }
      }
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const result = new Promise<RunResult>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => {
        for (const { reject: refuse } of waiting) refuse(new Error(`the program ended first:\n${stdout}\n${stderr}`));
        const finished = events.findLast((event) => event.type === "run-finished");
        const record = finished?.type === "run-finished" ? finished.record : undefined;
        resolve({
          code,
          signal,
          stdout,
          stderr,
          events,
          record,
          outcomes: Object.fromEntries((record?.stages ?? []).map((stage) => [stage.stage, stage.outcome])),
          stage(name) {
            const found = record?.stages.find((stage) => stage.stage === name);
            if (found === undefined) throw new Error(`no record of stage ${name}:\n${stdout}\n${stderr}`);
            return found;
          },
        });
      });
    });
    return {
      child,
      result,
      event: (fits) =>
        new Promise((resolve, reject) => {
          const seen = events.find(fits);
          if (seen !== undefined) resolve(seen);
          else waiting.push({ fits, resolve, reject });
        }),
    };
  }

  run(args: readonly string[], environment?: Readonly<Record<string, string>>, cwd?: string): Promise<RunResult> {
    return this.start(args, environment, cwd).result;
  }

  remove(): void {
    rmSync(this.#temporary, { recursive: true, force: true });
  }
}

const CLASSES = { amber: [220, 160, 30], green: [40, 180, 70], violet: [130, 60, 200] } as const;

/** `data/train|test/<class>/NN.png`, square images of noisy colour. */
export async function writeImages(
  project: Project,
  { train, test, size }: { train: number; test: number; size: number },
): Promise<void> {
  const rng = createRng(7, "images");
  for (const [split, count] of [
    ["train", train],
    ["test", test],
  ] as const)
    for (const [name, color] of Object.entries(CLASSES))
      for (let i = 0; i < count; i++) {
        const pixels = Uint8Array.from({ length: size * size * 3 }, (_, at) =>
          Math.max(0, Math.min(255, color[at % 3]! + Math.round(40 * rng.normal()))),
        );
        const png = await sharp(pixels, { raw: { width: size, height: size, channels: 3 } })
          .png()
          .toBuffer();
        project.write(`data/${split}/${name}/${String(i).padStart(3, "0")}.png`, png);
      }
}
