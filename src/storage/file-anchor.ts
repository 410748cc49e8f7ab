import { createHash } from "node:crypto";
import { closeSync, constants, fdatasync, fsyncSync, mkdirSync, openSync, readFileSync, write } from "node:fs";
import { dirname } from "node:path";
import { QuorumgateError } from "#base";

/** Two slots a disk sector apart: a torn write spoils one, never both. */
const SLOT_BYTES = 512;
const CHECK_BYTES = 16;

/** A small durable cell in a file of its own. */
export interface FileAnchor {
  read(): Uint8Array | undefined;
  write(value: Uint8Array, done: (error?: Error) => void): void;
  /** Ends it, after the write under way. */
  close(): void;
}

/**
 * Opens the vote guard's anchor, a file that stands outside the data folder. Each write goes to the slot that the last one did not use and is
 * synced before `done`; a write begins only when the one before it is done.
 * @throws {QuorumgateError} STORAGE_FAILED
 */
export function openFileAnchor(path: string): FileAnchor {
  try {
    const folder = dirname(path);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    syncFolderSync(folder);
    return new SlotFile(file, readFileSync(path));
  } catch (cause) {
    throw new QuorumgateError("STORAGE_FAILED", "the vote guard's anchor cannot be opened", { data: { path }, cause });
  }
}

/** A power cut takes a file whose name was not synced, with all that was synced into it: nodes that began together would all have forgotten. */
function syncFolderSync(folder: string): void {
  const handle = openSync(folder, constants.O_RDONLY);
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

class SlotFile implements FileAnchor {
  readonly #file: number;
  #value: Uint8Array | undefined;
  #sequence = 0;
  #isWriting = false;
  #isClosing = false;

  constructor(file: number, content: Buffer) {
    this.#file = file;
    for (const at of [0, SLOT_BYTES]) this.#load(content.subarray(at, at + SLOT_BYTES));
  }

  read(): Uint8Array | undefined {
    return this.#value;
  }

  write(value: Uint8Array, done: (error?: Error) => void): void {
    // The number of a closed file may belong to another one by now.
    if (this.#isClosing) return done(failed(new Error("it is closed")));
    const sequence = this.#sequence + 1;
    const slot = encodeSlot(sequence, value);
    const end = (error?: Error): void => {
      this.#isWriting = false;
      if (this.#isClosing) closeSync(this.#file);
      done(error);
    };
    this.#isWriting = true;
    return write(this.#file, slot, 0, slot.length, (sequence % 2) * SLOT_BYTES, (writeError, written) => {
      if (writeError !== null) return end(failed(writeError));
      // A full disk takes a part of it without an error.
      if (written !== slot.length) return end(failed(new Error("it was not written whole")));
      return fdatasync(this.#file, (syncError) => {
        if (syncError !== null) return end(failed(syncError));
        this.#sequence = sequence;
        this.#value = value;
        return end();
      });
    });
  }

  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (!this.#isWriting) closeSync(this.#file);
  }

  #load(slot: Buffer): void {
    if (slot.length < 10 + CHECK_BYTES) return;
    const sequence = Number(slot.readBigUInt64BE(0));
    const length = slot.readUInt16BE(8);
    const value = slot.subarray(10, 10 + length);
    const check = slot.subarray(10 + length, 10 + length + CHECK_BYTES);
    if (sequence <= this.#sequence || !checkOf(slot.subarray(0, 10 + length)).equals(check)) return;
    this.#sequence = sequence;
    this.#value = new Uint8Array(value);
  }
}

/** u64 sequence ‖ u16 length ‖ value ‖ first 16 bytes of the SHA-256 of all before it. */
function encodeSlot(sequence: number, value: Uint8Array): Buffer {
  const head = Buffer.alloc(10);
  head.writeBigUInt64BE(BigInt(sequence), 0);
  head.writeUInt16BE(value.length, 8);
  const body = Buffer.concat([head, value]);
  return Buffer.concat([body, checkOf(body)]);
}

function checkOf(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest().subarray(0, CHECK_BYTES);
}

function failed(cause: Error): QuorumgateError {
  return new QuorumgateError("STORAGE_FAILED", "the vote guard's anchor cannot be written", { cause });
}
