import { dirname, join } from "node:path";
import ts from "typescript";
import { exists, projectFiles, readText } from "../repository.ts";
import { parseSource } from "./source.ts";

/** A line for the command line in a document, without the program's name. */
interface TypedLine {
  readonly place: string;
  readonly line: string;
  /** Stands in a block of code, to be typed as it is; in prose a command is often named without its arguments. */
  readonly whole: boolean;
}

interface Code {
  readonly text: string;
  readonly whole: boolean;
}

/** How a document names the command line, and with which command such a line begins. */
const PROGRAMS: readonly (readonly [prefix: RegExp, command: string])[] = [
  [/^(?:npx )?quorumgate /, ""],
  [/^npm run (simulate|bench)(?: -- |$)/, "$1 "],
  [/^npm (?:ci && npm )?start(?: -- |$)/, "dev "],
];

/** Every line in the documents that a reader may type; what stands for a number or an engine there becomes one. */
export function commandLinesOfDocuments(): TypedLine[] {
  return projectFiles(/\.md$/).flatMap((place) =>
    codeOf(readText(place)).flatMap(({ text, whole }) => commandLine(text).map((line) => ({ place, line, whole }))),
  );
}

function commandLine(code: string): string[] {
  const [bare = ""] = code.split(/ {2,}#/);
  const program = PROGRAMS.find(([prefix]) => prefix.test(bare));
  if (program === undefined || /[…<]/.test(bare)) return [];
  return [withValues(bare.replace(program[0], program[1])).trim()];
}

function withValues(line: string): string {
  const range = line.replace(/\bA\.\.B\b/g, "1..2").replace(/\bN\.\.N\b/g, "1..1");
  return range.replace(/(?<= )N\b/g, "1").replace(/(?<=--engine )(?:E|pbft\|tendermint\|raft)(?= |$)/g, "pbft");
}

/** Code of a document: lines of blocks, and what stands between backticks. */
function codeOf(text: string): Code[] {
  const lines = [...text.matchAll(/^```\w*\n([\s\S]*?)^```/gm)].flatMap((match) => (match[1] ?? "").split("\n"));
  const named = [...text.replace(/^```[\s\S]*?^```/gm, "").matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? "");
  return [...lines.map((line) => ({ text: line, whole: true })), ...named.map((name) => ({ text: name, whole: false }))];
}

/** What documents call by a name that nothing has: npm scripts, files of the project. */
export function deadNames(): string[] {
  const { scripts } = JSON.parse(readText("package.json")) as { scripts: Record<string, string> };
  return projectFiles(/\.md$/).flatMap((path) => {
    const text = readText(path);
    const run = [...text.matchAll(/npm run ([\w:-]+)/g)].map((match) => match[1] ?? "").filter((name) => !(name in scripts));
    const files = codeOf(text)
      .map((code) => code.text)
      .filter((name) => /^[\w./-]+\.(?:ts|mjs|cjs)$/.test(name) && filesCalled(name, path).length === 0);
    return [...run, ...files].map((name) => `${path}: ${name}`);
  });
}

/** The files that a document may mean: from the top, from its own folder, or by the end of their path. */
function filesCalled(name: string, document: string): string[] {
  const near = join(dirname(document), name);
  if (exists(near)) return [near];
  return projectFiles(/./).filter((path) => path === name || path.endsWith(`/${name}`));
}

/** What looks like a name of the code in a document's prose (`kind-of-fault`, `optionName`, `--option`) and stands nowhere in the code. */
export function deadWords(): string[] {
  const code = projectFiles(/^((src|consensus|audit|simulations|test|scripts)\/.*\.(ts|mjs|json)|package\.json)$/)
    .map(readText)
    .join("\n");
  return projectFiles(/\.md$/).flatMap((path) =>
    codeOf(readText(path))
      .filter(({ whole }) => !whole)
      .flatMap(({ text }) => [...text.matchAll(/^[A-Za-z]\w*(?:-\w+)+$|^[a-z]+[A-Z]\w*$|^--[a-z-]+/g)].map(([word]) => word))
      .filter((word) => !code.includes(word))
      .map((word) => `${path}: ${word}`),
  );
}

/**
 * Titles of tests that a document names and no test has. A document names them by a part, several with semicolons between: in parentheses behind the
 * file's name, behind "Tests:" in italics, and in tables whose head says "in FILE unless named". A part that begins as a rule's number does is none.
 */
export function deadTitles(): string[] {
  const titles = new Map(projectFiles(/^test\/.*\.test\.ts$/).map((path) => [path, titlesOf(path)]));
  return projectFiles(/\.md$/).flatMap((path) =>
    titlesNamed(readText(path)).flatMap(({ file, parts }) => {
      const known = [...titles]
        .filter(([test]) => file === undefined || test === file || test.endsWith(`/${file}`))
        .flatMap(([, all]) => all);
      return parts.filter((part) => !known.some((title) => title.includes(part))).map((part) => `${path}: ${file ?? "any test"}: ${part}`);
    }),
  );
}

interface NamedTitles {
  /** A path or its end; absent where any test may have the title. */
  readonly file?: string;
  readonly parts: readonly string[];
}

function titlesNamed(text: string): NamedTitles[] {
  const behind = [...text.matchAll(/`([\w./-]+\.test\.ts)` \(((?:[^()]|\([^()]*\))*)\)/g)];
  const italic = [...text.matchAll(/\*Tests?: ([^*`]+)\.\*/g)];
  return [
    ...behind.map(([, file = "", parts = ""]) => ({ file, parts: partsOf(parts) })),
    ...italic.map(([, parts = ""]) => ({ parts: partsOf(parts) })),
    ...[...text.matchAll(/^\|.*in `([\w./-]+\.test\.ts)` unless named \|\n((?:\|.*\n)*)/gm)].map(([, file = "", rows = ""]) => ({
      file,
      parts: rows
        .split("\n")
        .flatMap((row) => partsOf((row.split("|").at(-2) ?? "").replace(/`[^`]*`(?: \((?:[^()]|\([^()]*\))*\))?/g, ""))),
    })),
  ];
}

function partsOf(text: string): string[] {
  return text
    .split(";")
    .map((part) => part.replace(/…$/, "").replace(/^[\s,]+|[\s,]+$/g, ""))
    .filter((part) => /[a-z]{2}/.test(part) && !/^[A-Z]\d/.test(part));
}

/** Titles of a test file with those of the groups around them. */
function titlesOf(path: string): string[] {
  const titles: string[] = [];
  const walk = (node: ts.Node, above: string): void => {
    const title = titleOf(node);
    if (title !== undefined) titles.push(`${above}${title}`);
    ts.forEachChild(node, (child) => walk(child, title === undefined ? above : `${above}${title} `));
  };
  walk(parseSource(path), "");
  return titles;
}

function titleOf(node: ts.Node): string | undefined {
  if (!ts.isCallExpression(node) || !/^(it|describe|context)$/.test(node.expression.getText())) return undefined;
  return node.arguments[0]?.getText().slice(1, -1);
}
