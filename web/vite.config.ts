// The build: one script and one style sheet with addresses relative to the page, so that a host may mount it anywhere, and
// nothing inline, so that it runs under a policy that allows no inline script or style.

import react from "@vitejs/plugin-react";
import { loadEnv } from "vite";
import { defineConfig } from "vitest/config";

const calls = ["studio", "auth", "models", "generate", "status", "events", "tasks", "results", "preview", "gallery", "admin", "health"];

/** A server to develop against: `MUST_URL=http://127.0.0.1:8000 npm run dev`. */
const server = (mode: string) => loadEnv(mode, ".", "MUST_")["MUST_URL"] ?? "http://127.0.0.1:8000";

export default defineConfig(({ mode }) => ({
  base: "./",
  plugins: [react()],
  publicDir: false,
  build: {
    outDir: "../core/web",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    // Assets stay separate files: the core embeds them, and the policy allows data URIs only for images.
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    sourcemap: false,
    reportCompressedSize: false,
    // The names are fixed, because the core embeds the files by their names.
    rollupOptions: {
      output: { entryFileNames: "assets/app.js", assetFileNames: "assets/[name][extname]" },
    },
  },
  // Tests read the core's catalog (core/catalog.json) and the table of codes (docs/errors.md), which are outside this folder.
  server: {
    ...(mode === "test" ? { fs: { allow: [".."] } } : {}),
    proxy: Object.fromEntries(calls.map((call) => [`/${call}`, { target: server(mode) }])),
  },
  test: { environment: "jsdom", include: ["tests/**/*.test.{ts,tsx}"], setupFiles: ["tests/setup.ts"], testTimeout: 30_000 },
}));
