import { chmod, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { errorCode } from "#base";
import { atomicWriteFile, readFileIfPresent } from "#storage";

describe("atomicWriteFile", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "quorumgate-files-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("replaces the bytes and leaves nothing else behind", async () => {
    const path = join(folder, "anchor");
    expect(await readFileIfPresent(path)).to.equal(undefined);
    await atomicWriteFile(path, Uint8Array.of(1, 2), 0o600);
    await atomicWriteFile(path, Uint8Array.of(3), 0o600);
    expect([...((await readFileIfPresent(path)) ?? [])]).to.deep.equal([3]);
    expect(await readdir(folder)).to.deep.equal(["anchor"]);
  });

  it("gives the file the asked permissions, whatever the old file's and the mask were", async () => {
    const path = join(folder, "secret");
    await writeFile(path, "old");
    await chmod(path, 0o666);
    await atomicWriteFile(path, Uint8Array.of(1), 0o600);
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
    await atomicWriteFile(path, Uint8Array.of(1), 0o664);
    expect((await stat(path)).mode & 0o777).to.equal(0o664);
  });

  it("keeps the old bytes and cleans up when it fails", async () => {
    const path = join(folder, "taken");
    // A folder that is not empty cannot be replaced by a file.
    await atomicWriteFile(join(folder, "inner"), Uint8Array.of(1), 0o600);
    const failure = await atomicWriteFile(join(path, "missing", "file"), Uint8Array.of(1), 0o600).catch(errorCode);
    expect(failure).to.equal("STORAGE_FAILED");
    expect(await atomicWriteFile(folder, Uint8Array.of(1), 0o600).catch(errorCode)).to.equal("STORAGE_FAILED");
    expect(await readdir(folder)).to.deep.equal(["inner"]);
    expect(
      (await readdir(join(folder, ".."))).filter((name) => name.endsWith(".tmp") && name.includes(folder.split("/").at(-1) ?? "")),
    ).to.deep.equal([]);
  });

  it("tells a file that is there but unreadable from one that is not there", async () => {
    expect(await readFileIfPresent(folder).catch(errorCode)).to.equal("STORAGE_FAILED");
  });
});
