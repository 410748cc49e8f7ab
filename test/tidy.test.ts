import { spawnSync } from "node:child_process";
import { expect } from "chai";
import ts from "typescript";
import { ERROR_ROWS, isErrorCode, VERSION } from "#base";
import { compileSnippets, deadLinks, snippets } from "./house/documents.ts";
import { deadNames, deadTitles, deadWords } from "./house/references.ts";
import { rulesOf, rulesWithoutCode } from "./house/rules.ts";
import { impurities, parseSource, placeOf, stringsOf, visitNodes } from "./house/source.ts";
import { exists, PURE_ROOMS, projectFiles, REPOSITORY, readText } from "./repository.ts";

const CODE = /\.(ts|mts|cts|mjs|cjs|js|go|sh)$/;
const PRODUCT = /^(src|consensus|audit|simulations)\/.*\.ts$/;
const TEXT = /\.(ts|mts|cts|mjs|cjs|js|go|sh|json|jsonc|md|yml|yaml|txt|grit)$|(^|\/)(run|\.npmrc|\.gitignore)$/;
const CATALOGUE = "src/base/error-catalogue.ts";
const LIMITS_FILE = "src/base/limits.ts";

/** What holds for the whole tree and no linter checks. Every test lists the places that break it. */
describe("a tidy house", function () {
  this.timeout(60_000);

  describe("files", () => {
    it("have at most 400 lines", () => {
      const long = projectFiles(CODE).map((path) => ({ path, lines: readText(path).split("\n").length - 1 }));
      expect(long.filter(({ lines }) => lines > 400)).to.deep.equal([]);
    });

    it("name no machine's folders and no package registry", () => {
      const machine = /(?:^|[\s"'`(=:,])\/(?:home|root|Users|work|farm)\/[\w.-]/m;
      const registry = /registry\.[a-z-]+\.(?:org|com|io)|"resolved": ?"http/;
      const found = projectFiles(TEXT).filter((path) => machine.test(readText(path)) || registry.test(readText(path)));
      expect(found).to.deep.equal([]);
    });

    it("give the package's version", () => {
      expect(VERSION).to.equal((JSON.parse(readText("package.json")) as { version: string }).version);
    });

    it("leave no test focused, switched off or for later", () => {
      const found = projectFiles(/^(test|simulations)\/.*\.ts$/).flatMap((path) => switchedOff(path));
      expect(found).to.deep.equal([]);
    });
  });

  describe("pure rooms", () => {
    it("name no clock, chance, timer or locale, and never wait", () => {
      const files = projectFiles(PRODUCT).filter((path) => PURE_ROOMS.some((room) => path.startsWith(`${room}/`)));
      expect(files.flatMap(impurities)).to.deep.equal([]);
    });

    it("are compiled without the types of Node and with references to lower rooms only", () => {
      const base = readConfig("tsconfig.base.json");
      expect(base.compilerOptions).to.deep.include({ types: [], lib: ["ES2023"] });
      for (const room of PURE_ROOMS) {
        const { compilerOptions, references = [] } = readConfig(`${room}/tsconfig.json`);
        expect(compilerOptions, room).to.equal(undefined);
        expect(references.map((reference) => reference.path.split("/").at(-1))).to.deep.equal(room === "src/base" ? [] : ["base"]);
      }
    });
  });

  describe("rooms", () => {
    for (const room of rooms()) {
      it(`${room} has a list of its public names and a README`, () => {
        const door = room === "src/cli" ? "main.ts" : "index.ts";
        expect([door, "README.md"].filter((file) => !exists(`${room}/${file}`))).to.deep.equal([]);
      });
    }

    it("stand behind every door that package.json declares", () => {
      const { imports } = JSON.parse(readText("package.json")) as { imports: Record<string, Record<string, string>> };
      const absent = Object.entries(imports).filter(([, door]) => !exists((door["quorumgate-source"] ?? "").replace("./", "")));
      expect(absent.map(([name]) => name)).to.deep.equal([]);
    });
  });

  describe("error codes", () => {
    const areas = new Set(Object.keys(ERROR_ROWS).map(areaOf));
    const looksLikeCode = (text: string): boolean => /^[A-Z]+(_[A-Z0-9]+)+$/.test(text) && areas.has(areaOf(text));
    const productStrings = new Map(projectFiles(PRODUCT).map((path) => [path, path === CATALOGUE ? [] : stringsOf(parseSource(path))]));

    it("stand in the catalogue when the product uses them", () => {
      const unknown = [...productStrings].flatMap(([path, strings]) =>
        strings.filter((text) => looksLikeCode(text) && !isErrorCode(text)).map((text) => `${path}: ${text}`),
      );
      expect(unknown).to.deep.equal([]);
    });

    it("stand in the catalogue when a document names them", () => {
      const unknown = projectFiles(/\.md$/).flatMap((path) =>
        [...readText(path).matchAll(/`([A-Z0-9_]+)`/g)]
          .map((match) => match[1] ?? "")
          .filter((text) => looksLikeCode(text) && !isErrorCode(text)),
      );
      expect(unknown).to.deep.equal([]);
    });

    it("are used when they stand in the catalogue", () => {
      const used = new Set([...productStrings.values()].flat());
      expect(Object.keys(ERROR_ROWS).filter((code) => !used.has(code))).to.deep.equal([]);
    });

    it("are listed in docs/errors.md as the catalogue has them", () => {
      const { status, stderr } = spawnSync(process.execPath, [...process.execArgv, "scripts/errors-document.mjs", "--check"], {
        cwd: REPOSITORY,
        encoding: "utf8",
      });
      expect({ status, stderr }).to.deep.equal({ status: 0, stderr: "" });
    });
  });

  describe("limits", () => {
    it("each have a comment with the reason", () => {
      const file = parseSource(LIMITS_FILE);
      const silent = limitsOf(file).filter((limit) => ts.getLeadingCommentRanges(file.text, limit.getFullStart()) === undefined);
      expect(silent.map((limit) => placeOf(file, limit))).to.deep.equal([]);
    });

    it("are each obeyed somewhere", () => {
      const product = projectFiles(PRODUCT).filter((path) => path !== LIMITS_FILE);
      const text = product.map(readText).join("\n");
      const names = limitsOf(parseSource(LIMITS_FILE)).map((limit) => limit.name.getText());
      expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).to.deep.equal([]);
    });
  });

  describe("documents", () => {
    it("have no dead links", () => {
      expect(projectFiles(/\.md$/).flatMap(deadLinks)).to.deep.equal([]);
    });

    it("number the rules of the protocols as the code does", () => {
      expect(rulesOf("docs/protocols/pbft.md")).to.include.members(["P1", "V9", "G4", "R3"]);
      expect(rulesWithoutCode()).to.deep.equal([]);
    });

    it("exist when a text or an error's hint sends the reader there", () => {
      const sent = projectFiles(TEXT).flatMap((path) =>
        [...readText(path).matchAll(/(?<![\w/.-])docs\/[\w./-]+\.md\b/g)].map((match) => ({ path, document: match[0] })),
      );
      expect(sent.filter(({ document }) => !exists(document))).to.deep.equal([]);
    });

    it("name npm scripts, files, words of the code and tests that exist, tests by their titles too", () => {
      expect(deadNames()).to.deep.equal([]);
      expect(deadTitles()).to.deep.equal([]);
      expect(deadWords()).to.deep.equal([]);
    });

    it("hold TypeScript that compiles against the library", () => {
      const all = snippets();
      expect(all.filter((snippet) => snippet.place.startsWith("README.md"))).to.not.deep.equal([]);
      expect(compileSnippets(all)).to.deep.equal([]);
    });

    it("stand above every exported function", () => {
      // typedoc asks it of all other exports; of functions it could ask it only together with every method of a class.
      expect(projectFiles(PRODUCT).flatMap(silentFunctions)).to.deep.equal([]);
    });

    it("tell what changed in the version of package.json", () => {
      const { version } = JSON.parse(readText("package.json")) as { version: string };
      expect(readText("CHANGELOG.md")).to.match(new RegExp(`^## ${version.replaceAll(".", "\\.")}\\b`, "m"));
    });
  });
});

function areaOf(code: string): string {
  return code.slice(0, code.indexOf("_"));
}

function rooms(): string[] {
  const folders = projectFiles(PRODUCT).map((path) =>
    path.startsWith("src/") ? path.split("/").slice(0, 2).join("/") : (path.split("/")[0] ?? ""),
  );
  return [...new Set(folders)].filter((folder) => !folder.endsWith(".ts"));
}

interface ProjectFile {
  readonly compilerOptions?: Readonly<Record<string, unknown>>;
  readonly references?: readonly { readonly path: string }[];
}

function readConfig(path: string): ProjectFile {
  return JSON.parse(readText(path)) as ProjectFile;
}

function limitsOf(file: ts.SourceFile): ts.PropertyAssignment[] {
  const limits: ts.PropertyAssignment[] = [];
  visitNodes(file, (node) => {
    if (ts.isPropertyAssignment(node)) limits.push(node);
  });
  return limits;
}

function silentFunctions(path: string): string[] {
  const file = parseSource(path);
  const exported = file.statements.filter(ts.isFunctionDeclaration).filter(({ modifiers }) => modifiers?.some(isExport));
  return exported.filter((statement) => ts.getJSDocCommentsAndTags(statement).length === 0).map((statement) => placeOf(file, statement));
}

function isExport(modifier: ts.ModifierLike): boolean {
  return modifier.kind === ts.SyntaxKind.ExportKeyword;
}

/** `it.only`, `describe.skip`, `xit` and their kin; a test that lacks its vectors says so with `this.skip()`, which is another thing. */
function switchedOff(path: string): string[] {
  const file = parseSource(path);
  const found: string[] = [];
  visitNodes(file, (node) => {
    if (!ts.isCallExpression(node)) return;
    const called = node.expression.getText(file);
    if (/^(it|describe|context|specify)\.(only|skip)$|^(xit|xdescribe|xcontext|xspecify)$/.test(called))
      found.push(`${placeOf(file, node)} ${called}`);
  });
  return found;
}
