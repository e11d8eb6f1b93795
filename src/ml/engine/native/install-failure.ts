/** Why the native engine cannot be installed: one line each for what is missing, what that costs, and what mends it. */

export type MissingPart =
  | "platform"
  | "npm"
  | "compiler"
  | "python"
  | "pip"
  | "network"
  | "library"
  | "integrity"
  | "disk"
  | "package"
  | "build"
  | "self-test";

export class EngineInstallFailure extends Error {
  readonly missing: MissingPart;
  /** The command that mends it. */
  readonly help: string;

  /** `what` is a clause such as `there is no C++ compiler (g++)`; `first` is what to do before the command. */
  constructor(missing: MissingPart, what: string, first?: string) {
    super(`the native TensorFlow engine cannot be installed: ${what}; wasm computes instead, ${SLOWER}`);
    this.name = "EngineInstallFailure";
    this.missing = missing;
    this.help = `${first === undefined ? "" : `${first}, then `}run \`npx pipe engine install\``;
  }
}

/** Training ResNet-34 at 32 px on 2 cores. */
const SLOWER = "about 10 times slower";

/** What a failed command's output says is missing, when it is one of the things that often are. */
export function diagnoseOutput(output: string): MissingPart | undefined {
  if (/DO NOT MATCH THE HASHES|EINTEGRITY/.test(output)) return "integrity";
  if (/No module named pip|No module named ensurepip/.test(output)) return "pip";
  if (/ENOSPC|No space left on device|disk quota exceeded/i.test(output)) return "disk";
  if (NETWORK.test(output)) return "network";
  return undefined;
}

const NETWORK =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|NewConnectionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|SSLError|Max retries exceeded|Temporary failure in name resolution|Name or service not known|Network is unreachable|network request .* failed/i;
