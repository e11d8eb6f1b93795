/** CRC-32 as zip has it (ISO 3309, reflected polynomial 0xedb88320). Node's own came after version 20.9. `before`: of the bytes before these. */
export function crc32(bytes: Uint8Array, before = 0): number {
  const table = Int32Array.from({ length: 256 }, (_, n) => {
    let value = n;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
    return value;
  });
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]!) & 0xff]!;
  return ~crc >>> 0;
}
