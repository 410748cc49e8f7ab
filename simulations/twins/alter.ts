import { encodeHeader, type Hash, parseHeader } from "#base";
import type { ConsensusMessage } from "#consensus";
import { resign, type SigningPorts, signedNewView, signedViewChange, type VoteChange } from "../byzantine/votes.ts";

/** One message of a Byzantine node, made wrong in a small way and signed with its own key. Source: Winter et al., ByzzFuzz, OOPSLA 2023. */
type Alteration = (message: ConsensusMessage, ports: SigningPorts, older: Hash | undefined) => ConsensusMessage | undefined;

/** The small ways. Each gives undefined for a message to which it does not apply. */
export const ALTERATIONS: Readonly<Record<string, Alteration>> = {
  "next-view": (message, ports) => moved(message, ports, { view: 1 }),
  "last-view": (message, ports) => moved(message, ports, { view: -1 }),
  "next-height": (message, ports) => moved(message, ports, { height: 1 }),
  "last-height": (message, ports) => moved(message, ports, { height: -1 }),
  "old-value": (message, ports, older) =>
    older === undefined || !("digest" in message) || message.digest === older ? undefined : resign(ports, message, { digest: older }),
  "other-value": otherValue,
  "other-round-of-proof": (message, ports) =>
    message.type === "prevote" || message.type === "round-proposal" ? withValidRound(message, ports) : undefined,
  "nothing-prepared": (message, ports) =>
    message.type === "view-change" && message.prepared.length > 0 ? signedViewChange({ ...message, prepared: [] }, ports) : undefined,
  "one-view-change-less": (message, ports) =>
    message.type === "new-view" ? signedNewView({ ...message, viewChanges: message.viewChanges.slice(1) }, ports) : undefined,
  "broken-signature": (message) =>
    "signature" in message ? { ...message, signature: message.signature.map((byte, at) => (at === 0 ? byte ^ 1 : byte)) } : undefined,
};

/** Beside the right view or height. */
function moved(
  message: ConsensusMessage,
  ports: SigningPorts,
  by: { readonly view?: number; readonly height?: number },
): ConsensusMessage | undefined {
  if (!("view" in message) || !("signature" in message)) return undefined;
  const change = { view: message.view + (by.view ?? 0), height: message.height + (by.height ?? 0) };
  if (change.view < 0 || change.height < 1) return undefined;
  if (message.type === "view-change") return signedViewChange({ ...message, ...change }, ports);
  if (message.type === "new-view") return signedNewView({ ...message, ...change }, ports);
  return resign(ports, message, change satisfies VoteChange);
}

/** A proposer tells one peer of another block: its own header with a later time. */
function otherValue(message: ConsensusMessage, ports: SigningPorts): ConsensusMessage | undefined {
  if (message.type !== "propose" && message.type !== "round-proposal") return undefined;
  const header = parseHeader(message.headerBytes);
  return resign(ports, { ...message, headerBytes: encodeHeader({ ...header, timeUs: header.timeUs + 1 }) }, {});
}

function withValidRound(
  message: Extract<ConsensusMessage, { type: "prevote" | "round-proposal" }>,
  ports: SigningPorts,
): ConsensusMessage | undefined {
  const validRound = message.validRound < 0 ? 0 : -1;
  return validRound < message.view ? resign(ports, { ...message, validRound }, {}) : undefined;
}
