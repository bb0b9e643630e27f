// A static export carries inline scripts. Their hashes let the server send a policy without 'unsafe-inline':
// out/csp.json = {"script-src": ["sha256-…"], "style-src": ["sha256-…"]}, sorted, over every page.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = process.argv[2] ?? "out";
const found = { script: new Set(), style: new Set() };

const pages = readdirSync(root, { recursive: true }).filter((name) => name.endsWith(".html"));
for (const page of pages) {
  const html = readFileSync(join(root, page), "utf8");
  for (const [, tag, attributes, body] of html.matchAll(/<(script|style)\b([^>]*)>([\s\S]*?)<\/\1>/gi)) {
    if (/\ssrc\s*=/i.test(attributes) || body === "") continue;
    found[tag.toLowerCase()].add(`sha256-${createHash("sha256").update(body, "utf8").digest("base64")}`);
  }
}

const policy = { "script-src": [...found.script].sort(), "style-src": [...found.style].sort() };
writeFileSync(join(root, "csp.json"), `${JSON.stringify(policy, null, 2)}\n`);
process.stdout.write(
  `csp.json: ${policy["script-src"].length} scripts, ${policy["style-src"].length} styles in ${pages.length} pages\n`,
);
