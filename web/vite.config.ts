import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The page is served at /dashboard/scalability; its files lie below that path.
export default defineConfig({
  base: "/dashboard/scalability/",
  plugins: [react()],
  build: { outDir: "dist", emptyOutDir: true, chunkSizeWarningLimit: 900, sourcemap: false },
  server: { proxy: { "/api": "http://127.0.0.1:8080" } },
});
