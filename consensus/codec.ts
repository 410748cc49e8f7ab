import { ByteReader, ByteWriter, invariant, QuorumgateError } from "#base";
import type { ConsensusMessage, SharedMessage } from "./messages.ts";
import { pbftCodec } from "./pbft/codec.ts";
import { raftCodec } from "./raft/codec.ts";
import { tendermintCodec } from "./tendermint/codec.ts";
import {
  type MessageCodec,
  readBatch,
  readBody,
  readCertificate,
  readHash,
  readHeaderBytes,
  readOptionalCertificate,
  writeBatch,
  writeBody,
  writeCertificate,
  writeOptionalCertificate,
} from "./wire.ts";

const sharedCodec: MessageCodec<SharedMessage> = {
  types: ["fetch-proposal", "proposal-body", "block", "height-request", "height-reply"],
  write(writer, message) {
    switch (message.type) {
      case "fetch-proposal":
        return writer.u64(message.height).text(message.digest);
      case "proposal-body":
        return writeBody(writer.u64(message.height), message);
      case "block":
        return writeCertificate(writeBatch(writer.bytes(message.headerBytes), message.batch), message.certificate);
      case "height-request":
        return writer.u64(message.incarnation).u64(message.round);
      case "height-reply":
        return writeOptionalCertificate(writer.u64(message.incarnation).u64(message.epoch).u64(message.round), message.certificate);
    }
  },
  read(reader, type) {
    switch (type) {
      case "fetch-proposal":
        return { type, height: reader.u64(), digest: readHash(reader) };
      case "proposal-body":
        return { type, height: reader.u64(), ...readBody(reader) };
      case "block":
        return { type, headerBytes: readHeaderBytes(reader), batch: readBatch(reader), certificate: readCertificate(reader) };
      case "height-request":
        return { type, incarnation: reader.u64(), round: reader.u64() };
      case "height-reply": {
        const [incarnation, epoch, round] = [reader.u64(), reader.u64(), reader.u64()];
        const certificate = readOptionalCertificate(reader);
        return certificate === undefined ? { type, incarnation, epoch, round } : { type, incarnation, epoch, round, certificate };
      }
    }
  },
};

/** First number of each codec's types on the wire. */
const CODECS: readonly (readonly [number, MessageCodec<ConsensusMessage>])[] = [
  [0, sharedCodec as MessageCodec<ConsensusMessage>],
  [16, pbftCodec as MessageCodec<ConsensusMessage>],
  [32, tendermintCodec as MessageCodec<ConsensusMessage>],
  [48, raftCodec as MessageCodec<ConsensusMessage>],
];

const BY_TYPE = new Map<string, { readonly number: number; readonly codec: MessageCodec<ConsensusMessage> }>();
const BY_NUMBER = new Map<number, { readonly type: ConsensusMessage["type"]; readonly codec: MessageCodec<ConsensusMessage> }>();
for (const [base, codec] of CODECS) {
  for (const [index, type] of codec.types.entries()) {
    BY_TYPE.set(type, { number: base + index, codec });
    BY_NUMBER.set(base + index, { type, codec });
  }
}

/** Message: u8 type ‖ fields, big-endian; lists behind their count. There is one encoding of each message. */
export function encodeMessage(message: ConsensusMessage): Uint8Array {
  const entry = BY_TYPE.get(message.type);
  invariant(entry !== undefined, "every type of message has a codec");
  return entry.codec.write(new ByteWriter().u8(entry.number), message).finish();
}

/** Reads a message; every count is checked against its bound. @throws {QuorumgateError} CONSENSUS_MESSAGE_INVALID and format errors */
export function decodeMessage(bytes: Uint8Array): ConsensusMessage {
  const reader = new ByteReader(bytes);
  const entry = BY_NUMBER.get(reader.u8());
  if (entry === undefined) throw new QuorumgateError("CONSENSUS_MESSAGE_INVALID", "unknown type of message");
  const message = entry.codec.read(reader, entry.type);
  reader.end();
  return message;
}
