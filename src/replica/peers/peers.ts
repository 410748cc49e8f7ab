import type { Membership, NodeId, Telemetry, Transport } from "#base";
import { type ConsensusMessage, encodeMessage, type SeenVote } from "#consensus";
import { encodeFrame, type Frame } from "./frames.ts";

/** The other members: frames to them, what they said last, and which of their votes were seen last. */
export class Peers {
  #others: readonly NodeId[];
  readonly #transport: Transport;
  readonly #telemetry: Telemetry;
  readonly #heights = new Map<NodeId, number>();
  readonly #votes = new Map<NodeId, SeenVote>();
  /** Who said, since its link came up, that it votes. */
  readonly #voters = new Set<NodeId>();

  constructor(options: { membership: Membership; self: NodeId; transport: Transport; telemetry: Telemetry }) {
    this.#others = options.membership.members.map((member) => member.id).filter((id) => id !== options.self);
    this.#transport = options.transport;
    this.#telemetry = options.telemetry;
  }

  /** Everybody else who is linked: members, learners, and those about to come or go. */
  get others(): readonly NodeId[] {
    return this.#others;
  }

  setOthers(others: readonly NodeId[]): void {
    this.#others = others;
  }

  /** Nodes with a link that is up. */
  connected(): readonly NodeId[] {
    return this.#transport.connectedPeers();
  }

  send(to: NodeId, frame: Frame): void {
    this.#transport.send(to, encodeFrame(frame));
  }

  broadcast(frame: Frame): void {
    const bytes = encodeFrame(frame);
    for (const peer of this.others) this.#transport.send(peer, bytes);
  }

  sendMessage(to: NodeId, message: ConsensusMessage): void {
    this.send(to, { kind: "consensus", message: encodeMessage(message) });
  }

  broadcastMessage(message: ConsensusMessage): void {
    this.broadcast({ kind: "consensus", message: encodeMessage(message) });
  }

  /** A frame or message that broke a rule. Counted, not answered: who sends nonsense gets nothing back. */
  misbehaved(from: NodeId, code: string): void {
    this.#telemetry.count("quorumgate_peer_invalid_total", 1, { peer: from, code });
  }

  /** Where a peer says that it stands. */
  noteTip(from: NodeId, tip: { readonly height: number; readonly votes: boolean }): void {
    this.#heights.set(from, tip.height);
    if (tip.votes) this.#voters.add(from);
    else this.#voters.delete(from);
  }

  /** Where it stands after it was away, and whether it votes, a peer has to say anew: who was removed never does. */
  noteAway(peer: NodeId): void {
    this.#voters.delete(peer);
    this.#heights.delete(peer);
  }

  /** Nodes with a link that is up that say that they vote. Unproved, and each speaks for itself: who lies is no more present than its link. */
  voting(): readonly NodeId[] {
    return this.connected().filter((peer) => this.#voters.has(peer));
  }

  /** The highest tip that peers named, and who named it. Unproved: good enough to ask for blocks. */
  highest(): { readonly height: number; readonly peer?: NodeId } {
    let highest = 0;
    let highestPeer: NodeId | undefined;
    for (const [peer, height] of this.#heights) {
      if (height <= highest) continue;
      highest = height;
      highestPeer = peer;
    }
    return highestPeer === undefined ? { height: highest } : { height: highest, peer: highestPeer };
  }

  /** Keeps the newest vote of each peer, to remind it of should it lose its memory. The peer checks its own signature. */
  noteVote(from: NodeId, vote: SeenVote): void {
    const known = this.#votes.get(from);
    if (known !== undefined && (known.height > vote.height || (known.height === vote.height && known.view > vote.view))) return;
    this.#votes.set(from, vote);
  }

  lastVote(of: NodeId): SeenVote | undefined {
    return this.#votes.get(of);
  }
}
