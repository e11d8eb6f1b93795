import { defineConfig } from "vitest/config";
import config from "./vitest.config.ts";

/** What takes too long for every run of the tests: `npm run test:long`. */
export default defineConfig({
  test: { ...config.test, include: ["test/**/*.long.ts"], testTimeout: 30 * 60_000 },
});
