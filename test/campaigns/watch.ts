import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { exportPaths, parseCheckpointText, parseNote, verifyBundle } from "#audit";
import { encodeUtf8 } from "#base";
import type { NodeStatus, SecurityGateway } from "#gateway";
import { handovers } from "./load.ts";
import type { ProcessCluster } from "./process-cluster.ts";

const EVERY_MS = 250;
/** A node that is stopped in place keeps a question no longer. */
const ANSWER_MS = 1_000;
/** Checkpoints that an auditor keeps; of more, each second one is let go. */
const KEPT_MAX = 64;

/**
 * Somebody outside who asks every node all the time, while it is harmed, and keeps what it says: whatever two nodes, or one node at two times, say of
 * one height or of one size of the log has to be the same, nobody may halt, and nobody may be accused.
 */
export class Watch {
  /** What was said that contradicts something said before, in words. */
  readonly contradictions: string[] = [];
  /** Signed checkpoints, the oldest first. */
  #kept: string[] = [];
  readonly #said = new Map<string, string>();
  readonly #mayHalt = new Set<number>();
  readonly #cluster: ProcessCluster;
  readonly #followed = new Map<number, Promise<void>>();
  #running = true;

  constructor(cluster: ProcessCluster) {
    this.#cluster = cluster;
    this.#followAll();
  }

  /** From now on the node may stop for good: something is done to it that it cannot bear. */
  toleratesHaltOf(node: number): void {
    this.#mayHalt.add(node);
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#followed.values());
  }

  /**
   * Ends, and audits the whole log of one node as an auditor would who kept what every node ever signed.
   * @throws AssertionError where nodes contradicted each other or themselves, or the log is not one that only grew (A8, A9, L1, L2, S1)
   */
  async expectOneHistory(): Promise<void> {
    await this.stop();
    expect(this.contradictions, "what the nodes said").to.deep.equal([]);
    const [node = 1] = this.#cluster.nodes;
    const gateway = await this.#cluster.connect([node]);
    const files = await exportLog(gateway);
    const epochs = await handovers(gateway);
    await gateway.stop();
    const { findings } = verifyBundle(files, this.#cluster.firstPolicy(), { epochs, knownCheckpoints: this.#kept });
    expect(findings, `node-${node}'s log against ${this.#kept.length} checkpoints`).to.deep.equal([]);
  }

  /** Nodes that are added are followed too. */
  #followAll(): void {
    for (const node of this.#cluster.nodes) if (!this.#followed.has(node)) this.#followed.set(node, this.#follow(node));
  }

  async #follow(node: number): Promise<void> {
    const gateway = await this.#cluster.connect([node], ANSWER_MS);
    while (this.#running) {
      try {
        this.#note(node, await gateway.status());
        this.#keep(node, await gateway.backend.checkpoint());
      } catch {
        // A node that is down or does not answer says nothing.
      }
      this.#followAll();
      await sleep(EVERY_MS);
    }
    await gateway.stop();
  }

  #note(node: number, { height, stateHash, mode, haltReason, evidence, evidenceHeld }: NodeStatus): void {
    this.#compare(node, `state after height ${height}`, stateHash);
    if (mode === "halted" && !this.#mayHalt.has(node)) this.contradictions.push(`node-${node} halted: ${haltReason}`);
    if (evidenceHeld > 0 || evidence.length > 0)
      this.contradictions.push(`node-${node} accuses: ${JSON.stringify(evidence)} and ${evidenceHeld} more`);
  }

  #keep(node: number, note: string | undefined): void {
    if (note === undefined || this.#kept.includes(note)) return;
    const { origin, size, root } = parseCheckpointText(parseNote(note).text);
    this.#compare(node, `root of ${origin} at ${size}`, `${root}`);
    this.#kept.push(note);
    if (this.#kept.length > KEPT_MAX) this.#kept = this.#kept.filter((_, index) => index % 2 === 0);
  }

  #compare(node: number, about: string, said: string): void {
    const before = this.#said.get(about);
    if (before === undefined) this.#said.set(about, said);
    else if (before !== said) this.contradictions.push(`${about}: ${before}, but node-${node} says ${said}`);
  }
}

/** The newest shard of a node's log, with all that an auditor asks for. */
async function exportLog(gateway: SecurityGateway): Promise<Map<string, Uint8Array>> {
  const checkpoint = (await gateway.backend.checkpoint()) ?? "";
  const { origin, size } = parseCheckpointText(parseNote(checkpoint).text);
  const files = new Map([
    ["checkpoint", encodeUtf8(checkpoint)],
    ["policy", encodeUtf8(await gateway.policy())],
  ]);
  for (const path of exportPaths(size)) {
    const file = await gateway.backend.logFile(`${origin.split("/").at(-1)}/${path}`);
    if (file !== undefined) files.set(path, file);
  }
  return files;
}
