/** One event a line, as it is, for programs: nothing is added, merged or left out. */
import type { Reporter, ReporterOutput } from "./reporter.ts";

export function createJsonReporter({ output }: { readonly output: Pick<ReporterOutput, "write"> }): Reporter {
  return {
    onEvent: (event) => output.write(`${JSON.stringify(event)}\n`),
    close: () => {},
  };
}
