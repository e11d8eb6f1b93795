/**
 * Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011).
 *
 * Number i of a stream is a pure function of (seed, name, i): nothing is carried from draw to draw but a counter, so
 * order, worker count and resume cannot change what is drawn. A leaf module: stages, ml and workers share it.
 */

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

export interface Rng {
  /** The next 32 random bits, as an unsigned integer. */
  uint32(): number;
  /** Uniform in [0, 1), 24 bits: exact in float32. */
  uniform(): number;
  /** Uniform integer in [0, bound), without bias (Lemire's rejection). `bound` from 1 to 2^32. */
  integer(bound: number): number;
  /** Standard normal (Box-Muller on two uniforms, in double precision). Unclipped. */
  normal(): number;
  /** Fisher-Yates over 0..count-1. */
  permutation(count: number): Uint32Array;
  /** An independent stream: same seed, longer name. */
  fork(...name: (string | number)[]): Rng;
}

/** The stream of numbers named by `seed` (an integer, 0 to 2^53-1) and `name`. */
export function createRng(seed: number, ...name: (string | number)[]): Rng {
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`a seed is a whole number from 0 on, not ${seed}`);
  const text = name.join("\u0000");
  const key0 = (seed >>> 0) ^ fnv1a(text, 0x811c9dc5);
  const key1 = Math.floor(seed / 0x100000000) ^ fnv1a(text, 0x050c5d1f);
  // Seed and name both enter the counter too, so two names whose keys collide still differ.
  const nameHigh = fnv1a(text, 0x2f0b4a27);
  const block = new Uint32Array(4);
  let counter = 0;
  let used = 4;
  /** The second of a pair of normals. */
  let spare: number | undefined;

  const uint32 = (): number => {
    if (used === 4) {
      philox4x32(block, counter >>> 0, Math.floor(counter / 0x100000000), nameHigh, seed >>> 0, key0, key1);
      counter++;
      used = 0;
    }
    return block[used++]!;
  };
  const uniform = () => (uint32() >>> 8) / 0x1000000;
  const integer = (bound: number): number => {
    if (!Number.isInteger(bound) || bound < 1 || bound > 0x100000000) throw new Error(`a bound out of range: ${bound}`);
    const limit = 0x100000000 - (0x100000000 % bound);
    for (;;) {
      const drawn = uint32();
      if (drawn < limit) return drawn % bound;
    }
  };
  return {
    uint32,
    uniform,
    integer,
    normal() {
      if (spare !== undefined) {
        const second = spare;
        spare = undefined;
        return second;
      }
      const radius = Math.sqrt(-2 * Math.log((uint32() + 1) / 0x100000001));
      const angle = 2 * Math.PI * (uint32() / 0x100000000);
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    permutation(count) {
      const order = Uint32Array.from({ length: count }, (_, i) => i);
      for (let i = count - 1; i > 0; i--) {
        const j = integer(i + 1);
        const held = order[i]!;
        order[i] = order[j]!;
        order[j] = held;
      }
      return order;
    },
    fork: (...more) => createRng(seed, ...name, ...more),
  };
}

/** Ten Philox rounds of the counter (c0..c3) under the key (k0, k1), into `out`. */
export function philox4x32(
  out: Uint32Array,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
): void {
  // In signed 32-bit arithmetic throughout: engines keep that in integer registers, six times faster than doubles.
  let x0 = c0 | 0;
  let x1 = c1 | 0;
  let x2 = c2 | 0;
  let x3 = c3 | 0;
  let key0 = k0 | 0;
  let key1 = k1 | 0;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(M0, x0);
    const low0 = Math.imul(M0, x0);
    const high1 = multiplyHigh(M1, x2);
    const low1 = Math.imul(M1, x2);
    x0 = high1 ^ x1 ^ key0;
    x1 = low1;
    x2 = high0 ^ x3 ^ key1;
    x3 = low0;
    key0 = (key0 + W0) | 0;
    key1 = (key1 + W1) | 0;
  }
  out[0] = x0;
  out[1] = x1;
  out[2] = x2;
  out[3] = x3;
}

/** The upper 32 bits of the 64-bit product of two unsigned 32-bit integers, from four 16-bit products. */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = (Math.imul(aHigh, bLow) >>> 0) + (Math.imul(aLow, bLow) >>> 16);
  const carry = (Math.imul(aLow, bHigh) >>> 0) + (middle & 0xffff);
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (carry >>> 16)) >>> 0;
}

function fnv1a(text: string, basis: number): number {
  let hash = basis;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  return hash >>> 0;
}
