/**
 * A signed statement of what a lock says: an in-toto Statement with a SLSA provenance predicate, in a DSSE envelope, signed
 * with Ed25519. Who has the lock and a trusted key can check it without data, and without what made it.
 *
 *   https://github.com/in-toto/attestation (Statement v1)   https://slsa.dev/spec/v1.0/provenance   DSSE v1
 *
 * Stays true: the statement follows from the lock alone, byte for byte, so it is checked by making it again; and what is
 * verified is the very bytes that are read.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { canonicalJson, isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "../json.ts";
import { digestBytes } from "./digest.ts";
import { type Lock, type LockedStage, resultsName } from "./lock.ts";

/** Why a key, an envelope or a signature cannot be used: ends a sentence. */
export class AttestationRefused extends Error {}

export interface LockToAttest {
  readonly lock: Lock;
  readonly text: string;
  /** Its name beside the pipeline: `words.lock.yaml`. */
  readonly name: string;
}

const PAYLOAD_TYPE = "application/vnd.in-toto+json";

/** The canonical text of the statement. `version`: of the program that attests. */
export function makeStatement({ lock, text, name }: LockToAttest, version: string): string {
  const stages = lock.results.flatMap(({ profiles, stages: locked }) =>
    Object.entries(locked).map(([stage, one]) => [`${resultsName(lock.pipeline, profiles)}/${stage}`, one] as const),
  );
  const each = (list: (path: string, stage: LockedStage) => readonly JsonObject[]) =>
    stages.flatMap(([path, stage]) => list(path, stage)).sort((a, b) => (String(a.name) < String(b.name) ? -1 : 1));
  return canonicalJson({
    _type: "https://in-toto.io/Statement/v1",
    subject: each((path, { outputs }) =>
      Object.entries(outputs).map(([output, { digest }]) => ({
        name: `${path}/${output}`,
        digest: { sha256: digest },
      })),
    ),
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: "urn:tfpipe:pipeline:1",
        externalParameters: { pipeline: lock.pipeline },
        internalParameters: {
          stages: Object.fromEntries(stages.map(([path, stage]) => [path, describeStage(stage)])),
        },
        resolvedDependencies: [
          { name, digest: { sha256: digestBytes(text) } },
          ...each((path, { key, sources }) =>
            Object.entries(key.inputs).map(([port, digest]) => ({
              name: `${path}/${port}`,
              uri: sources[port] ?? "",
              digest: { sha256: digest },
            })),
          ),
        ],
      },
      runDetails: { builder: { id: "urn:tfpipe", version: { tfpipe: version } } },
    },
  });
}

function describeStage({ fingerprint, machine, key }: LockedStage): JsonObject {
  const { uses, code, modules, packages, numerics, tools } = key;
  return { uses, fingerprint, code, modules, packages, numerics, tools, machine };
}

/** `key`: a private key as PEM. */
export function signStatement(statement: string, key: string): string {
  const secret = readKey(() => createPrivateKey(key), "private");
  const signature = sign(null, preAuthentication(Buffer.from(statement)), secret);
  const envelope = {
    payloadType: PAYLOAD_TYPE,
    payload: Buffer.from(statement).toString("base64"),
    signatures: [{ keyid: keyId(createPublicKey(secret)), sig: signature.toString("base64") }],
  };
  return `${JSON.stringify(envelope, undefined, 2)}\n`;
}

/** Every public key in a text; what stands around them is for people. */
export function readTrustedKeys(text: string): readonly KeyObject[] {
  const blocks = text.match(/-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----/g) ?? [];
  return blocks.map((block) => readKey(() => createPublicKey(block), "public"));
}

/** The key of a trusted signature, and the statement that it is of. Throws `AttestationRefused`. */
export function verifyEnvelope(
  envelope: string,
  trusted: readonly KeyObject[],
): { readonly keyId: string; readonly statement: string } {
  const { payloadType, payload, signatures } = parseEnvelope(envelope);
  if (payloadType !== PAYLOAD_TYPE) throw new AttestationRefused(`its payload is ${JSON.stringify(payloadType)}`);
  const bytes = preAuthentication(payload);
  for (const key of trusted)
    if (signatures.some((signature) => verify(null, bytes, key, signature)))
      return { keyId: keyId(key), statement: payload.toString("utf8") };
  throw new AttestationRefused(
    trusted.length === 0 ? "no key is trusted here" : "no trusted key has signed it, or it was changed since",
  );
}

/** Undefined where a statement is of this lock; else what it is of. */
export function findStatementProblem(statement: string, lock: LockToAttest): string | undefined {
  let version: JsonValue | undefined;
  try {
    const { predicate } = JSON.parse(statement) as { predicate: { runDetails: { builder: { version: JsonObject } } } };
    version = predicate.runDetails.builder.version.tfpipe;
  } catch {
    return "it is no statement of this program's";
  }
  if (typeof version === "string" && makeStatement(lock, version) === statement) return undefined;
  return `it is of another state of ${lock.name}`;
}

/** Of the key's standard form, so that it is the same wherever it is made. */
export function keyId(key: KeyObject): string {
  return createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest("hex");
}

function readKey(read: () => KeyObject, sort: "private" | "public"): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch {
    throw new AttestationRefused(`there is no ${sort} key in it, in PEM and without a passphrase`);
  }
  if (key.asymmetricKeyType !== "ed25519")
    throw new AttestationRefused(`its key is ${key.asymmetricKeyType ?? "of no known sort"}, and Ed25519 is asked for`);
  return key;
}

/** What DSSE signs: the type and the payload, each with its length, so that no other pair has the same bytes. */
function preAuthentication(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `), payload]);
}

function parseEnvelope(text: string) {
  const refuse = (): never => {
    throw new AttestationRefused("it is no signed envelope");
  };
  let json: JsonValue = null;
  try {
    json = JSON.parse(text) as JsonValue;
  } catch {
    refuse();
  }
  if (!isJsonObject(json) || typeof json.payload !== "string" || !isJsonArray(json.signatures)) return refuse();
  const signatures = json.signatures.map((one) =>
    isJsonObject(one) && typeof one.sig === "string" ? Buffer.from(one.sig, "base64") : refuse(),
  );
  return { payloadType: json.payloadType, payload: Buffer.from(json.payload, "base64"), signatures };
}
