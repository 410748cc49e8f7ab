import { faultModelOf, LIMITS, type NodeId, type TimerHandle, weightOf } from "#base";
import type { Parts } from "./assembly.ts";
import type { EvidenceReports } from "./evidence/evidence-reports.ts";
import type { Handovers } from "./handovers.ts";
import type { Participation } from "./participation/participation.ts";
import type { PeerProtocol } from "./peers/peer-protocol.ts";
import type { Proposer } from "./proposing/proposer.ts";
import type { Supply } from "./transfer/supply.ts";
import type { ReplicaOptions } from "./types.ts";

/** Ticks between two rounds of telling the others where this node stands. */
const GOSSIP_TICKS = 5;

/** What is done again and again: heartbeats, repeating what may have been lost, doubting a leader that leaves commands out. */
export class Housekeeping {
  readonly #options: ReplicaOptions;
  readonly #parts: Parts;
  readonly #peers: PeerProtocol;
  readonly #proposer: Proposer;
  readonly #participation: Participation;
  readonly #handovers: Handovers;
  readonly #reports: EvidenceReports;
  readonly #supply: Supply;
  #timer: TimerHandle | undefined;
  #lastTipHeight = -1;
  #ticks = 0;
  #lastUs = 0;
  /** Peers without a link, since when. */
  readonly #awaySinceUs = new Map<NodeId, number>();
  #stopped = false;

  constructor(
    options: ReplicaOptions,
    parts: Parts,
    handlers: {
      readonly peers: PeerProtocol;
      readonly proposer: Proposer;
      readonly participation: Participation;
      readonly handovers: Handovers;
      readonly reports: EvidenceReports;
      readonly supply: Supply;
    },
  ) {
    this.#options = options;
    this.#parts = parts;
    this.#peers = handlers.peers;
    this.#proposer = handlers.proposer;
    this.#participation = handlers.participation;
    this.#handovers = handlers.handovers;
    this.#reports = handlers.reports;
    this.#supply = handlers.supply;
  }

  /** Begins, until it is stopped. */
  start(): void {
    this.#timer = this.#options.timers.after(this.#parts.timing.tickMs, () => {
      this.#timer = undefined;
      this.#tick();
      if (!this.#stopped) this.start();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #tick(): void {
    const { mempool, ledger, timing, catchUp, peers, awaited } = this.#parts;
    const nowUs = this.#options.clock.nowUs();
    this.#ticks += 1;
    if (nowUs < this.#lastUs) this.#onClockSetBack(nowUs);
    this.#lastUs = nowUs;
    mempool.dropExpired(nowUs);
    this.#supply.tidy(nowUs);
    const idleMs = (nowUs - ledger.tip.timeUs) / 1_000;
    const heartbeatMs = awaited.isAwaited(ledger.tip.height) ? timing.floorHeartbeatMs : timing.heartbeatMs;
    if (idleMs >= heartbeatMs) this.#proposer.propose();
    this.#proposer.setPending(this.#proposer.isPending || idleMs >= heartbeatMs + timing.heartbeatGraceMs);
    this.#reports.tick();
    this.#watchLinks(nowUs);
    this.#watchLeader(nowUs);
    if (this.#ticks % GOSSIP_TICKS === 0) this.#gossip();
    else this.#peers.announceVoting();
    const highest = peers.highest();
    if (highest.height > ledger.tip.height && ledger.tip.height === this.#lastTipHeight) catchUp.want(highest.height, highest.peer);
    this.#lastTipHeight = ledger.tip.height;
    this.measure();
  }

  /** Tells telemetry where this node stands. */
  measure(): void {
    const { driver, ledger, mempool, measures } = this.#parts;
    const { epoch, view } = driver.snapshot();
    const votingWeight = weightOf(ledger.membership, this.#participation.voters);
    measures.onTick({ height: ledger.tip.height, epoch, view, waiting: mempool.size, votingWeight });
  }

  #onClockSetBack(nowUs: number): void {
    this.#parts.mempool.onClockSetBack(nowUs);
    this.#parts.watch.relayAgain();
    this.#awaySinceUs.clear();
  }

  /** A leader whose link has been away for a while need not be waited for: where leaders take turns, its turn may come long after the link broke. */
  #watchLinks(nowUs: number): void {
    const { peers, driver, timing } = this.#parts;
    const connected = peers.connected();
    for (const peer of peers.others) {
      if (connected.includes(peer)) this.#awaySinceUs.delete(peer);
      else if (!this.#awaySinceUs.has(peer)) this.#awaySinceUs.set(peer, nowUs);
    }
    const { view, leader } = driver.snapshot();
    const awaySinceUs = leader === undefined ? undefined : this.#awaySinceUs.get(leader);
    if (awaySinceUs === undefined || !this.#proposer.isPending || !this.#participation.isParticipating) return;
    if (nowUs - awaySinceUs > timing.leaderGraceMs * 1_000) driver.step({ type: "suspect", view });
  }

  /** Tells who is behind, and repeats what a lost frame may have kept from somebody. */
  #gossip(): void {
    const { peers, certifier, ledger } = this.#parts;
    this.#peers.sendTips();
    if (certifier.certifiedHeight < ledger.tip.height) for (const peer of peers.others) this.#peers.resendCosignature(peer);
    this.#participation.repeat();
    this.#handovers.ask();
    this.#leaveLeadership();
  }

  /**
   * A leader whose clock is behind what a quorum took for timely proposes nothing: to it no command is issued yet, and no heartbeat due. Where nobody
   * waits for proposals but for signs of life (raft), it would lead for as long as it is behind. (docs/protocols/raft.md, rule T2.)
   */
  #leaveLeadership(): void {
    const { ledger, driver } = this.#parts;
    // Under the other engines a leader that proposes nothing is left by the rest.
    if (faultModelOf(ledger.genesis.engine) === "byzantine") return;
    const behindMs = (ledger.tip.timeUs - this.#options.clock.nowUs()) / 1_000;
    if (behindMs <= LIMITS.proposalSkewMaxMs || driver.snapshot().leader !== this.#options.self) return;
    this.#options.telemetry.log("warn", "clock behind", { behindMs: Math.round(behindMs) });
    driver.step({ type: "transfer" });
  }

  /** Late commands go to everybody again: what went before may be lost, and the view that this node is in need not be the one that the others are in. */
  #watchLeader(nowUs: number): void {
    const { mempool, watch, timing, driver, peers } = this.#parts;
    this.#watchRate(nowUs);
    const late = mempool.waitingSince(nowUs - timing.relayAfterMs * 1_000, LIMITS.relayCommandsMax);
    if (late.length === 0) return;
    const { view, leader, phase } = driver.snapshot();
    if (leader === this.#options.self && phase !== "changing-view") return;
    const at = { view, nowUs, firstWaitUs: timing.relayAfterMs * 1_000 };
    const commands = late.filter(({ signed }) => watch.shouldRelay(signed.hash, at)).map((pooled) => pooled.encoded);
    if (commands.length > 0) peers.broadcast({ kind: "commands", commands });
    for (const isStranger of [false, true]) {
      const first = late.find((pooled) => pooled.isStranger === isStranger);
      if (first === undefined) continue;
      const sinceUs = first.arrivedUs + timing.relayAfterMs * 1_000;
      if (nowUs - sinceUs <= timing.censorshipMs * 1_000 || !watch.isLeftOut({ sinceUs, isStranger })) continue;
      return driver.step({ type: "suspect", view });
    }
  }

  #watchRate(nowUs: number): void {
    const { rate, watch, driver } = this.#parts;
    const { view, leader } = driver.snapshot();
    if (leader === this.#options.self) return;
    const fault = watch.hasRepeated(view) ? "leader repeats commands" : rate.doubts(nowUs) ? "leader is slow" : undefined;
    if (fault === undefined) return;
    this.#options.telemetry.log("warn", fault, { leader, view });
    driver.step({ type: "suspect", view });
  }
}
