import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { LIMITS, QuorumgateError } from "#base";
import { readSecretFile, writeSecretFile } from "#crypto";
import { expectCode } from "../refusals.ts";

describe("secret files", () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "quorumgate-secret-"));
    path = join(folder, "secret");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("are readable by their owner only, and leave nothing else behind", () => {
    writeSecretFile(path, "one");
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    expect(readSecretFile(path).toString()).to.equal("one");
    expect(readdirSync(folder)).to.deep.equal(["secret"]);
  });

  it("are replaced whole, with their mode", () => {
    writeFileSync(path, "an older and longer text", { mode: 0o644 });
    writeSecretFile(path, Uint8Array.of(1, 2));
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    expect([...readSecretFile(path)]).to.deep.equal([1, 2]);
  });

  it("are refused when the group or others can read or write them", () => {
    for (const mode of [0o640, 0o604, 0o620, 0o602, 0o644, 0o777]) {
      writeSecretFile(path, "secret");
      chmodSync(path, mode);
      expectCode("SECRET_FILE_UNSAFE", () => readSecretFile(path));
    }
  });

  it("are refused when missing, a link, a folder or too large", () => {
    expectCode("SECRET_FILE_UNREADABLE", () => readSecretFile(path));
    writeSecretFile(join(folder, "target"), "secret");
    symlinkSync(join(folder, "target"), path);
    expectCode("SECRET_FILE_UNREADABLE", () => readSecretFile(path));
    mkdirSync(join(folder, "folder"));
    expectCode("SECRET_FILE_UNREADABLE", () => readSecretFile(join(folder, "folder")));
    writeSecretFile(join(folder, "large"), new Uint8Array(LIMITS.secretFileBytesMax + 1));
    expectCode("SECRET_FILE_UNREADABLE", () => readSecretFile(join(folder, "large")));
  });

  it("never show what they hold in an error", () => {
    writeSecretFile(path, "hunter2");
    chmodSync(path, 0o644);
    try {
      readSecretFile(path);
      expect.fail("the file was read");
    } catch (error) {
      expect(error).to.be.instanceOf(QuorumgateError);
      expect(JSON.stringify(error) + String(error)).to.not.include("hunter2");
    }
  });

  it("leave no temporary file when the folder is missing", () => {
    expect(() => writeSecretFile(join(folder, "missing", "secret"), "one")).to.throw();
    expect(readdirSync(folder)).to.deep.equal([]);
  });
});
