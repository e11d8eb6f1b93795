/** The reference's counter-based numbers (test/parity/reference/draw.json holds some to check this port against). */
export function draw(name: string, count: number): Float64Array {
  const start = fnv1a32(name);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) values[i] = mix32((start + i) >>> 0) / 2147483648 - 1;
  return values;
}

function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

function mix32(value: number): number {
  let x = value;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}
