import { encodeUtf8, type Hash, type Hasher, toHash } from "#base";
import type { CoreRules } from "#consensus";
import type { Violation } from "../checkers/invariants.ts";
import type { KeyMill } from "../keys.ts";
import { TwinsChecker } from "./check.ts";
import type { MailRecord } from "./postman.ts";
import type { TwinsScenario } from "./scenario.ts";
import { TwinsWorld } from "./world.ts";

/** What scenarios are played with; the same for all of them. */
export interface PlayOptions {
  readonly hasher: Hasher;
  readonly keys: KeyMill;
  /** Rules of a planted bug. */
  readonly rules?: CoreRules;
}

/** What came of one scenario. */
export interface TwinsResult {
  readonly violations: readonly Violation[];
  /** Heights that honest nodes decided differently: a violation only where the engine has to tolerate the twins. */
  readonly disagreements: number;
  /** Who is to blame for them by the votes that honest nodes heard, and for what; asked in Tendermint alone. */
  readonly named: Readonly<Record<string, string>>;
  /** The highest block of an honest node. */
  readonly height: number;
  /** Messages that were delivered. */
  readonly messages: number;
}

const CLUSTERS = new WeakMap<Hasher, Hash>();

/** Plays a scenario: its rounds, then a whole network in which what is honest has to decide again. */
export function playTwins(scenario: TwinsScenario, options: PlayOptions): TwinsResult {
  const { watcher, world } = play(scenario, options, false);
  const { violations, disagreements } = watcher;
  const named = Object.fromEntries([...watcher.named].sort(([a], [b]) => (a < b ? -1 : 1)));
  const height = Math.max(...world.honest.map(({ tip }) => tip.height));
  return { violations, disagreements, named, height, messages: world.delivered };
}

/** What may happen to each message of a scenario, in the order of sending. */
export function recordMail(scenario: TwinsScenario, options: PlayOptions): readonly MailRecord[] {
  return play(scenario, options, true).world.mail;
}

function play(scenario: TwinsScenario, options: PlayOptions, records: boolean): { watcher: TwinsChecker; world: TwinsWorld } {
  const { hasher, keys, rules } = options;
  const cluster = CLUSTERS.get(hasher) ?? toHash(hasher.sha256(encodeUtf8("twins")));
  CLUSTERS.set(hasher, cluster);
  const watcher = new TwinsChecker({ engine: scenario.engine, cluster, keys });
  const world = new TwinsWorld({ scenario, hasher, keys, cluster, watcher, records, ...(rules && { rules }) });
  watcher.watch(world);
  world.playRounds();
  watcher.finish(world.heal(watcher.mustBear));
  return { watcher, world };
}
