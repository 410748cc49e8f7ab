import { ByteReader, ByteWriter } from "#base";
import { type Body, type MessageCodec, readBody, readFlag, readHash, writeBody } from "../wire.ts";
import type { RaftMessage } from "./messages.ts";
import type { HardState } from "./records.ts";

/** Raft's messages on the wire. */
export const raftCodec: MessageCodec<RaftMessage> = {
  types: [
    "vote-request",
    "vote-reply",
    "append",
    "append-reply",
    "timeout-now",
    "read-request",
    "read-reply",
    "recall-request",
    "recall-reply",
  ],
  write: writeMessage,
  read: readMessage,
};

/** An entry of the log as the write-ahead log keeps it. */
export function encodeEntry(body: Body): Uint8Array {
  return writeBody(new ByteWriter(), body).finish();
}

/** The name of a node's memory as it is kept: u64. */
export function encodeMemory(incarnation: number): Uint8Array {
  return new ByteWriter().u64(incarnation).finish();
}

/** Reads the name of a node's memory. @throws {QuorumgateError} format errors */
export function decodeMemory(bytes: Uint8Array): number {
  const reader = new ByteReader(bytes);
  const incarnation = reader.u64();
  reader.end();
  return incarnation;
}

/** Reads an entry of the log. @throws {QuorumgateError} format errors */
export function decodeEntry(bytes: Uint8Array): Body {
  const reader = new ByteReader(bytes);
  const body = readBody(reader);
  reader.end();
  return body;
}

/** Term, vote and memory as they are kept: u64 term ‖ u8 settled ‖ vote, empty without one. */
export function encodeHardState({ term, vote, settled }: HardState): Uint8Array {
  return flag(new ByteWriter().u64(term), settled)
    .text(vote ?? "")
    .finish();
}

/** Reads term and vote. @throws {QuorumgateError} format errors */
export function decodeHardState(bytes: Uint8Array): Omit<HardState, "vote"> & { readonly vote: string } {
  const reader = new ByteReader(bytes);
  const state = { term: reader.u64(), settled: readFlag(reader), vote: reader.text(63) };
  reader.end();
  return state;
}

function writeMessage(writer: ByteWriter, message: RaftMessage): ByteWriter {
  writer.u64(message.epoch).u64(message.term);
  switch (message.type) {
    case "vote-request":
      return flag(flag(writer, message.pre), message.transfer).u64(message.lastHeight).u64(message.lastTerm);
    case "vote-reply":
      return flag(flag(writer, message.pre), message.granted);
    case "append":
      writer.u64(message.prevHeight).text(message.prevDigest).u64(message.commit).u64(message.round);
      flag(writer, message.entry !== undefined);
      return message.entry === undefined ? writer : writeBody(writer, message.entry);
    case "append-reply":
      flag(writer, message.accepted).u64(message.height).u64(message.heightTerm).u64(message.round);
      return flag(writer, message.counts).u64(message.incarnation);
    case "timeout-now":
      return writer;
    case "read-request":
      return writer.u64(message.life).u64(message.id);
    case "read-reply":
      return writer.u64(message.life).u64(message.id).u64(message.height);
    case "recall-request":
      return writer.u64(message.incarnation);
    case "recall-reply":
      return writer.u64(message.incarnation).u64(message.height);
  }
}

function readMessage(reader: ByteReader, type: RaftMessage["type"]): RaftMessage {
  const head = { epoch: reader.u64(), term: reader.u64() };
  switch (type) {
    case "vote-request":
      return { type, ...head, pre: readFlag(reader), transfer: readFlag(reader), lastHeight: reader.u64(), lastTerm: reader.u64() };
    case "vote-reply":
      return { type, ...head, pre: readFlag(reader), granted: readFlag(reader) };
    case "append": {
      const place = { prevHeight: reader.u64(), prevDigest: readHash(reader), commit: reader.u64(), round: reader.u64() };
      return readFlag(reader) ? { type, ...head, ...place, entry: readBody(reader) } : { type, ...head, ...place };
    }
    case "append-reply": {
      const place = { accepted: readFlag(reader), height: reader.u64(), heightTerm: reader.u64(), round: reader.u64() };
      return { type, ...head, ...place, counts: readFlag(reader), incarnation: reader.u64() };
    }
    case "timeout-now":
      return { type, ...head };
    case "read-request":
      return { type, ...head, life: reader.u64(), id: reader.u64() };
    case "read-reply":
      return { type, ...head, life: reader.u64(), id: reader.u64(), height: reader.u64() };
    case "recall-request":
      return { type, ...head, incarnation: reader.u64() };
    case "recall-reply":
      return { type, ...head, incarnation: reader.u64(), height: reader.u64() };
  }
}

function flag(writer: ByteWriter, value: boolean): ByteWriter {
  return writer.u8(value ? 1 : 0);
}
