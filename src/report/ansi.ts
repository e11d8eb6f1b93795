/** Colours and weights of terminal text. With `color` off every function returns its text unchanged, so views need no second form. */

export type Paint = (text: string) => string;

export interface Palette {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
}

export function createPalette(color: boolean): Palette {
  // An empty text stays empty: codes around nothing would still count as output.
  const paint = (open: number, close: number): Paint =>
    color ? (text) => (text === "" ? "" : `\u001b[${open}m${text}\u001b[${close}m`) : (text) => text;
  return {
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
  };
}

/** What a terminal does on request. Only the live view uses these. */
export const terminalControl = {
  hideCursor: "\u001b[?25l",
  showCursor: "\u001b[?25h",
  clearToLineEnd: "\u001b[K",
  clearToScreenEnd: "\u001b[J",
  lineStart: "\r",
  up: (lines: number): string => (lines === 0 ? "" : `\u001b[${lines}A`),
} as const;
