/**
 * Downloads that survive: what arrived is kept and continued, from the same source or another, since the sha256 says what
 * the bytes must be in the end. Nothing unverified is ever returned.
 *
 *     folder/<sha256>        whole and verified      folder/<sha256>.part        what arrived so far
 *     folder/<sha256>.lock   who downloads it        folder/<sha256>.part.json   where from, and its ETag
 *
 * One process at a time writes to a part. Others that want the same bytes wait for them.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { acquireWorkLock } from "../../platform/work-lock.ts";
import { DataError } from "./data-error.ts";

export interface DownloadOptions {
  readonly url: string;
  readonly sha256: string;
  /** Survives failed attempts. What is found there is not trusted. */
  readonly folder: string;
  readonly signal: AbortSignal;
  onProgress(doneBytes: number, totalBytes: number | undefined): void;
  /** Another process, `pid`, downloads these bytes: they are waited for. */
  onWait?(pid: number): void;
  /** No byte for so long: given up. Default 30 s. */
  readonly stallMs?: number;
  /** Before a broken transfer is continued. Default 1 s. */
  readonly pauseMs?: number;
}

/** How often a transfer that breaks is continued before the source counts as failed. */
const ATTEMPTS = 5;

/** Path of the verified file. Throws `DataError` with the reason where this source cannot give it. */
export async function download(options: DownloadOptions): Promise<string> {
  const { sha256, folder, signal } = options;
  await mkdir(folder, { recursive: true });
  const whole = join(folder, sha256);
  if ((await digestOf(whole)) === sha256) return whole;
  let waits = false;
  const lock = await acquireWorkLock(`${whole}.lock`, {
    signal,
    onWait(pid) {
      if (!waits) options.onWait?.(pid);
      waits = true;
    },
  });
  try {
    // Another one may have finished it meanwhile.
    if ((await digestOf(whole)) !== sha256) await downloadInto(whole, options);
  } finally {
    lock?.release();
  }
  return whole;
}

async function downloadInto(whole: string, options: DownloadOptions): Promise<void> {
  const { sha256, signal, pauseMs = 1000 } = options;
  const part = `${whole}.part`;
  let resumed = (await sizeOf(part)) > 0;
  for (let attempt = 1; ; attempt++) {
    try {
      await transfer(options, part);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof DataError || attempt >= ATTEMPTS) throw new DataError(reasonOf(error));
      await new Promise((resolve) => setTimeout(resolve, pauseMs * attempt));
      signal.throwIfAborted();
      continue;
    }
    const digest = await digestOf(part);
    if (digest === sha256) break;
    await forget(part);
    // Bytes from an earlier attempt may have been of another version: once more from the start.
    if (!resumed) throw new DataError(`its sha256 is ${digest}, not ${sha256}`);
    resumed = false;
  }
  await rename(part, whole);
  await rm(`${part}.json`, { force: true });
}

/** sha256 of a file in hex; undefined where there is none. */
export async function digestOf(path: string): Promise<string | undefined> {
  const hash = createHash("sha256");
  try {
    await pipeline(createReadStream(path), hash);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  return hash.digest("hex");
}

interface PartOrigin {
  readonly url: string;
  /** A strong ETag, else Last-Modified: what `If-Range` takes (RFC 9110, 13.1.5). */
  readonly validator?: string;
}

/** Appends to `part` until the server says it is whole. */
async function transfer({ url, signal, onProgress, stallMs = 30_000 }: DownloadOptions, part: string): Promise<void> {
  const stalled = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => stalled.abort(new Error(`no byte arrived for ${stallMs / 1000} s`)), stallMs);
  };
  let file: FileHandle | undefined;
  try {
    alive();
    const have = await sizeOf(part);
    const origin = await readOrigin(part);
    const headers: Record<string, string> = { "accept-encoding": "identity" };
    if (have > 0) {
      headers.range = `bytes=${have}-`;
      if (origin?.url === url && origin.validator !== undefined) headers["if-range"] = origin.validator;
    }
    const response = await fetch(url, { headers, signal: AbortSignal.any([signal, stalled.signal]) });
    if (response.status === 416) {
      // What is there is as long as the file or longer: the digest decides.
      await response.body?.cancel();
      return;
    }
    if (!response.ok) {
      await response.body?.cancel();
      const status = `HTTP ${response.status} ${response.statusText}`.trimEnd();
      // 5xx and 429 may pass.
      throw response.status >= 500 || response.status === 429 ? new Error(status) : new DataError(status);
    }
    const continues = response.status === 206 && response.headers.get("content-range")?.startsWith(`bytes ${have}-`);
    if (response.status === 206 && !continues) throw new DataError("it answered with another range than was asked for");
    const start = continues ? have : 0;
    const length = response.headers.get("content-length");
    const totalBytes = length === null ? undefined : start + Number(length);
    if (!continues) await writeOrigin(part, url, response.headers);
    file = await open(part, continues ? "a" : "w");
    let done = start;
    onProgress(done, totalBytes);
    for await (const chunk of response.body ?? []) {
      alive();
      await file.writeFile(chunk as Uint8Array);
      done += (chunk as Uint8Array).length;
      onProgress(done, totalBytes);
    }
    if (totalBytes !== undefined && done !== totalBytes)
      throw new Error(`it ended after ${done} of ${totalBytes} bytes`);
  } catch (error) {
    throw stalled.signal.aborted ? stalled.signal.reason : error;
  } finally {
    clearTimeout(timer);
    await file?.close();
  }
}

async function readOrigin(part: string): Promise<PartOrigin | undefined> {
  try {
    return JSON.parse(await readFile(`${part}.json`, "utf8")) as PartOrigin;
  } catch {
    return undefined;
  }
}

async function writeOrigin(part: string, url: string, headers: Headers): Promise<void> {
  const etag = headers.get("etag");
  const validator = etag?.startsWith('"') ? etag : (headers.get("last-modified") ?? undefined);
  await writeFile(
    `${part}.json`,
    JSON.stringify({ url, validator } satisfies { url: string; validator: string | undefined }),
  );
}

async function forget(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(`${part}.json`, { force: true });
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/** `fetch` hides why it failed behind "fetch failed". */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  if (!(cause instanceof Error)) return message;
  const inner = cause instanceof AggregateError ? (cause.errors[0] as Error) : cause;
  return inner.message || (inner as NodeJS.ErrnoException).code || message;
}
