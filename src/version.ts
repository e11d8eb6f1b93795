/** This package's version, put in by the build. */
declare const TFPIPE_VERSION: string | undefined;

export const version: string = typeof TFPIPE_VERSION === "undefined" ? "0.0.0-source" : TFPIPE_VERSION;
