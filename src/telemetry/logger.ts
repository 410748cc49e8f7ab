import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from "pino";
import type { LogLevel } from "#base";

/** Fields that never reach a log line, wherever in it they stand: a mistake of ours must not publish a secret. */
const REDACTED_FIELDS = [
  "authorization",
  "cookie",
  "credential",
  "passphrase",
  "password",
  "pem",
  "privateKey",
  "privateKeyPem",
  "secret",
  "secretKey",
  "seed",
  "token",
];

/** The process's logger. */
export type ProcessLogger = Logger;

/** What a logger is made of. */
export interface LoggerOptions {
  readonly logLevel: LogLevel;
  /** On every line, such as `{ node: "node-1" }`. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Where lines go; standard error by default, because standard output belongs to what a command prints. */
  readonly destination?: DestinationStream;
}

/**
 * JSON lines with an ISO time and the level's name. JSON escapes control characters, so that a name from outside cannot forge a
 * line or colour a terminal.
 */
export function createLogger(options: LoggerOptions): ProcessLogger {
  const settings = {
    level: options.logLevel,
    base: options.fields ?? null,
    timestamp: stdTimeFunctions.isoTime,
    messageKey: "event",
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: REDACTED_FIELDS.flatMap((field) => [field, `*.${field}`]), censor: "[redacted]" },
  };
  return pino(settings, options.destination ?? destination({ dest: 2, sync: true }));
}
