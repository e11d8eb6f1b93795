import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { download } from "../../../src/ml/data/download.ts";
import { type DataSource, locateArchive } from "../../../src/ml/data/locate.ts";
import { temporaryFolder } from "../../bundle-worker.ts";

const root = temporaryFolder();
afterAll(root.remove);
const content = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => Math.imul(i, 2654435761) >>> 11));
const sha256 = createHash("sha256").update(content).digest("hex");
const other = Buffer.from(content).reverse();

let folder: string;
let count = 0;
let server: Server;
let address: string;
/** What was asked for, and by which range. */
let asked: { readonly url: string; readonly range: string | undefined; readonly ifRange: string | undefined }[];

async function serve(answer: RequestListener): Promise<void> {
  asked = [];
  server = createServer((request, response) => {
    asked.push({
      url: request.url!,
      range: request.headers.range,
      ifRange: request.headers["if-range"] as string | undefined,
    });
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
beforeEach(() => {
  folder = join(root.path, String(++count));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** A server as they should be: ranges, and an ETag by content. */
function answerWell(body: Buffer, etag = '"one"') {
  return (request: IncomingMessage, response: ServerResponse) => {
    const start = /^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1];
    const ifRange = request.headers["if-range"];
    response.setHeader("etag", etag);
    if (start === undefined || (ifRange !== undefined && ifRange !== etag)) {
      response.setHeader("content-length", body.length);
      response.end(body);
    } else if (Number(start) >= body.length) {
      response.writeHead(416).end();
    } else {
      const rest = body.subarray(Number(start));
      response.writeHead(206, {
        "content-range": `bytes ${start}-${body.length - 1}/${body.length}`,
        "content-length": rest.length,
      });
      response.end(rest);
    }
  };
}

/** Hangs up on the client; set while `hangUp` answers. */
let cut: (() => void) | undefined;

/** Sends the head of what it should, and hangs up when the client has some of it. */
function hangUp(body: Buffer, bytes: number, etag = '"one"'): RequestListener {
  return (_request, response) => {
    response.writeHead(200, { "content-length": body.length, etag });
    response.write(body.subarray(0, bytes));
    cut = () => response.destroy();
  };
}

const options = (url: string) => ({
  url,
  sha256,
  folder,
  signal: new AbortController().signal,
  onProgress(done: number) {
    if (done === 0) return;
    cut?.();
    cut = undefined;
  },
  pauseMs: 0,
});
const get = (path: string, more = {}) => download({ ...options(address + path), ...more });

/** A download that has some of its bytes. */
async function underWay(more = {}): Promise<{ readonly first: Promise<string> }> {
  let arrived: () => void = () => {};
  const some = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const onProgress = (done: number) => {
    if (done > 0) arrived();
  };
  const first = get("/a", { onProgress, ...more });
  await Promise.race([some, first]);
  return { first };
}

describe("a download", () => {
  it("arrives whole, verified, and with its progress in bytes", async () => {
    await serve(answerWell(content));
    const seen: (number | undefined)[][] = [];
    const path = await get("/a", { onProgress: (done: number, total: number | undefined) => seen.push([done, total]) });
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(seen[0]).toEqual([0, 300_000]);
    expect(seen.at(-1)).toEqual([300_000, 300_000]);
    expect(readdirSync(folder)).toEqual([sha256]);
  });

  it("is not repeated while its file has the right digest", async () => {
    await serve(answerWell(content));
    const path = await get("/a");
    await get("/a");
    expect(asked).toHaveLength(1);
    writeFileSync(path, "damaged");
    expect(readFileSync(await get("/a")).equals(content)).toBe(true);
    expect(asked).toHaveLength(2);
  });

  it("goes on where the connection was cut", async () => {
    const well = answerWell(content);
    await serve((request, response) =>
      asked.length === 1 ? hangUp(content, 120_000)(request, response) : well(request, response),
    );
    expect(readFileSync(await get("/a")).equals(content)).toBe(true);
    const have = Number(/^bytes=(\d+)-$/.exec(asked[1]!.range!)![1]);
    expect(have).toBeGreaterThan(0);
    expect(have).toBeLessThanOrEqual(120_000);
    expect(asked).toEqual([
      { url: "/a", range: undefined, ifRange: undefined },
      { url: "/a", range: `bytes=${have}-`, ifRange: '"one"' },
    ]);
  });

  it("goes on in a later run", async () => {
    await serve((request, response) => {
      if (asked.length === 1) hangUp(content, 50_000)(request, response);
      else if (request.url === "/gone") response.writeHead(410).end();
      else answerWell(content)(request, response);
    });
    await expect(get("/gone")).rejects.toThrow("HTTP 410 Gone");
    const kept = readFileSync(join(folder, `${sha256}.part`)).length;
    expect(kept).toBeGreaterThan(0);
    expect(readFileSync(await get("/a")).equals(content)).toBe(true);
    // Another address: its ETag would say nothing, the digest says all.
    expect(asked.at(-1)).toEqual({ url: "/a", range: `bytes=${kept}-`, ifRange: undefined });
  });

  it("begins again when the file has changed since", async () => {
    await serve((request, response) =>
      asked.length === 1
        ? hangUp(other, 120_000, '"old"')(request, response)
        : answerWell(content, '"new"')(request, response),
    );
    expect(readFileSync(await get("/a")).equals(content)).toBe(true);
    expect(asked[1]!.ifRange).toBe('"old"');
  });

  it("begins again when what was kept turns out to be something else", async () => {
    mkdirSync(folder);
    writeFileSync(join(folder, `${sha256}.part`), other.subarray(0, 1000));
    await serve(answerWell(content));
    expect(readFileSync(await get("/a")).equals(content)).toBe(true);
    expect(asked.map(({ range }) => range)).toEqual(["bytes=1000-", undefined]);
  });

  it("takes no range for an answer that was not asked for", async () => {
    mkdirSync(folder);
    writeFileSync(join(folder, `${sha256}.part`), content.subarray(0, 1000));
    await serve((_request, response) => {
      response.writeHead(206, { "content-range": "bytes 0-299999/300000" });
      response.end(content);
    });
    await expect(get("/a")).rejects.toThrow("another range than was asked for");
  });

  it("follows redirections", async () => {
    await serve((request, response) => {
      if (request.url === "/moved") response.writeHead(302, { location: "/a" }).end();
      else answerWell(content)(request, response);
    });
    expect(readFileSync(await get("/moved")).equals(content)).toBe(true);
  });

  it("with a wrong digest is refused and forgotten", async () => {
    await serve(answerWell(other));
    await expect(get("/a")).rejects.toThrow(
      `its sha256 is ${createHash("sha256").update(other).digest("hex")}, not ${sha256}`,
    );
    expect(readdirSync(folder)).toEqual([]);
    expect(asked).toHaveLength(1);
  });

  it("that another one makes of the same bytes is waited for, and not made again", async () => {
    let sendRest: () => void = () => {};
    await serve((_request, response) => {
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, 50_000));
      sendRest = () => response.end(content.subarray(50_000));
    });
    const { first } = await underWay();
    const second = get("/b", { onProgress: () => {}, onWait: () => sendRest() });
    const paths = await Promise.all([first, second]);
    for (const path of paths) expect(readFileSync(path).equals(content)).toBe(true);
    expect(asked).toHaveLength(1);
    expect(readdirSync(folder)).toEqual([sha256]);
  });

  it("whose process was killed is continued by the next one", async () => {
    mkdirSync(folder);
    writeFileSync(join(folder, `${sha256}.part`), content.subarray(0, 1000));
    const gone = spawnSync(process.execPath, ["-e", ""]).pid;
    writeFileSync(join(folder, `${sha256}.lock`), JSON.stringify({ pid: gone, identity: "1", host: hostname() }));
    await serve(answerWell(content));
    expect(readFileSync(await get("/a")).equals(content)).toBe(true);
    expect(asked.map(({ range }) => range)).toEqual(["bytes=1000-"]);
    expect(readdirSync(folder)).toEqual([sha256]);
  });

  it("stops waiting for another one when it is told to", async () => {
    await serve((_request, response) => {
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, 1000));
    });
    const [one, other] = [new AbortController(), new AbortController()];
    const { first } = await underWay({ signal: one.signal });
    const message = first.catch((error: Error) => error.message);
    const onWait = () => other.abort(new Error("the second was stopped"));
    await expect(get("/a", { signal: other.signal, onWait })).rejects.toThrow("the second was stopped");
    one.abort(new Error("the first was stopped"));
    expect(await message).toBe("the first was stopped");
  });

  it("that stalls is given up", async () => {
    await serve((_request, response) => {
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, 1000));
    });
    await expect(get("/a", { stallMs: 50 })).rejects.toThrow("no byte arrived for 0.05 s");
  });

  it("stops when it is told to", async () => {
    const abort = new AbortController();
    await serve((_request, response) => {
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, 1000), () => abort.abort(new Error("stopped by the user")));
    });
    await expect(get("/a", { signal: abort.signal })).rejects.toThrow("stopped by the user");
  });
});

describe("a list of sources", () => {
  const locate = (sources: readonly DataSource[]) => {
    const failures: string[] = [];
    const { url: _url, sha256: _sha256, ...rest } = options("");
    return { failures, located: locateArchive({ ...rest, sources, onFailure: (line) => failures.push(line) }) };
  };

  it("is tried in order until one gives the right bytes", async () => {
    await serve((request, response) => {
      if (request.url === "/missing") response.writeHead(404).end();
      else answerWell(request.url === "/wrong" ? other : content)(request, response);
    });
    const { failures, located } = locate(
      ["/missing", "/wrong", "/right", "/never"].map((path) => ({ url: address + path, sha256 })),
    );
    expect(await located).toEqual({ path: join(folder, sha256), name: `${address}/right` });
    expect(failures).toEqual([
      `${address}/missing: HTTP 404 Not Found`,
      expect.stringContaining(`${address}/wrong: its sha256 is`),
    ]);
    expect(asked.map(({ url }) => url)).toEqual(["/missing", "/wrong", "/right"]);
  });

  it("may hold local files, which are checked the same", async () => {
    await serve(() => {});
    const [right, wrong] = [join(root.path, "right.bin"), join(root.path, "wrong.bin")];
    writeFileSync(right, content);
    writeFileSync(wrong, other);
    const { failures, located } = locate(
      [join(root.path, "none"), root.path, wrong, right].map((path) => ({ path, sha256 })),
    );
    expect(await located).toEqual({ path: right, name: right });
    expect(failures).toEqual([
      expect.stringContaining("/none: there is no such file"),
      expect.stringContaining(": it is no file"),
      expect.stringContaining("/wrong.bin: its sha256 is"),
    ]);
  });

  it("that all fail names each with its reason, and a way out", async () => {
    await serve((_request, response) => response.writeHead(503).end());
    const closed = "http://127.0.0.1:9/x";
    const { located } = locate([
      { url: `${address}/down`, sha256 },
      { url: closed, sha256 },
    ]);
    const error = await located.catch((thrown: Error & { help?: string }) => thrown);
    expect(error).toMatchObject({
      message: expect.stringMatching(
        /^none of the 2 sources could give the data:\n {2}http:\S+\/down: HTTP 503 Service Unavailable\n {2}http:\/\/127.0.0.1:9\/x: /,
      ),
      help: expect.stringContaining("inputs: { source:"),
    });
    expect(existsSync(join(folder, sha256))).toBe(false);
  });
});
