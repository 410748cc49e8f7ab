import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { REPOSITORY } from "../repository.ts";

/** What the Go program says of a folder. */
export interface GoVerdict {
  readonly ok: boolean;
  /** Its report, or why it refused. */
  readonly output: string;
}

/** The independent verifier of test/interop/main.go, built once into a folder of its own. */
export class GoVerifier {
  readonly #folder = mkdtempSync(join(tmpdir(), "quorumgate-interop-"));

  /**
   * Builds it, or says why it cannot be built here. With QUORUMGATE_INTEROP_REQUIRED=1 that is an error.
   * @returns undefined when it was built
   */
  build(): string | undefined {
    try {
      const options = { cwd: join(REPOSITORY, "test", "interop"), encoding: "utf8", stdio: "pipe", timeout: 110_000 } as const;
      execFileSync("go", ["build", "-mod=readonly", "-buildvcs=false", "-o", this.#binary, "."], options);
      return undefined;
    } catch (error) {
      if (process.env["QUORUMGATE_INTEROP_REQUIRED"] === "1") throw error;
      const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
      return isMissing ? "Go is not installed" : "Go could not build the verifier (its one module may be out of reach)";
    }
  }

  /** Writes the files into a fresh folder and runs the verifier on it. */
  run(files: ReadonlyMap<string, Uint8Array>): GoVerdict {
    const folder = mkdtempSync(join(this.#folder, "evidence-"));
    for (const [path, bytes] of files) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), bytes);
    }
    const { status, stdout, stderr } = spawnSync(this.#binary, [folder], { encoding: "utf8", timeout: 30_000 });
    rmSync(folder, { recursive: true });
    return { ok: status === 0, output: status === 0 ? stdout : stderr };
  }

  /** Removes what it made. */
  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #binary(): string {
    return join(this.#folder, process.platform === "win32" ? "interop.exe" : "interop");
  }
}
