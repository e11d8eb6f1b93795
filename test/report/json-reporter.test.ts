import { expect, it } from "vitest";
import { createJsonReporter } from "../../src/report/json-reporter.ts";
import { failedRun } from "./recorded-run.ts";

it("writes each event as one line that reads back as the event, and nothing else", () => {
  const parts: string[] = [];
  const reporter = createJsonReporter({ output: { write: (part) => void parts.push(part) } });
  for (const event of failedRun) reporter.onEvent(event);
  reporter.close();
  const text = parts.join("");
  expect(text.endsWith("\n")).toBe(true);
  expect(
    text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual(failedRun);
});
