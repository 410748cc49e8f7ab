import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { encodeUtf8 } from "#base";
import { type FileAnchor, openFileAnchor } from "#storage";

describe("the vote guard's anchor in a file", () => {
  let folder: string;
  const path = (): string => join(folder, "guard", "anchor");
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "quorumgate-anchor-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (anchor: FileAnchor, value: string): Promise<void> =>
    new Promise((resolve, reject) => anchor.write(encodeUtf8(value), (error) => (error === undefined ? resolve() : reject(error))));
  const reopened = (): string | undefined => {
    const anchor = openFileAnchor(path());
    const value = anchor.read();
    anchor.close();
    return value === undefined ? undefined : Buffer.from(value).toString();
  };

  it("is empty at first, and holds what was written last", async () => {
    expect(reopened()).to.equal(undefined);
    const anchor = openFileAnchor(path());
    for (const value of ["1", "2", "3"]) await write(anchor, value);
    anchor.close();
    expect(reopened()).to.equal("3");
  });

  it("holds what was written before, whichever byte of the last write is wrong", async () => {
    const anchor = openFileAnchor(path());
    for (const value of ["one", "two"]) await write(anchor, value);
    anchor.close();
    const whole = readFileSync(path());
    // The second write went to the first slot: u64, u16, three bytes and sixteen of the check.
    for (let at = 0; at < 8 + 2 + 3 + 16; at++) {
      const torn = Buffer.from(whole);
      torn[at] = (torn[at] ?? 0) ^ 0x40;
      writeFileSync(path(), torn);
      expect(reopened(), `byte ${at}`).to.equal("one");
    }
  });

  it("ends after the write under way, and takes none afterwards", async () => {
    const anchor = openFileAnchor(path());
    const written = write(anchor, "last");
    anchor.close();
    anchor.close();
    await written;
    const refusal = await write(anchor, "later").then(
      () => "taken",
      (error: Error) => error.message,
    );
    expect(refusal).to.include("anchor cannot be written");
    expect(reopened()).to.equal("last");
  });
});
