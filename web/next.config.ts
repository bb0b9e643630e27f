import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { NextConfig } from "next";

const development = process.env.NODE_ENV === "development";

/** The same sources give the same build id, so that two builds of one commit are the same files. */
function sourceDigest(): string {
  const digest = createHash("sha256");
  const files = readdirSync("src", { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of [...files, "package-lock.json"]) digest.update(file).update(readFileSync(file));
  return digest.digest("hex").slice(0, 16);
}

const config: NextConfig = {
  output: development ? undefined : "export",
  trailingSlash: true,
  reactStrictMode: true,
  poweredByHeader: false,
  devIndicators: false,
  images: { unoptimized: true },
  generateBuildId: () => sourceDigest(),
  experimental: { optimizePackageImports: ["@mantine/core", "@mantine/hooks"] },
  ...(development && {
    skipTrailingSlashRedirect: true,
    rewrites: async () => [
      {
        source: "/api/v2/:path*",
        destination: `${process.env.EVENKEEL_SERVER ?? "http://127.0.0.1:8000"}/api/v2/:path*`,
      },
    ],
  }),
};

export default config;
