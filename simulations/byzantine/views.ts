import { type Hash, headerDigest, parseHeader } from "#base";
import type { ConsensusMessage, NewView, ViewChange } from "#consensus";
import { type Actor, type ActorPorts, frameOf } from "./actor.ts";
import { signedNewView, signedViewChange } from "./votes.ts";

const HEADERS_MAX = 64;

/**
 * Hides from view changes what it proved to be prepared, in its new-views too: from everybody, or from the new leader alone. Now and then it asks for the
 * next view itself, right after it has committed.
 */
export const hiding: Actor = (ports) => {
  const { random, peers } = ports;
  const deceived = new Set(random.chance(0.5) ? peers : random.shuffle(peers).slice(0, 1));
  const parents = new Parents(ports);
  const invent = (message: ConsensusMessage): void => {
    if (message.type !== "commit" || !random.chance(0.03)) return;
    const parent = parents.of(message.digest);
    if (parent === undefined) return;
    const { epoch, height, view } = message;
    const said = { type: "view-change" as const, epoch, height, view: view + 1, sender: ports.node, parent, prepared: [] };
    ports.deviates();
    for (const peer of deceived) ports.send(peer, frameOf(signedViewChange(said, ports)));
  };
  return {
    incoming: (_from, frame) => {
      parents.note(ports.frames.messageOf(frame));
      return [frame];
    },
    outgoing: (to, frame) => {
      const message = ports.frames.messageOf(frame);
      parents.note(message);
      if (message === undefined || !deceived.has(to)) return [frame];
      invent(message);
      const lie = hidden(ports, message);
      if (lie === undefined) return [frame];
      ports.deviates();
      return [frameOf(lie)];
    },
  };
};

/** Tells others of another view change, and as a leader of another new-view: half of them, or each of them beside the first. */
export const twoFacedViews: Actor = (ports) => {
  const { random, peers } = ports;
  const isBlunt = random.chance(0.5);
  const half = new Set(random.shuffle(peers).slice(0, Math.ceil(peers.length / 2)));
  return {
    outgoing: (to, frame) => {
      const message = ports.frames.messageOf(frame);
      if (message?.type !== "view-change" && message?.type !== "new-view") return [frame];
      if (isBlunt ? random.chance(0.5) : !half.has(to)) return [frame];
      ports.deviates();
      const lie = frameOf(message.type === "new-view" ? otherNewView(ports, message) : otherViewChange(ports, message));
      return isBlunt ? [frame, lie] : [lie];
    },
  };
};

/** Without what is prepared; undefined where nothing was. */
function hidden(ports: ActorPorts, message: ConsensusMessage): ConsensusMessage | undefined {
  if (message.type === "view-change") return message.prepared.length === 0 ? undefined : otherViewChange(ports, message);
  if (message.type !== "new-view") return undefined;
  const own = message.viewChanges.find(({ sender }) => sender === ports.node);
  return own === undefined || own.prepared.length === 0 ? undefined : otherNewView(ports, message);
}

/** A good one that hides what is prepared; where nothing is, one that names another block below. */
function otherViewChange(ports: ActorPorts, message: ViewChange): ViewChange {
  const change = message.prepared.length > 0 ? { prepared: [] } : { parent: ports.cluster };
  return signedViewChange({ ...message, ...change }, ports);
}

/** A good one over the other view change of its own; where that would not be good, over the same ones in another order. */
function otherNewView(ports: ActorPorts, message: NewView): NewView {
  const viewChanges = message.viewChanges.map((change) =>
    change.sender === ports.node && change.prepared.length > 0 ? otherViewChange(ports, change) : change,
  );
  const isSame = viewChanges.every((change, index) => change === message.viewChanges[index]);
  return signedNewView({ ...message, viewChanges: isSame ? viewChanges.reverse() : viewChanges }, ports);
}

/** Which block the proposed ones follow. */
class Parents {
  readonly #ports: ActorPorts;
  readonly #parents = new Map<Hash, Hash>();

  constructor(ports: ActorPorts) {
    this.#ports = ports;
  }

  note(message: ConsensusMessage | undefined): void {
    if (message?.type !== "propose") return;
    const [oldest] = this.#parents.keys();
    if (this.#parents.size >= HEADERS_MAX && oldest !== undefined) this.#parents.delete(oldest);
    this.#parents.set(headerDigest(this.#ports.hasher, message.headerBytes), parseHeader(message.headerBytes).parent);
  }

  of(digest: Hash): Hash | undefined {
    return this.#parents.get(digest);
  }
}
