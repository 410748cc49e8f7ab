import { CommanderError } from "commander";
import { describeError, type ErrorCode, errorCode, fullMessage } from "#base";
import { type Output, printable } from "./output.ts";

/** Exit codes of every command but `verify`, whose codes are in docs/VERIFY.md. */
export const EXIT = { done: 0, refused: 1, usage: 2 } as const;

/** A command was called in a way that it does not understand. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

/** Says what failed, with its code and what to do about it, and returns the exit code. */
export function reportFailure(error: unknown, output: Output): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof UsageError || isAboutPath(error)) {
    output.note(`error: ${printable(error.message)}`);
    return EXIT.usage;
  }
  const failure = describeFailure(error);
  if (output.json) output.result({ error: failure }, () => "");
  output.note(formatFailure(failure, output));
  return EXIT.refused;
}

/** What the system says of a file that a caller named: there is none, or it may not be read or written. */
const PATH_CODES: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "EISDIR", "EACCES", "EPERM", "EEXIST", "EROFS"]);

function isAboutPath(error: unknown): error is Error {
  return error instanceof Error && "path" in error && "code" in error && typeof error.code === "string" && PATH_CODES.has(error.code);
}

/** An error as data: of our own its code, message and hint; of anything else its message. */
export function describeFailure(error: unknown): { readonly code: ErrorCode; readonly message: string; readonly hint: string } {
  const code = errorCode(error);
  return { code, message: printable(fullMessage(error)), hint: describeError(code).hint };
}

function formatFailure(failure: ReturnType<typeof describeFailure>, { style }: Output): string {
  return `${style.bad("error")} ${failure.code}: ${failure.message}\n  ${style.faint("hint:")} ${failure.hint}`;
}

/** Reads a whole number between bounds. @throws {UsageError} */
export function parseWhole(text: string, bounds: { readonly name: string; readonly min: number; readonly max: number }): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= bounds.min && value <= bounds.max)) {
    throw new UsageError(`${bounds.name} is a whole number from ${bounds.min} to ${bounds.max}`);
  }
  return value;
}
