/** What a process writes, line by line as it comes, and the last of it kept for a failure. */
import type { ChildProcess } from "node:child_process";

const KEPT_LINES = 40;

/** The list holds the last lines of both streams, in the order of their arrival, and goes on filling. */
export function catchOutput(
  child: Pick<ChildProcess, "stdout" | "stderr">,
  onLine: (stream: "stdout" | "stderr", line: string) => void,
): readonly string[] {
  const last: string[] = [];
  for (const stream of ["stdout", "stderr"] as const) {
    let rest = "";
    const take = (line: string): void => {
      last.push(line);
      if (last.length > KEPT_LINES) last.shift();
      onLine(stream, line);
    };
    child[stream]?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split(/\r?\n/);
      rest = lines.pop()!;
      for (const line of lines) take(line);
    });
    child[stream]?.on("end", () => rest !== "" && take(rest));
  }
  return last;
}
