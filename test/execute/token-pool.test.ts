import { describe, expect, test } from "vitest";
import { createTokenPool } from "../../src/execute/token-pool.ts";

/** Lets everything that can go on go on. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("the token pool", () => {
  test("lets no more run than there are tokens, the most urgent first", async () => {
    const pool = createTokenPool(2);
    const started: string[] = [];
    const releases = new Map<string, () => void>();
    const start = (name: string, tokens: number, priority: number) =>
      void pool.acquire(tokens, priority).then((release) => {
        started.push(name);
        releases.set(name, release);
      });
    start("a", 1, 0);
    start("b", 1, 0);
    start("late", 1, 1);
    start("urgent", 1, 9);
    await settle();
    expect(started).toEqual(["a", "b"]);
    releases.get("a")!();
    await settle();
    expect(started).toEqual(["a", "b", "urgent"]);
    releases.get("urgent")!();
    releases.get("b")!();
    await settle();
    expect(started).toEqual(["a", "b", "urgent", "late"]);
  });

  test("does not let small ones pass a large one for ever", async () => {
    const pool = createTokenPool(2);
    const release = await pool.acquire(1, 0);
    const order: string[] = [];
    void pool.acquire(2, 1).then((done) => {
      order.push("large");
      done();
    });
    void pool.acquire(1, 0).then((done) => {
      order.push("small");
      done();
    });
    await settle();
    expect(order).toEqual([]);
    release();
    await settle();
    expect(order).toEqual(["large", "small"]);
  });

  test("gives all there are to who asks for more, and takes a release only once", async () => {
    const pool = createTokenPool(1);
    const release = await pool.acquire(8, 0);
    release();
    release();
    const again = await pool.acquire(1, 0);
    let third = false;
    void pool.acquire(1, 0).then(() => {
      third = true;
    });
    await settle();
    expect(third).toBe(false);
    again();
  });
});
