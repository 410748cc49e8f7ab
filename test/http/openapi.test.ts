import { expect } from "chai";
import { isObject } from "#base";
import { projectFiles, readText } from "../repository.ts";
import { ServedNode } from "./served-node.ts";

describe("the description of the HTTP API", () => {
  const node = new ServedNode();
  let described: string[];

  before(async () => {
    await node.begin();
    const { paths } = (await node.get("/v1/openapi.json")).json;
    described = isObject(paths) ? Object.entries(paths).flatMap(([path, methods]) => addresses(path, Object.keys(methods ?? {}))) : [];
  });
  after(() => node.end());

  it("holds every address that the server answers, and no other", () => {
    expect(described.sort()).to.deep.equal(addressesInSource().sort());
  });

  it("names nothing to read that is not there", async () => {
    const plain = described.filter((address) => address.startsWith("get ") && !address.includes("{"));
    for (const address of plain) expect((await node.get(address.slice(4))).status, address).to.not.equal(404);
  });
});

function addresses(path: string, methods: readonly string[]): string[] {
  return methods.map((method) => `${method} ${path}`);
}

/** The addresses as the room's code gives them to the server: those that read and `commands` one by one, the other writes in a table. */
function addressesInSource(): string[] {
  const code = projectFiles(/^src\/http\/.*\.ts$/)
    .map(readText)
    .join("\n");
  const routes = [...code.matchAll(/\.(get|post)\("(\/[^"]*)"/g)].map(([, method = "", path = ""]) => `${method} ${path}`);
  const table = [...code.matchAll(/^ {2}"(\/v1[^"{]*)": (?:\[|GOVERNANCE)/gm)].map(([, path = ""]) => `post ${path}`);
  return [...routes, ...table].map((address) => address.replace(/:(\w+)/g, "{$1}").replace("*", "{path}"));
}
