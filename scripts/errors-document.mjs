// Writes docs/errors.md from the catalogue: `npm run docs:errors`; with --check it only says whether the file is current.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ERROR_ROWS } from "#base";
import { ROOT } from "./steps.mjs";

const FILE = join(ROOT, "docs/errors.md");

const INTRODUCTION = `# Error codes

Made from the catalogue in src/base/error-catalogue.ts by \`npm run docs:errors\`; do not edit it by hand.

A code is part of the API: it keeps its meaning for ever. Over HTTP it stands in the \`code\` field of a problem document (RFC 9457) with
the status below; \`quorumgate explain CODE\` prints the same lines. A refused authorization is an answer, not an error: it comes with
status 200 and the code as its reason.
`;

const document = render();
if (!process.argv.includes("--check")) writeFileSync(FILE, document);
else if (readCurrent() !== document) {
  process.stderr.write("docs/errors.md is not what the catalogue says: run `npm run docs:errors`\n");
  process.exitCode = 1;
}

function render() {
  const areas = groupByArea();
  const sections = [...areas].map(([area, codes]) => `\n## ${area}\n\n${codes.map(renderCode).join("\n")}\n`);
  return INTRODUCTION + sections.join("");
}

function groupByArea() {
  const areas = new Map();
  for (const code of Object.keys(ERROR_ROWS)) areas.set(areaOf(code), [...(areas.get(areaOf(code)) ?? []), code]);
  return areas;
}

function areaOf(code) {
  return code.slice(0, code.indexOf("_"));
}

function renderCode(code) {
  const [status, title, hint] = ERROR_ROWS[code];
  return `- \`${code}\` (${status}): ${title}. ${hint}`;
}

function readCurrent() {
  try {
    return readFileSync(FILE, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return "";
    throw error;
  }
}
