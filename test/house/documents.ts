import { dirname, join } from "node:path";
import ts from "typescript";
import { exists, projectFiles, REPOSITORY, readText } from "../repository.ts";

/** Links of a Markdown file that lead nowhere inside the project; addresses on the web are not visited. */
export function deadLinks(path: string): string[] {
  const text = withoutCode(readText(path));
  const targets = [...text.matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)].map((match) => match[1] ?? "");
  const inside = targets.filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target));
  return inside.filter((target) => !leadsSomewhere(path, target)).map((target) => `${path}: ${target}`);
}

function leadsSomewhere(path: string, target: string): boolean {
  const [file = "", anchor] = target.split("#");
  const goal = file === "" ? path : join(dirname(path), decodeURIComponent(file)).replaceAll("\\", "/");
  if (!exists(goal)) return false;
  return anchor === undefined || anchorsOf(goal).has(anchor);
}

function anchorsOf(path: string): Set<string> {
  const headings = [...withoutCode(readText(path)).matchAll(/^#{1,6}\s+(.*)$/gm)].map((match) => match[1] ?? "");
  return new Set(headings.map(slugOf));
}

/** The anchor that Git hosts make from a heading. */
function slugOf(heading: string): string {
  const bare = heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "");
  return bare.replace(/\s/g, "-");
}

function withoutCode(text: string): string {
  return text.replace(/^(```|~~~)[\s\S]*?^\1/gm, "");
}

/** A piece of TypeScript in a document, at the line where it begins. */
interface Snippet {
  readonly place: string;
  readonly text: string;
}

/** TypeScript in the documents that stands alone: it imports something, so a reader may take it as it is. */
export function snippets(): Snippet[] {
  return projectFiles(/\.md$/).flatMap((path) => {
    const text = readText(path);
    const blocks = [...text.matchAll(/^```(?:ts|typescript)\n([\s\S]*?)^```/gm)];
    return blocks
      .map((match) => ({ place: `${path}:${text.slice(0, match.index).split("\n").length}`, text: match[1] ?? "" }))
      .filter((snippet) => /^import /m.test(snippet.text));
  });
}

/** Compiles every snippet against the source of the library with the project's own strict flags; what the compiler says of them. */
export function compileSnippets(all: readonly Snippet[]): string[] {
  const files = new Map(all.map((snippet, index) => [join(REPOSITORY, `snippet-${index}.ts`), snippet]));
  const options = snippetOptions();
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.readFile = (name) => files.get(name)?.text ?? readFile(name);
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files.entries()].flatMap(([name, snippet]) => {
    const source = program.getSourceFile(name);
    const diagnostics = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return diagnostics.map((diagnostic) => `${snippet.place}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, " ")}`);
  });
}

function snippetOptions(): ts.CompilerOptions {
  const file = join(REPOSITORY, "tsconfig.base.json");
  const read = ts.readConfigFile(file, (name) => ts.sys.readFile(name));
  const base = ts.convertCompilerOptionsFromJson(read.config.compilerOptions, REPOSITORY).options;
  const changed: ts.CompilerOptions = {
    noEmit: true,
    composite: false,
    incremental: false,
    declaration: false,
    declarationMap: false,
    isolatedDeclarations: false,
    skipLibCheck: true,
    types: ["node"],
    paths: sourceOfExports(),
  };
  return { ...base, ...changed };
}

/** `quorumgate` and its parts, as a user names them, led to the source: a snippet must fit what is written, not what was built last. */
function sourceOfExports(): Record<string, string[]> {
  const { exports } = JSON.parse(readText("package.json")) as { exports: Record<string, { types?: string } | string> };
  const entries = Object.entries(exports).flatMap(([name, entry]) => {
    if (typeof entry === "string" || entry.types === undefined) return [];
    const source = join(REPOSITORY, entry.types.replace("./dist/", "").replace(/\.d\.ts$/, ".ts"));
    return [[name.replace(/^\./, "quorumgate"), [source]] as const];
  });
  return Object.fromEntries(entries.map(([name, paths]) => [name, [...paths]]));
}
