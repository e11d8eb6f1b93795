/** `pipe attest`: signs what a lock says, where the store has the traces of it; and the check of such a statement. */
import { basename, dirname, join, relative, resolve } from "node:path";
import {
  AttestationRefused,
  findStatementProblem,
  makeStatement,
  readTrustedKeys,
  signStatement,
  verifyEnvelope,
} from "../identity/attestation.ts";
import { type App, type ExitCode, UsageError } from "./app.ts";
import { lockPath, type OpenedLock, openLockOrTell, showLockFile } from "./lock-file.ts";
import { isResult } from "./lock-results.ts";
import { findArtifactsFolder, findPipelineFile } from "./open-pipeline.ts";

export interface AttestOptions {
  /** A file with the private key; left out: the environment variable. */
  readonly key?: string;
  readonly out?: string;
  readonly artifacts?: string;
}

const KEY_VARIABLE = "TFPIPE_SIGNING_KEY";
const TRUSTED_KEYS = "trusted-keys.pem";

export async function attestCommand(app: App, words: readonly string[], options: AttestOptions): Promise<ExitCode> {
  const { file, rest } = findPipelineFile(app, words);
  if (rest.length > 0) throw new UsageError("an attestation is of a whole lock", `leave ${rest.join(" and ")} out`);
  const opened = await openLockOrTell(app, file);
  if (opened === "wrong") return 2;
  if (opened === undefined)
    throw new UsageError(`there is no ${showLockFile(app, file)}`, `write it first: pipe lock ${file}`);
  const absolute = resolve(app.cwd, file);
  const artifacts =
    options.artifacts === undefined ? findArtifactsFolder(app, absolute) : resolve(app.cwd, options.artifacts);
  const unseen = await findUnseen(app, opened, artifacts);
  if (unseen.length > 0) {
    app.err.write(`error: this store has no such result of ${unseen.join(", ")}, so it cannot be attested here\n`);
    app.err.write("  help: run the pipeline here first: only what was seen can be attested\n");
    return 4;
  }
  const text = signed(() =>
    signStatement(makeStatement(lockToAttest(app, file, opened), app.version), readKey(app, options)),
  );
  const out = resolve(app.cwd, options.out ?? absolute.replace(/\.ya?ml$/, ".attestation.json"));
  const temporary = `${out}.${app.unique()}.tmp`;
  app.files.writeNew(temporary, text);
  app.files.rename(temporary, out);
  app.out.write(`${relative(app.cwd, out)} was written: a signed statement of ${opened.file}\n`);
  return 0;
}

/** Locked results that the store has no trace of. */
async function findUnseen(app: App, { lock }: OpenedLock, artifactsFolder: string): Promise<readonly string[]> {
  const { traces } = await app.openWorkspace(artifactsFolder, { paranoid: false, needsCode: false });
  return lock.results.flatMap(({ stages }) =>
    Object.entries(stages).flatMap(([name, stage]) =>
      traces.find(stage.fingerprint).some((trace) => isResult(stage, trace)) ? [] : [name],
    ),
  );
}

function readKey(app: App, { key }: AttestOptions): string {
  const text = key === undefined ? app.environment[KEY_VARIABLE] : app.files.readText(resolve(app.cwd, key));
  if (text !== undefined && text !== "") return text;
  throw new UsageError(
    key === undefined ? "there is no key to sign with" : `there is no file ${key}`,
    `--key names a file with an Ed25519 private key (openssl genpkey -algorithm ed25519), or ${KEY_VARIABLE} holds it`,
  );
}

function lockToAttest(app: App, pipelineFile: string, { lock, text }: OpenedLock) {
  return { lock, text, name: basename(lockPath(app, pipelineFile)) };
}

function signed(sign: () => string): string {
  try {
    return sign();
  } catch (error) {
    if (!(error instanceof AttestationRefused)) throw error;
    throw new UsageError(`the key cannot be used: ${error.message}`);
  }
}

/** `problem` absent: a trusted key has signed what the lock says. */
export interface CheckedAttestation {
  readonly file: string;
  readonly problem?: string;
  /** sha256 of the public key. */
  readonly keyId?: string;
}

/** The trusted keys lie beside the pipeline, and are committed. */
export async function checkAttestation(app: App, pipelineFile: string, file: string): Promise<CheckedAttestation> {
  const envelope = app.files.readText(resolve(app.cwd, file));
  if (envelope === undefined) throw new UsageError(`there is no attestation ${file}`);
  const keys = join(dirname(resolve(app.cwd, pipelineFile)), TRUSTED_KEYS);
  const trusted = app.files.stat(keys) === undefined ? undefined : app.files.readText(keys);
  if (trusted === undefined)
    throw new UsageError(
      `there is no ${relative(app.cwd, keys)}, so no key is trusted`,
      "commit the public keys there (openssl pkey -pubout)",
    );
  const opened = await openLockOrTell(app, pipelineFile);
  if (opened === undefined || opened === "wrong") return { file, problem: "there is no lock that it could be of" };
  try {
    const { keyId, statement } = verifyEnvelope(envelope, readTrustedKeys(trusted));
    const problem = findStatementProblem(statement, lockToAttest(app, pipelineFile, opened));
    return problem === undefined ? { file, keyId } : { file, keyId, problem };
  } catch (error) {
    if (!(error instanceof AttestationRefused)) throw error;
    return { file, problem: error.message };
  }
}
