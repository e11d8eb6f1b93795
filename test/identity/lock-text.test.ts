/** The text of locks, against the YAML parser and random locks. */
import { readFileSync } from "node:fs";
import {
  assert,
  constant,
  dictionary,
  double,
  integer,
  oneof,
  property,
  record,
  string,
  stringMatching,
} from "fast-check";
import { describe, expect, test } from "vitest";
import type { Lock, LockedStage } from "../../src/identity/lock.ts";
import { readLock, renderLock } from "../../src/identity/lock-text.ts";
import { parseLock } from "../../src/identity/parse-lock.ts";
import { canonicalJson, type JsonObject } from "../../src/json.ts";

const schema = JSON.parse(
  readFileSync(new URL("../../schemas/lock.schema.json", import.meta.url), "utf8"),
) as JsonObject;

const digest = stringMatching(/^[0-9a-f]{64}$/);
/** Words that YAML would take for something else, among others. */
const word = oneof(
  string(),
  stringMatching(/^[A-Za-z0-9_./@=,+-]{1,12}$/),
  ...["true", "null", "1e3", "0x1f", ".5", "-", "---", "#", "a: b", "~", "12", " x ", "", '"', "é", "\u2028"].map(
    (text) => constant(text),
  ),
).filter((text) => !(text in Object.prototype) && text !== "<<");
const words = dictionary(word, word, { maxKeys: 4 });
const digests = dictionary(word, digest, { maxKeys: 3 });
const number = double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0));

const stage = record({
  fingerprint: digest,
  outputs: dictionary(word, record({ kind: word, digest, sizeBytes: integer({ min: 0 }) }), { maxKeys: 3 }),
  metrics: dictionary(word, oneof(number, constant(2 ** 70), constant(1e21)), { maxKeys: 3 }),
  machine: word,
  inputs: dictionary(word, record({ from: word, digest }), { maxKeys: 3 }),
  uses: word,
  code: digest,
  modules: digests,
  packages: oneof(words, digest),
  params: dictionary(
    word,
    oneof(word.map(canonicalJson), integer().map(canonicalJson), constant("[1,[2]]"), constant("{}")),
    {
      maxKeys: 4,
    },
  ),
  command: words.map((command) => ({ ...command, shell: '["bash","-c"]' })),
  env: digests,
  tools: digests,
  numerics: words,
}).map((one): LockedStage => {
  const { fingerprint, outputs, metrics, machine, inputs, ...key } = one;
  const each = <T>(part: (input: { from: string; digest: string }) => T) =>
    Object.fromEntries(Object.entries(inputs).map(([port, input]) => [port, part(input)]));
  return {
    fingerprint,
    outputs,
    metrics,
    machine,
    sources: each(({ from }) => from),
    key: { ...key, inputs: each((input) => input.digest), outputs: Object.keys(outputs).sort() },
  };
});
const lock = record({
  pipeline: word,
  quick: dictionary(word, stage, { maxKeys: 3 }),
  plain: dictionary(word, stage, { maxKeys: 3 }),
}).map(
  ({ pipeline, quick, plain }): Lock => ({
    pipeline,
    results: [
      { profiles: [], stages: plain },
      { profiles: ["quick"], stages: quick },
    ],
  }),
);

/** Without what an order of keys can tell. */
const plain = (one: Lock) => canonicalJson(JSON.parse(JSON.stringify(one)) as JsonObject);

describe("the text of a lock", () => {
  test("is read as what was written, by itself and by the YAML parser", () => {
    assert(
      property(lock, (one) => {
        const text = renderLock(one);
        const read = readLock(text);
        expect(read && plain(read)).toBe(plain(one));
        const problems: unknown[] = [];
        const parsed = parseLock({ file: "x.lock.yaml", text }, schema, (problem) => problems.push(problem));
        expect(problems).toEqual([]);
        expect(parsed && plain(parsed)).toBe(plain(one));
      }),
      { numRuns: 300 },
    );
  });

  test("is not read where a number is beyond what a number can be, alone or within a param", () => {
    const digest = "a".repeat(64);
    const outputs = { out: { kind: "file", digest, sizeBytes: 1 } };
    const key = { uses: "train", code: digest, modules: {}, packages: {}, params: { sizes: "[1,[2]]" }, numerics: {} };
    const rest = { env: {}, tools: {}, command: {}, inputs: {}, outputs: ["out"] };
    const locked = { fingerprint: digest, outputs, metrics: { loss: 0.5 }, machine: "m", sources: {} };
    const stages = { train: { ...locked, key: { ...key, ...rest } } };
    const text = renderLock({ pipeline: "one", results: [{ profiles: [], stages }] });
    expect(readLock(text)).toBeDefined();
    for (const [from, to] of [
      ["loss: 0.5", "loss: 5e999"],
      ["[1,[2]]", "[1,[2e999]]"],
    ] as const) {
      const edited = text.replace(from, to);
      expect(edited).not.toBe(text);
      expect(readLock(edited)).toBeUndefined();
    }
  });

  test("is not read where it is not exactly what is written", () => {
    assert(
      property(lock, integer({ min: 0 }), string({ minLength: 1, maxLength: 3 }), (one, where, what) => {
        const text = renderLock(one);
        const at = where % text.length;
        const edited = text.slice(0, at) + what + text.slice(at);
        const read = readLock(edited);
        // Or it is the text of another lock.
        if (read !== undefined) expect(renderLock(read)).toBe(edited);
      }),
      { numRuns: 300 },
    );
  });
});
