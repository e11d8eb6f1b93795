import { expect, test } from "vitest";
import { waitFor } from "../../src/platform/wait-for.ts";

test("a pause ends when it is cut short, and none begins after that", async () => {
  const abort = new AbortController();
  const pause = waitFor(1e12, abort.signal);
  abort.abort();
  await pause;
  await waitFor(1e12, abort.signal);
});

test("a pause ends by itself", async () => {
  expect(await waitFor(1)).toBeUndefined();
});
