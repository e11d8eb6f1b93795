/** A failed attempt in one line: `attempt 1 of 3 failed: its process crashed (SIGSEGV); again in 2 s`. */
import type { StageRetrying } from "../events.ts";
import { formatDuration } from "./format-duration.ts";

export function retryText({ attempt, attempts, failure, pauseMs }: StageRetrying): string {
  const what = failure.message.split("\n")[0] ?? "";
  return `attempt ${attempt} of ${attempts} failed: ${what}; again in ${formatDuration(pauseMs)}`;
}
