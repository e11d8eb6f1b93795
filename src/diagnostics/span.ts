/** A place in a text the user wrote. */
export interface Span {
  /** As shown to the user; `--param` for a value given on the command line. */
  readonly file: string;
  /** UTF-16 code-unit offsets into the text. */
  readonly start: number;
  readonly end: number;
}
