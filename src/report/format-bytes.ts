const units = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** A size in decimal units with three significant digits at most: `512 B`, `1.2 MB`, `170 MB`. */
export function formatBytes(sizeBytes: number): string {
  let value = sizeBytes;
  let unit = 0;
  // 999.5 would print as 1000, so it is already one of the next unit.
  while (Math.abs(value) >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit > 0 && Math.abs(value) < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit]}`;
}
