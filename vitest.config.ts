import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/global-setup.ts"],
    testTimeout: 180_000,
    hookTimeout: 240_000,
    // TensorFlow and worker threads want real processes, and two cores take two at a time.
    pool: "forks",
    maxWorkers: 2,
  },
});
