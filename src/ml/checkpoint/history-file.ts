/** The `history` artifact on disk: `history.json`, canonical. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson, type JsonObject } from "../../json.ts";
import type { History } from "../train/history.ts";

const HISTORY_FILE = "history.json";

/** Writes into an empty folder. */
export function writeHistory(folder: string, history: History): void {
  writeFileSync(join(folder, HISTORY_FILE), `${canonicalJson(history as unknown as JsonObject)}\n`, { flag: "wx" });
}
