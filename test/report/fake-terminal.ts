/** A terminal as its user sees it: interprets what the live view writes (text, wide characters, wrapping, cursor, erasing). */
import { textWidth } from "../../src/report/text-width.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what a terminal reads.
const controlSequence = /(\u001b\[\??[\d;]*[A-Za-z])/;

export class FakeTerminal {
  cursorVisible = true;
  writes = 0;
  #columns: number;
  /** All rows ever, cells by row; `""` is the second cell of a wide character. */
  readonly #rows: string[][] = [[]];
  #row = 0;
  #column = 0;

  constructor(columns: number) {
    this.#columns = columns;
  }

  readonly isTerminal = true;
  readonly color = true;
  readonly columns = (): number => this.#columns;

  write(text: string): void {
    this.writes++;
    for (const part of text.split(controlSequence)) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what a terminal reads.
      const control = /^\u001b\[(\??[\d;]*)([A-Za-z])$/.exec(part);
      if (control !== null) this.#control(control[2] ?? "", control[1] ?? "");
      else for (const { segment } of new Intl.Segmenter().segment(part)) this.#put(segment);
    }
  }

  /** What is on the screen and above it, without trailing blanks. */
  screen(): string {
    return this.#rows
      .map((cells) =>
        Array.from(cells, (cell) => cell ?? " ")
          .join("")
          .trimEnd(),
      )
      .join("\n")
      .trimEnd();
  }

  #put(token: string): void {
    if (token === "\n") {
      this.#row++;
      this.#column = 0;
      this.#rows[this.#row] ??= [];
    } else if (token === "\r") this.#column = 0;
    else {
      const width = textWidth(token);
      if (this.#column + width > this.#columns) this.#put("\n");
      const cells = this.#rows[this.#row] ?? [];
      for (let at = cells.length; at < this.#column; at++) cells[at] = " ";
      cells[this.#column] = token;
      if (width === 2) cells[this.#column + 1] = "";
      this.#column += width;
    }
  }

  #control(command: string, parameter: string): void {
    const cells = this.#rows[this.#row] ?? [];
    switch (`${command}${parameter.startsWith("?") ? parameter : ""}`) {
      case "A":
        this.#row -= Number(parameter);
        if (this.#row < 0) throw new Error(`the cursor left the top of the screen by ${-this.#row}`);
        return;
      case "K":
        cells.length = Math.min(cells.length, this.#column);
        return;
      case "J":
        cells.length = Math.min(cells.length, this.#column);
        this.#rows.length = this.#row + 1;
        return;
      case "h?25":
        this.cursorVisible = true;
        return;
      case "l?25":
        this.cursorVisible = false;
        return;
      case "m":
        return;
      default:
        throw new Error(`a control this terminal does not know: ${parameter}${command}`);
    }
  }
}
