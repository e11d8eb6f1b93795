/**
 * NumPy's legacy random numbers, as far as shuffling takes them: MT19937 (Matsumoto and Nishimura, 1998) seeded as
 * `np.random.seed(integer)` does, and the shuffle of `np.random.shuffle` (numpy/random/mtrand.pyx, `_shuffle_raw` and
 * `random_interval`). Kept forever by NumPy's compatibility policy, so published splits can be made again.
 */

const SIZE = 624;
const MIDDLE = 397;

/** `np.random.seed` refuses seeds that do not fit 32 bits. */
export const MAX_NUMPY_SEED = 0xffffffff;

/** 0..count-1 in the order of `np.random.seed(seed); np.random.shuffle(order)`. */
export function numpyShuffled(seed: number, count: number): Int32Array {
  if (!Number.isInteger(seed) || seed < 0 || seed > MAX_NUMPY_SEED)
    throw new Error(`NumPy takes seeds from 0 to ${MAX_NUMPY_SEED}, not ${seed}`);
  const next = mt19937(seed);
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    // The smallest mask of ones that covers i; draws above i are thrown away.
    const mask = 0xffffffff >>> Math.clz32(i);
    let j = (next() & mask) >>> 0;
    while (j > i) j = (next() & mask) >>> 0;
    const held = order[i]!;
    order[i] = order[j]!;
    order[j] = held;
  }
  return order;
}

/** The generator's 32-bit outputs, one a call. */
export function mt19937(seed: number): () => number {
  const state = new Uint32Array(SIZE);
  state[0] = seed;
  for (let i = 1; i < SIZE; i++) {
    const previous = state[i - 1]! ^ (state[i - 1]! >>> 30);
    state[i] = Math.imul(previous, 1812433253) + i;
  }
  let position = SIZE;

  const twist = () => {
    for (let i = 0; i < SIZE; i++) {
      const bits = (state[i]! & 0x80000000) | (state[(i + 1) % SIZE]! & 0x7fffffff);
      state[i] = state[(i + MIDDLE) % SIZE]! ^ (bits >>> 1) ^ ((bits & 1) === 0 ? 0 : 0x9908b0df);
    }
    position = 0;
  };
  return () => {
    if (position === SIZE) twist();
    let value = state[position++]!;
    value ^= value >>> 11;
    value ^= (value << 7) & 0x9d2c5680;
    value ^= (value << 15) & 0xefc60000;
    return (value ^ (value >>> 18)) >>> 0;
  };
}
