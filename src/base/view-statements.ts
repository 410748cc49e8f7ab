import { ByteWriter } from "./byte-codec.ts";
import { concatBytes, equalBytes, fromBase64Url, fromHex, toBase64Url } from "./bytes.ts";
import type { CanonicalObject } from "./canonical.ts";
import { QuorumgateError } from "./errors.ts";
import { FieldReader } from "./fields.ts";
import { type Hash, type NodeId, parseHash, parseNodeId } from "./ids.ts";
import { LIMITS } from "./limits.ts";
import { signedBytes } from "./signing.ts";

/** A prepared certificate as a view change signs it. */
export interface PreparedSummary {
  readonly height: number;
  readonly view: number;
  readonly digest: Hash;
  /** SHA-256 of the certificate's bytes. */
  readonly certificate: Hash;
}

/** A view change of pbft as it was signed, without epoch and sender (docs/protocols/pbft.md, V3). */
export interface ViewChangeStatement {
  /** The sender's lowest undecided height. */
  readonly height: number;
  readonly view: number;
  /** Digest of the block below the height. */
  readonly parent: Hash;
  /** What the sender proves to be prepared at the heights in flight. */
  readonly prepared: readonly PreparedSummary[];
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** A new-view of pbft as it was signed, without epoch and sender (V5). */
export interface NewViewStatement {
  readonly height: number;
  readonly view: number;
  /** The view changes that it stands on, by their signatures. */
  readonly viewChanges: readonly { readonly node: NodeId; readonly signature: Uint8Array }[];
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** Whose statement it is. */
export interface Speaker {
  readonly cluster: Hash;
  readonly epoch: number;
  readonly node: NodeId;
}

const MAX = Number.MAX_SAFE_INTEGER;

/** cluster (32) ‖ epoch ‖ height ‖ view ‖ sender ‖ parent ‖ u8 count ‖ each certificate's height ‖ view ‖ digest (32) ‖ hash (32). */
export function encodeViewChangeBody(speaker: Speaker, said: Omit<ViewChangeStatement, "signature">): Uint8Array {
  const writer = new ByteWriter().u64(speaker.epoch).u64(said.height).u64(said.view).text(speaker.node).text(said.parent);
  writer.u8(said.prepared.length);
  for (const { height, view, digest, certificate } of said.prepared)
    writer.u64(height).u64(view).raw(fromHex(digest)).raw(fromHex(certificate));
  return concatBytes(fromHex(speaker.cluster), writer.finish());
}

/** cluster (32) ‖ epoch ‖ height ‖ view ‖ u32 count ‖ each view change's sender ‖ signature (64). The view names the leader who signs. */
export function encodeNewViewBody(speaker: Pick<Speaker, "cluster" | "epoch">, said: Omit<NewViewStatement, "signature">): Uint8Array {
  const writer = new ByteWriter().u64(speaker.epoch).u64(said.height).u64(said.view).u32(said.viewChanges.length);
  for (const { node, signature } of said.viewChanges) writer.text(node).raw(signature);
  return concatBytes(fromHex(speaker.cluster), writer.finish());
}

/** The bytes under the signature of a view change. */
export function viewChangeMessage(speaker: Speaker, said: ViewChangeStatement): Uint8Array {
  return signedBytes("view-change", encodeViewChangeBody(speaker, said));
}

/** The bytes under the signature of a new-view. */
export function newViewMessage(speaker: Pick<Speaker, "cluster" | "epoch">, said: NewViewStatement): Uint8Array {
  return signedBytes("new-view", encodeNewViewBody(speaker, said));
}

/** True when two view changes for one height and view say the same, whatever their signatures. */
export function isSameViewChange(left: ViewChangeStatement, right: ViewChangeStatement): boolean {
  if (left.parent !== right.parent || left.prepared.length !== right.prepared.length) return false;
  return left.prepared.every((one, index) => {
    const other = right.prepared[index];
    if (other === undefined) return false;
    const isSamePlace = one.height === other.height && one.view === other.view;
    return isSamePlace && one.digest === other.digest && one.certificate === other.certificate;
  });
}

/** True when two new-views for one height and view stand on the same view changes. */
export function isSameNewView(left: NewViewStatement, right: NewViewStatement): boolean {
  if (left.viewChanges.length !== right.viewChanges.length) return false;
  return left.viewChanges.every(({ node, signature }, index) => {
    const other = right.viewChanges[index];
    return other !== undefined && node === other.node && equalBytes(signature, other.signature);
  });
}

/** The canonical form. */
export function writeViewChange({ height, view, parent, prepared, signature }: ViewChangeStatement): CanonicalObject {
  return { height, view, parent, prepared: prepared.map((summary) => ({ ...summary })), signature: toBase64Url(signature) };
}

/** The canonical form. */
export function writeNewView({ height, view, viewChanges, signature }: NewViewStatement): CanonicalObject {
  const written = viewChanges.map((change) => ({ node: change.node, signature: toBase64Url(change.signature) }));
  return { height, view, viewChanges: written, signature: toBase64Url(signature) };
}

/** Reads hostile bytes: shape and bounds. @throws {QuorumgateError} format errors */
export function readViewChange(fields: FieldReader): ViewChangeStatement {
  const statement = {
    ...readPlace(fields),
    parent: parseHash(fields.text("parent", 64)),
    prepared: fields.list("prepared", LIMITS.windowMax).map((value) => {
      const item = new FieldReader(value, "prepared");
      const summary = {
        ...readPlace(item),
        digest: parseHash(item.text("digest", 64)),
        certificate: parseHash(item.text("certificate", 64)),
      };
      item.end();
      return summary;
    }),
    signature: readSignature(fields),
  };
  fields.end();
  return statement;
}

/** Reads hostile bytes: shape and bounds. @throws {QuorumgateError} format errors */
export function readNewView(fields: FieldReader): NewViewStatement {
  const statement = {
    ...readPlace(fields),
    viewChanges: fields.list("viewChanges", LIMITS.membersMax).map((value) => {
      const item = new FieldReader(value, "view change");
      const change = { node: parseNodeId(item.text("node", 63)), signature: readSignature(item) };
      item.end();
      return change;
    }),
    signature: readSignature(fields),
  };
  fields.end();
  return statement;
}

/** A signature in canonical bytes. @throws {QuorumgateError} format errors */
export function readSignature(fields: FieldReader): Uint8Array {
  const signature = fromBase64Url(fields.text("signature", 86));
  if (signature.length !== 64) throw new QuorumgateError("FORMAT_SHAPE_INVALID", "evidence: a signature has 64 bytes");
  return signature;
}

function readPlace(fields: FieldReader): { readonly height: number; readonly view: number } {
  return { height: fields.integer("height", { min: 0, max: MAX }), view: fields.integer("view", { min: 0, max: MAX }) };
}
