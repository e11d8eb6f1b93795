/** What spans call the texts that are in no file. */

/** The `file` of spans into `--param` values; its text is all of them, one a line. */
export const OVERRIDES_FILE = "--param";
/** The `file` of spans into `--profile` names; its text is all of them, one a line. */
export const PROFILES_FILE = "--profile";
