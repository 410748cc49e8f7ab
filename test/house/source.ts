import ts from "typescript";
import { readText } from "../repository.ts";

/** A file as the compiler reads it, so that comments and strings are not mistaken for code. */
export function parseSource(path: string): ts.SourceFile {
  return ts.createSourceFile(path, readText(path), ts.ScriptTarget.ES2023, true);
}

/** Calls `visit` for every node of the file. */
export function visitNodes(file: ts.SourceFile, visit: (node: ts.Node) => void): void {
  const walk = (node: ts.Node): void => {
    visit(node);
    ts.forEachChild(node, walk);
  };
  walk(file);
}

/** Where a node stands, for people: `path:line`. */
export function placeOf(file: ts.SourceFile, node: ts.Node): string {
  return `${file.fileName}:${file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1}`;
}

/** Every string that stands as such in the code of a file. */
export function stringsOf(file: ts.SourceFile): string[] {
  const strings: string[] = [];
  visitNodes(file, (node) => {
    if (ts.isStringLiteralLike(node)) strings.push(node.text);
  });
  return strings;
}

/** What ES2023 still offers that would make two nodes differ, or that waits. */
const IMPURE = new Set([
  "Date",
  "Intl",
  "WeakRef",
  "FinalizationRegistry",
  "Promise",
  "Atomics",
  "SharedArrayBuffer",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "performance",
  "process",
  "console",
]);
const IMPURE_METHODS = new Set(["localeCompare", "toLocaleString", "toLocaleUpperCase", "toLocaleLowerCase", "normalize"]);

/** The places of a pure room's file that name a clock, chance, a timer, the locale, or wait. */
export function impurities(path: string): string[] {
  const file = parseSource(path);
  const found: string[] = [];
  visitNodes(file, (node) => {
    const what = impurity(node);
    if (what !== undefined) found.push(`${placeOf(file, node)} ${what}`);
  });
  for (const reference of [...file.typeReferenceDirectives, ...file.libReferenceDirectives, ...file.referencedFiles]) {
    found.push(`${path} /// <reference to ${reference.fileName}>`);
  }
  return found;
}

function impurity(node: ts.Node): string | undefined {
  if (ts.isAwaitExpression(node) || node.kind === ts.SyntaxKind.AsyncKeyword || node.kind === ts.SyntaxKind.AwaitKeyword) return "await";
  if (ts.isPropertyAccessExpression(node)) {
    if (IMPURE_METHODS.has(node.name.text)) return node.name.text;
    if (node.name.text === "random" && ts.isIdentifier(node.expression) && node.expression.text === "Math") return "Math.random";
  }
  if (!ts.isIdentifier(node) || !IMPURE.has(node.text)) return undefined;
  const { parent } = node;
  const isMember =
    (ts.isPropertyAccessExpression(parent) && parent.name === node) || (ts.isPropertyAssignment(parent) && parent.name === node);
  return isMember ? undefined : node.text;
}
