/** The watching loop, with a world the test moves by hand: no file, no clock. */
import { describe, expect, test } from "vitest";
import type { ExitCode } from "../../src/cli/app.ts";
import { watchLoop } from "../../src/cli/watch-loop.ts";

/** Lets everything that can go on go on. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

function startLoop(paths: (round: number) => readonly string[] = () => ["x.yaml"]) {
  const stop = new AbortController();
  const log: string[] = [];
  const watches: { paths: readonly string[]; onChange: (path: string) => void; isOpen: boolean }[] = [];
  let rounds = 0;
  let endRun: (code: ExitCode) => void = () => {};
  let endWait = () => {};
  const ended = watchLoop({
    async open() {
      const round = ++rounds;
      log.push(`open ${round}`);
      return {
        watched: paths(round),
        run: () => {
          log.push(`run ${round}`);
          return new Promise((resolve) => {
            endRun = resolve;
          });
        },
      };
    },
    watch(watched, onChange) {
      const one = { paths: watched, onChange, isOpen: true };
      watches.push(one);
      return () => {
        one.isOpen = false;
      };
    },
    wait: (_ms, signal) =>
      new Promise((resolve) => {
        endWait = resolve;
        signal.addEventListener("abort", () => resolve());
      }),
    stop: stop.signal,
    onIdle: () => log.push("idle"),
    onChanged: (changed) => log.push(`changed ${changed.join(" ")}`),
  });
  return {
    log,
    ended,
    watches,
    stop: () => stop.abort(),
    async endRun(code: ExitCode = 0) {
      endRun(code);
      await settle();
    },
    async save(path: string) {
      const open = watches.filter(({ isOpen }) => isOpen);
      expect(open).toHaveLength(1);
      open[0]!.onChange(path);
      await settle();
    },
    /** So long nothing was saved. */
    async quiet() {
      endWait();
      await settle();
    },
  };
}

describe("the watching loop", () => {
  test("runs, waits for a save and for quiet after it, and runs again", async () => {
    const loop = startLoop();
    await settle();
    await loop.endRun();
    expect(loop.log).toEqual(["open 1", "run 1", "idle"]);
    await loop.save("a");
    await loop.quiet();
    expect(loop.log.slice(3)).toEqual(["changed a", "open 2", "run 2"]);
    loop.stop();
    await loop.endRun(130);
    expect(await loop.ended).toBe(130);
  });

  test("takes what is saved in quick succession as one", async () => {
    const loop = startLoop();
    await settle();
    await loop.endRun();
    await loop.save("a");
    await loop.save("b");
    await loop.quiet();
    await loop.save("a");
    await loop.quiet();
    expect(loop.log).not.toContain("run 2");
    await loop.quiet();
    expect(loop.log.slice(3)).toEqual(["changed a b", "open 2", "run 2"]);
    loop.stop();
    await loop.endRun(130);
    await loop.ended;
  });

  test("loses nothing that is saved while it runs", async () => {
    const loop = startLoop();
    await settle();
    await loop.save("a");
    await loop.endRun(1);
    expect(loop.log).toEqual(["open 1", "run 1"]);
    await loop.quiet();
    expect(loop.log.slice(2)).toEqual(["changed a", "open 2", "run 2"]);
    loop.stop();
    await loop.endRun(130);
    await loop.ended;
  });

  test("watches what the pipeline names by now, one watch at a time", async () => {
    const loop = startLoop((round) => (round === 1 ? ["x.yaml"] : ["x.yaml", "data"]));
    await settle();
    await loop.endRun();
    await loop.save("x.yaml");
    await loop.quiet();
    expect(loop.watches.map(({ paths, isOpen }) => ({ paths, isOpen }))).toEqual([
      { paths: ["x.yaml"], isOpen: false },
      { paths: ["x.yaml", "data"], isOpen: true },
    ]);
    loop.stop();
    await loop.endRun(130);
    await loop.ended;
    expect(loop.watches.some(({ isOpen }) => isOpen)).toBe(false);
  });

  test.each([
    ["while it waits for a save", async () => {}],
    ["while it waits for quiet", (loop: ReturnType<typeof startLoop>) => loop.save("a")],
  ])("ends well when it is stopped %s", async (_when, before) => {
    const loop = startLoop();
    await settle();
    await loop.endRun();
    await before(loop);
    loop.stop();
    expect(await loop.ended).toBe(0);
    expect(loop.watches.some(({ isOpen }) => isOpen)).toBe(false);
  });
});
