import {
  type Clock,
  type Genesis,
  type Hash,
  type Hasher,
  type KeyRole,
  type NodeId,
  parsePublicKey,
  QuorumgateError,
  SeededRandom,
  type Timers,
  type Transport,
  toBase64Url,
} from "#base";
import type { Ed25519 } from "#crypto";
import type { NodeIdentity } from "#identity";
import { FrameReader } from "../frame-reader.ts";
import type { Mouth } from "../network.ts";
import type { ActorPorts, FloodStrength } from "./actor.ts";
import { ACTORS } from "./actors.ts";

/** A flood of a real process: several times what a node sends under load. */
const FLOOD: FloodStrength = { framesMax: Number.MAX_SAFE_INTEGER, perSecond: 2_000 };

/** What a liar needs beside the node that it speaks for. */
export interface LiarPorts {
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly timers: Timers;
}

/** The node whose links it stands in. */
export interface InterposedNode {
  readonly identity: NodeIdentity;
  readonly ed25519: Ed25519;
  readonly genesis: Genesis;
  readonly cluster: Hash;
}

/** Whether a node can be of that kind. @throws {QuorumgateError} DEV_COMMAND_FAILED */
export function checkLie(kind: string): void {
  if (kind === "honest" || ACTORS.some((row) => row.kind === kind)) return;
  throw new QuorumgateError("DEV_COMMAND_FAILED", `a node is one of these: ${ACTORS.map((row) => row.kind).join(", ")}, honest`);
}

/**
 * The Byzantine actors of the simulator between the replica of a real process and its links: an honest node whose mouth, or ears, are not. It
 * may change what it is while it runs.
 */
export class Liar {
  readonly #ports: LiarPorts;
  #kind: string | undefined;
  #links: Transport | undefined;
  #node: InterposedNode | undefined;
  #mouth: Mouth = {};
  #deviations = 0;
  /** Counts the lives: what an earlier one meant to do later is not done. */
  #life = 0;

  constructor(ports: LiarPorts) {
    this.#ports = ports;
  }

  /** Lies from now on in the way of that name; `honest` ends it. Gives how often the way before was used. @throws {QuorumgateError} DEV_COMMAND_FAILED */
  become(kind: string): number {
    checkLie(kind);
    const before = this.#deviations;
    this.#kind = kind;
    this.#begin();
    return before;
  }

  /** Stands between a replica and its links. */
  interpose(links: Transport, node: InterposedNode): Transport {
    this.#links = links;
    this.#node = node;
    this.#begin();
    return {
      start: (events, done) =>
        links.start(
          {
            onPeerUp: (peer) => events.onPeerUp(peer),
            onPeerDown: (peer, reason) => events.onPeerDown(peer, reason),
            onFrame: (from, frame) => {
              for (const heard of this.#mouth.incoming?.(from, frame) ?? [frame]) events.onFrame(from, heard);
            },
          },
          done,
        ),
      send: (to, frame) => {
        for (const said of this.#mouth.outgoing?.(to, frame) ?? [frame]) speak(links, to, said);
      },
      setPeers: (members) => links.setPeers(members),
      connectedPeers: () => links.connectedPeers(),
      stop: (done) => {
        this.become("honest");
        links.stop(done);
      },
    };
  }

  #begin(): void {
    this.#life += 1;
    this.#deviations = 0;
    const row = ACTORS.find(({ kind }) => kind === this.#kind);
    const [links, node] = [this.#links, this.#node];
    this.#mouth =
      row === undefined || links === undefined || node === undefined ? {} : row.actor(this.#actorPorts(row.kind, { links, node }));
  }

  #actorPorts(kind: string, { links, node }: { readonly links: Transport; readonly node: InterposedNode }): ActorPorts {
    const { hasher, clock, timers } = this.#ports;
    const { identity, ed25519, genesis, cluster } = node;
    const life = this.#life;
    const self = identity.member.id;
    return {
      node: self,
      peers: genesis.membership.members.map(({ id }) => id).filter((id) => id !== self),
      membership: genesis.membership,
      trustDomain: genesis.trustDomain,
      cluster,
      hasher,
      keys: { keyOf: (name) => keyOf(identity, ed25519, name) },
      random: new SeededRandom(life, kind),
      frames: new FrameReader(),
      flood: FLOOD,
      nowUs: () => clock.nowUs(),
      later: (delayMs, run) => void timers.after(delayMs, () => (this.#life === life ? run() : undefined)),
      send: (to, frame) => speak(links, to, frame),
      deviates: () => {
        if (this.#life === life) this.#deviations += 1;
      },
    };
  }
}

/** Links carry no empty frames: nobody could be told that there was one. */
function speak(links: Transport, to: NodeId, frame: Uint8Array): void {
  if (frame.length > 0) links.send(to, frame);
}

/** The node's own key of the role in `node/role`: a liar has no other. */
function keyOf(identity: NodeIdentity, ed25519: Ed25519, name: string): ReturnType<ActorPorts["keys"]["keyOf"]> {
  const { publicKey, secretKey } = identity.keys[name.split("/")[1] as KeyRole];
  return { publicKey: parsePublicKey(toBase64Url(publicKey)), sign: (message) => ed25519.sign(secretKey, message) };
}
