import { projectFiles, readText } from "../repository.ts";

/** Where the rules of each protocol document are kept. Numbers are a document's own: `P1` is another rule in two of them. */
const PLACES: Readonly<Record<string, RegExp>> = {
  evidence: /^(src\/(base|state|replica)|consensus)\//,
  membership: /^(src\/(base|state|replica|identity)|consensus|audit)\//,
  pbft: /^(consensus\/(pbft\/)?[^/]+$|src\/(replica|state)\/)/,
  raft: /^(consensus\/(raft\/)?[^/]+$|src\/replica\/)/,
  "state-transfer": /^src\/(replica\/(transfer|ledger)|state)\//,
  tendermint: /^consensus\/(tendermint\/)?[^/]+$/,
};

/** Rules of the protocol documents whose number no comment of their code names. */
export function rulesWithoutCode(): string[] {
  return projectFiles(/^docs\/protocols\/.*\.md$/).flatMap((document) => {
    const name = document.replace(/^.*\/|\.md$/g, "");
    const place = PLACES[name];
    if (place === undefined) return [`${document}: its code is nowhere`];
    const named = numbersIn(projectFiles(/\.ts$/).filter((path) => place.test(path)));
    return rulesOf(document)
      .filter((rule) => !named.has(rule))
      .map((rule) => `${name} ${rule}`);
  });
}

/** Every rule that a document states: its number begins what is set in bold. */
export function rulesOf(document: string): string[] {
  const stated = [...readText(document).matchAll(/\*\*([A-Z]\d+)\b/g)].map((match) => match[1] ?? "");
  return [...new Set(stated)];
}

/** The numbers in the comments of files; `T1 to T4` names four. */
function numbersIn(paths: readonly string[]): ReadonlySet<string> {
  const comments = paths.flatMap((path) => [...readText(path).matchAll(/\/\/.*|\/\*[\s\S]*?\*\//g)].map(([comment]) => comment));
  return new Set(
    comments.flatMap((comment) => [
      ...[...comment.matchAll(/\b[A-Z]\d+\b/g)].map(([number]) => number),
      ...[...comment.matchAll(/\b([A-Z])(\d+) to \1(\d+)\b/g)].flatMap(([, letter, from, to]) => range(letter, Number(from), Number(to))),
    ]),
  );
}

function range(letter: string | undefined, from: number, to: number): string[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => `${letter}${from + at}`);
}
