/** What the stages of a run share on this machine. */
import type { Resources } from "../execute/token-pool.ts";
import type { App } from "./app.ts";

/** `jobs` processors, or all. */
export async function resourcesOf(app: App, jobs: number | undefined): Promise<Resources> {
  const { sharedResources } = await import("../platform/shared-resources.ts");
  return { cpus: jobs ?? app.processors, ...sharedResources() };
}
