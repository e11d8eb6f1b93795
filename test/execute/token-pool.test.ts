import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createTokenPool, type Resources } from "../../src/execute/token-pool.ts";

/** Lets everything that can go on go on. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

const cpus = (count: number): Resources => ({ cpus: count, memoryBytes: 0, gpus: 0 });

/** A pool whose requests have names, so that what runs can be read as a list. */
function namedPool(capacity: Resources) {
  const pool = createTokenPool(capacity);
  const running: string[] = [];
  const releases = new Map<string, () => void>();
  return {
    running,
    ask(name: string, wanted: Resources, priority = 0): void {
      void pool.acquire(wanted, priority).then((release) => {
        running.push(name);
        releases.set(name, release);
      });
    },
    async end(name: string): Promise<void> {
      running.splice(running.indexOf(name), 1);
      releases.get(name)!();
      await settle();
    },
  };
}

describe("the token pool", () => {
  test("lets no more run than there are tokens, the most urgent first", async () => {
    const { running, ask, end } = namedPool(cpus(2));
    ask("a", cpus(1));
    ask("b", cpus(1));
    ask("late", cpus(1), 1);
    ask("urgent", cpus(1), 9);
    await settle();
    expect(running).toEqual(["a", "b"]);
    await end("a");
    expect(running).toEqual(["b", "urgent"]);
    await end("urgent");
    await end("b");
    expect(running).toEqual(["late"]);
  });

  test("does not let small ones pass a large one for ever", async () => {
    const { running, ask, end } = namedPool(cpus(2));
    ask("first", cpus(1));
    ask("large", cpus(2), 1);
    ask("small", cpus(1));
    await settle();
    expect(running).toEqual(["first"]);
    await end("first");
    expect(running).toEqual(["large"]);
    await end("large");
    expect(running).toEqual(["small"]);
  });

  test("puts to use what the one that waits would not need", async () => {
    const { running, ask, end } = namedPool({ cpus: 4, memoryBytes: 100, gpus: 1 });
    ask("trains", { cpus: 1, memoryBytes: 50, gpus: 1 });
    ask("waits for the GPU", { cpus: 2, memoryBytes: 10, gpus: 1 }, 5);
    ask("one cpu", { cpus: 1, memoryBytes: 0, gpus: 0 });
    ask("a cpu that is kept", { cpus: 1, memoryBytes: 0, gpus: 0 });
    ask("some memory", { cpus: 0, memoryBytes: 40, gpus: 0 });
    ask("memory that is kept", { cpus: 0, memoryBytes: 5, gpus: 0 });
    await settle();
    expect(running).toEqual(["trains", "one cpu", "some memory"]);
    await end("trains");
    expect(running).toEqual([
      "one cpu",
      "some memory",
      "waits for the GPU",
      "a cpu that is kept",
      "memory that is kept",
    ]);
  });

  test("gives all there are to who asks for more, and takes a release only once", async () => {
    const pool = createTokenPool(cpus(1));
    const release = await pool.acquire(cpus(8), 0);
    release();
    release();
    const again = await pool.acquire(cpus(1), 0);
    let third = false;
    void pool.acquire(cpus(1), 0).then(() => {
      third = true;
    });
    await settle();
    expect(third).toBe(false);
    again();
  });

  test("lets parts of a processor add up to a whole one", async () => {
    const { running, ask } = namedPool(cpus(1));
    for (let i = 0; i < 10; i++) ask(String(i), cpus(0.1));
    await settle();
    expect(running).toHaveLength(10);
  });
});

describe("whatever is asked for and given back, in whatever order", () => {
  const capacity: Resources = { cpus: 4, memoryBytes: 8, gpus: 2 };
  const resources = Object.keys(capacity) as (keyof Resources)[];
  const request = fc.record({
    tokens: fc.record({ cpus: fc.nat(6), memoryBytes: fc.nat(10), gpus: fc.nat(3) }),
    priority: fc.nat(3),
  });
  /** A request, or the end of the n-th of those that run. */
  const moves = fc.array(fc.oneof(request, fc.nat(9)), { maxLength: 60 });

  interface Asked {
    readonly tokens: Resources;
    readonly priority: number;
    readonly askedAt: number;
    startedAt?: number;
    ended?: true;
    release?: () => void;
  }
  const isRunning = (one: Asked) => one.startedAt !== undefined && !one.ended;
  const isWaiting = (one: Asked) => one.startedAt === undefined;
  const sum = (all: readonly Asked[], name: keyof Resources) =>
    all.reduce((total, { tokens }) => total + tokens[name], 0);
  const isBehind = (one: Asked, other: Asked) =>
    one.priority < other.priority || (one.priority === other.priority && one.askedAt > other.askedAt);

  test("no more is held than there is, nobody is delayed by who stands behind it, and all are served", async () => {
    await fc.assert(
      fc.asyncProperty(moves, async (given) => {
        const pool = createTokenPool(capacity);
        const all: Asked[] = [];
        let now = 0;
        const check = (): void => {
          const running = all.filter(isRunning);
          const waiting = all.filter(isWaiting);
          for (const name of resources) expect(sum(running, name)).toBeLessThanOrEqual(capacity[name]);
          for (const one of waiting) {
            // What overtook it leaves it all that it wants.
            const overtook = running.filter((other) => isBehind(other, one) && other.startedAt! > one.askedAt);
            for (const name of resources.filter((each) => one.tokens[each] > 0))
              expect(sum(overtook, name) + one.tokens[name]).toBeLessThanOrEqual(capacity[name]);
          }
          const first = waiting.find((one) => waiting.every((other) => other === one || isBehind(other, one)));
          // Nothing is left lying: the first one waits only for what is held.
          if (first !== undefined)
            expect(
              resources.some(
                (name) => first.tokens[name] > 0 && first.tokens[name] > capacity[name] - sum(running, name),
              ),
            ).toBe(true);
        };
        const end = async (one: Asked): Promise<void> => {
          one.ended = true;
          one.release!();
          await settle();
          check();
        };
        for (const move of given) {
          now++;
          if (typeof move === "number") {
            const running = all.filter(isRunning);
            if (running.length > 0) await end(running[move % running.length]!);
            continue;
          }
          // As the pool sees it: more than there is means all of it.
          const tokens = Object.fromEntries(
            resources.map((name) => [name, Math.min(move.tokens[name], capacity[name])]),
          ) as unknown as Resources;
          const asked: Asked = { tokens, priority: move.priority, askedAt: now };
          all.push(asked);
          void pool.acquire(move.tokens, move.priority).then((release) => {
            asked.startedAt = now + 0.5;
            asked.release = release;
          });
          await settle();
          check();
        }
        for (let one = all.find(isRunning); one !== undefined; one = all.find(isRunning)) await end(one);
        expect(all.filter(isWaiting)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});
