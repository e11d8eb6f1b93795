import { expect, test } from "vitest";
import { inLanes } from "../../src/identity/in-lanes.ts";

/** Work that ends when it is told to, in whatever order. */
function puppets() {
  const going = new Map<string, { resolve: (value: string) => void; reject: (error: Error) => void }>();
  const work = (name: string) => new Promise<string>((resolve, reject) => going.set(name, { resolve, reject }));
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { going, work, turn };
}

test("at most so many are worked on at once, and results are in the items' order", async () => {
  const { going, work, turn } = puppets();
  const result = inLanes(["a", "b", "c"], 2, work);
  await turn();
  expect([...going.keys()]).toEqual(["a", "b"]);
  going.get("b")!.resolve("B");
  await turn();
  expect([...going.keys()]).toEqual(["a", "b", "c"]);
  going.get("c")!.resolve("C");
  going.get("a")!.resolve("A");
  expect(await result).toEqual(["A", "B", "C"]);
});

test("after a failure nothing new begins, and what had begun has ended when it is thrown", async () => {
  const { going, work, turn } = puppets();
  let isSettled = false;
  const result = inLanes(["a", "b", "c"], 2, work).finally(() => {
    isSettled = true;
  });
  await turn();
  going.get("a")!.reject(new Error("refused"));
  await turn();
  expect(isSettled).toBe(false);
  going.get("b")!.resolve("B");
  await expect(result).rejects.toThrow("refused");
  expect([...going.keys()]).toEqual(["a", "b"]);
});

test("of nothing comes nothing", async () => {
  expect(await inLanes([], 4, async () => 1)).toEqual([]);
});
