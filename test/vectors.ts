import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "mocha";
import { REPOSITORY } from "./repository.ts";

/**
 * The folder of a public test suite, or undefined where the vectors are not on this machine: $QUORUMGATE_VECTORS, else
 * `../shared/vectors` beside the checkout. With QUORUMGATE_VECTORS_REQUIRED=1 a missing folder is a failure.
 */
export function vectorsFolder(name: string): string | undefined {
  const places = [process.env["QUORUMGATE_VECTORS"], join(REPOSITORY, "..", "shared", "vectors")];
  for (const place of places) {
    if (place !== undefined && place !== "" && existsSync(join(place, name))) return join(place, name);
  }
  if (process.env["QUORUMGATE_VECTORS_REQUIRED"] === "1") throw new Error(`the vectors ${name} are missing`);
  return undefined;
}

/** The same, and skips the test where the vectors are not there. */
export function needVectors(test: Context, name: string): string {
  const folder = vectorsFolder(name);
  return folder ?? test.skip();
}

/** A vector file as JSON. */
export function readVectors<T>(folder: string, file: string): T {
  return JSON.parse(readFileSync(join(folder, file), "utf8")) as T;
}

/** Files below a folder in ascending order, relative to it. */
export function vectorFiles(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => !name.startsWith("LICENSE") && /\.[a-z]+$/.test(name))
    .sort();
}
