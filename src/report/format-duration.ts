/** A duration for people: `45 ms`, `2.4 s`, `48 s`, `1 m 05 s`, `2 h 03 m`, `1 d 04 h`. Two units at most, never rounded up to 60 of one. */
export function formatDuration(durationMs: number): string {
  const ms = Math.max(0, durationMs);
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${twoDigits(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} m`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${twoDigits(hours % 24)} h`;
}

/** A duration that is being watched: whole seconds, so that it does not flicker: `0 s`, `4 s`, `1 m 05 s`. */
export function formatWholeSeconds(durationMs: number): string {
  const seconds = Math.floor(Math.max(0, durationMs) / 1000);
  return seconds < 60 ? `${seconds} s` : formatDuration(seconds * 1000);
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
