/**
 * `pipe engine`: which engines there are and whether they compute rightly; `pipe engine test` says how rightly, op by op;
 * `pipe engine install` puts the native one in place.
 */
import { formatDuration } from "../report/format-duration.ts";
import { renderContract } from "../report/render-contract.ts";
import { renderEngines } from "../report/render-engines.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { EngineInstallRefused, type EngineListing, type EngineTest } from "./engine-tools.ts";
import { createProgressLine } from "./progress-line.ts";

export interface EngineListOptions {
  readonly json: boolean;
}

export async function engineCommand(app: App, options: EngineListOptions): Promise<ExitCode> {
  const listings = await app.engines.list({ selfTest: true });
  if (options.json) app.out.write(`${JSON.stringify(listings)}\n`);
  else app.out.write(`${renderListings(app, listings)}\n`);
  return listings.some(({ selfTest }) => selfTest?.ok === false) ? 1 : 0;
}

export interface EngineTestCommandOptions {
  readonly full: boolean;
  readonly json: boolean;
}

/** 4 where a check does not hold; a usage error where an engine is asked for that is not here. */
export async function engineTestCommand(
  app: App,
  names: readonly string[],
  { full, json }: EngineTestCommandOptions,
): Promise<ExitCode> {
  app.interrupts.listen();
  const known = (await app.engines.list({ selfTest: false })).map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new UsageError(`there is no engine "${unknown}"`, `engines: ${known.join(", ")}`);
  const line = createProgressLine(app.err, app.nowMs);
  try {
    const tests = await app.engines.test({ names, full, onProgress: line.show, signal: app.interrupts.stop });
    line.end();
    const absent = tests.find(({ name, available }) => !available && names.includes(name));
    if (absent !== undefined)
      throw new UsageError(`the ${absent.name} engine is not available: ${absent.problem}`, absent.help);
    if (json) app.out.write(`${JSON.stringify(tests)}\n`);
    else {
      app.out.write(`${renderListings(app, tests)}\n`);
      const style = { color: app.out.color, columns: app.out.columns() };
      for (const { name, version, contracts = [] } of tests)
        for (const contract of contracts) {
          const settings = `${contract.precision}, convolution ${contract.convolution}`;
          const title = `${name} (${version}), ${settings}, ${formatDuration(contract.ms)}`;
          app.out.write(`\n${renderContract(title, contract, style)}\n`);
        }
    }
    const failed = ({ selfTest, contracts = [] }: EngineTest) =>
      selfTest?.ok === false || contracts.some(({ ok }) => !ok);
    return tests.some(failed) ? 4 : 0;
  } catch (error) {
    line.end();
    if (app.interrupts.stop.aborted) return 130;
    throw error;
  }
}

export interface EngineInstallCommandOptions {
  readonly gpu: boolean;
  readonly dir?: string;
}

export async function engineInstallCommand(app: App, options: EngineInstallCommandOptions): Promise<ExitCode> {
  app.interrupts.listen();
  const line = createProgressLine(app.err, app.nowMs);
  try {
    const listing = await app.engines.install({
      gpu: options.gpu,
      ...(options.dir === undefined ? {} : { libraryFolder: options.dir }),
      onProgress: line.show,
      signal: app.interrupts.stop,
    });
    line.end();
    app.out.write(`${renderListings(app, [listing])}\n`);
    return 0;
  } catch (error) {
    line.end();
    if (app.interrupts.stop.aborted) return 130;
    if (!(error instanceof EngineInstallRefused)) throw error;
    app.err.write(`error: ${error.message}\n  help: ${error.help}\n`);
    return 1;
  }
}

function renderListings(app: App, listings: readonly EngineListing[]): string {
  const rows = listings.map(({ selfTest, ...listing }) => ({
    ...listing,
    ...(selfTest === undefined
      ? {}
      : { selfTest: selfTest.ok ? `passed in ${formatDuration(selfTest.ms ?? 0)}` : `failed: ${selfTest.problem}` }),
  }));
  return renderEngines(rows, { color: app.out.color, columns: app.out.columns() });
}
