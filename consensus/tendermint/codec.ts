import { ByteReader, ByteWriter, LIMITS, parseNodeId, QuorumgateError } from "#base";
import { type MessageCodec, readBody, readHash, readList, readSlot, SIGNATURE_BYTES, writeBody } from "../wire.ts";
import type { RoundVote, TendermintMessage } from "./messages.ts";

const STEPS = ["prevote", "precommit"] as const;

/** Tendermint's messages on the wire. */
export const tendermintCodec: MessageCodec<TendermintMessage> = {
  types: ["round-proposal", "prevote", "precommit", "polka", "round-certificate", "passed-proposal"],
  write(writer, message) {
    writer.u64(message.epoch).u64(message.height).u64(message.view);
    switch (message.type) {
      case "round-proposal":
      case "passed-proposal":
        return writeBody(writer.i64(message.validRound).raw(message.signature), message);
      case "prevote":
        return writer.text(message.digest).i64(message.validRound).raw(message.signature);
      case "precommit":
        return writer.text(message.digest).raw(message.signature);
      case "polka":
        writer.text(message.digest).u32(message.votes.length);
        for (const { node, validRound, signature } of message.votes) writer.text(node).i64(validRound).raw(signature);
        return writer;
      case "round-certificate":
        writer.u32(message.votes.length);
        for (const { node, round, step, digest, validRound, signature } of message.votes) {
          writer.text(node).u64(round).u8(STEPS.indexOf(step)).text(digest).i64(validRound).raw(signature);
        }
        return writer;
    }
  },
  read(reader, type) {
    const slot = readSlot(reader);
    switch (type) {
      case "round-proposal":
      case "passed-proposal": {
        const validRound = readRound(reader);
        return { type, ...slot, validRound, signature: reader.raw(SIGNATURE_BYTES), ...readBody(reader) };
      }
      case "prevote":
        return { type, ...slot, digest: readHash(reader), validRound: readRound(reader), signature: reader.raw(SIGNATURE_BYTES) };
      case "precommit":
        return { type, ...slot, digest: readHash(reader), signature: reader.raw(SIGNATURE_BYTES) };
      case "polka": {
        const digest = readHash(reader);
        const votes = readList(reader, LIMITS.membersMax, () => ({
          node: parseNodeId(reader.text(63)),
          validRound: readRound(reader),
          signature: reader.raw(SIGNATURE_BYTES),
        }));
        return { type, ...slot, digest, votes };
      }
      case "round-certificate":
        return { type, ...slot, votes: readList(reader, LIMITS.membersMax, () => readRoundVote(reader)) };
    }
  },
};

/** A message alone, as the write-ahead log keeps it. */
export function encodeRecord(message: TendermintMessage): Uint8Array {
  return tendermintCodec.write(new ByteWriter().u8(tendermintCodec.types.indexOf(message.type)), message).finish();
}

/** Reads a record of the write-ahead log. @throws {QuorumgateError} STORAGE_CORRUPT and format errors */
export function decodeRecord(bytes: Uint8Array): TendermintMessage {
  const reader = new ByteReader(bytes);
  const type = tendermintCodec.types[reader.u8()];
  if (type === undefined) throw new QuorumgateError("STORAGE_CORRUPT", "a record of the write-ahead log does not read");
  const message = tendermintCodec.read(reader, type);
  reader.end();
  return message;
}

function readRoundVote(reader: ByteReader): RoundVote {
  const [node, round, step] = [parseNodeId(reader.text(63)), reader.u64(), STEPS[reader.u8()]];
  if (step === undefined) throw new QuorumgateError("CONSENSUS_MESSAGE_INVALID", "a vote is a prevote or a precommit");
  return { node, round, step, digest: readHash(reader), validRound: readRound(reader), signature: reader.raw(SIGNATURE_BYTES) };
}

function readRound(reader: ByteReader): number {
  const round = reader.i64();
  if (round < -1) throw new QuorumgateError("CONSENSUS_MESSAGE_INVALID", "a round is −1 or more");
  return round;
}
