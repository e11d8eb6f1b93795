/** Data that is not what it should be, or cannot be had: a message for people, without a stack. */
export class DataError extends Error {
  readonly help: string | undefined;
  constructor(message: string, help?: string) {
    super(message);
    this.name = "DataError";
    this.help = help;
  }
}
