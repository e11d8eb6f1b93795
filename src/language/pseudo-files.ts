/** What spans call the texts that are in no file. */

/** The `file` of spans into `--param` values; its text is all of them, one a line. */
export const OVERRIDES_FILE = "--param";
/** The `file` of spans into `--profile` names; its text is all of them, one a line. */
export const PROFILES_FILE = "--profile";
/** The `file`s of spans into what a sweep varies; the text is all of that option's, one a line. */
export const GRID_FILE = "--grid";
export const RANDOM_FILE = "--random";
/** Those that hold values of params. */
export const VALUE_FILES: readonly string[] = [OVERRIDES_FILE, GRID_FILE, RANDOM_FILE];
