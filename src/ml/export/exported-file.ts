/** What an export consists of, before anything is written: whoever asked for it decides where it goes. */

export interface ExportedFile {
  /** In the export's folder; no folders within. */
  readonly name: string;
  readonly content: Uint8Array | string;
}

/** The model cannot be said in the target's format. */
export class ExportError extends Error {
  readonly help: string;
  constructor(message: string, help: string) {
    super(message);
    this.name = "ExportError";
    this.help = help;
  }
}
