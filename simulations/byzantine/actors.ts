import { accusing } from "./accuse.ts";
import type { Actor } from "./actor.ts";
import { forging } from "./forge.ts";
import { falseCheckpoints, lyingCatchUp, lyingProbes, lyingTips } from "./lie.ts";
import { lyingState } from "./lie-state.ts";
import { censoring, selective, silent, slow, withholding } from "./mute.ts";
import { equivocating, mistiming, smuggling, stuffing } from "./proposals.ts";
import { flooding, mutating, replaying } from "./repeat.ts";
import { falseNewViews, falsePolkas } from "./successions.ts";
import { hiding, twoFacedViews } from "./views.ts";

/** What a Byzantine node does, and what must hold all the same. */
export interface ActorRow {
  readonly kind: string;
  readonly actor: Actor;
  readonly about: string;
  readonly must: string;
}

/** Every kind of Byzantine node. Each is an honest core with a mouth, or ears, that are not. */
export const ACTORS: readonly ActorRow[] = [
  { kind: "silent", actor: silent, about: "hears everything and says nothing", must: "decisions go on (C2)" },
  { kind: "selective", actor: selective, about: "speaks to half of the others only", must: "all honest nodes come to one height (C13)" },
  { kind: "slow-mouth", actor: slow, about: "is late with everything, but alive", must: "it is tolerated, or replaced as a leader (C12)" },
  { kind: "withhold", actor: withholding, about: "keeps votes back until they no longer help", must: "decisions go on (C2)" },
  { kind: "censor", actor: censoring, about: "never hears of commands that others bring", must: "every command is decided (C12)" },
  {
    kind: "equivocate",
    actor: equivocating,
    about: "tells half of the others another story, well signed",
    must: "at most one decision; evidence (C1)",
  },
  {
    kind: "stuff",
    actor: stuffing,
    about: "as a leader, orders commands again, and twice in a block",
    must: "each takes effect once (C13, A2)",
  },
  {
    kind: "smuggle",
    actor: smuggling,
    about: "as a leader, orders a command that nobody signed",
    must: "the block gets no vote, and the leader is replaced (C13, A2)",
  },
  {
    kind: "mistime",
    actor: mistiming,
    about: "as a leader, names a time at the edge of what is allowed, or beyond",
    must: "agreed time stays near the clocks, and never goes back (C9)",
  },
  {
    kind: "false-new-view",
    actor: falseNewViews,
    about: "as a new leader, leaves out of its new-view what others proved, and proposes something else",
    must: "nobody enters its view; it is replaced (C2, A1)",
  },
  {
    kind: "false-polka",
    actor: falsePolkas,
    about: "as the proposer of a later round, claims a polka for a value of its own",
    must: "nobody votes for it without the polka (C1, A1)",
  },
  {
    kind: "hide-certificate",
    actor: hiding,
    about: "asks for a view as if it had never committed, of everybody or of the new leader alone",
    must: "nothing decided is lost; evidence (A1, A8)",
  },
  {
    kind: "two-faced-views",
    actor: twoFacedViews,
    about: "tells others of another view change, and as a leader of another new-view",
    must: "each counts once, and no view demands two things; evidence (A1, A8)",
  },
  { kind: "forge", actor: forging, about: "votes and cosigns under broken signatures", must: "nothing counts before it is verified (C5)" },
  {
    kind: "replay",
    actor: replaying,
    about: "says again what it and others said before",
    must: "dropped or harmless; nobody else is blamed (C4, A8)",
  },
  {
    kind: "mutate",
    actor: mutating,
    about: "votes for the view or height beside the right one, or an old value",
    must: "counts nowhere wrong (C4)",
  },
  {
    kind: "flood",
    actor: flooding,
    about: "sends absurd heights and views, nonsense, requests for everything",
    must: "buffers are bounded (C14, S1)",
  },
  { kind: "lie-tips", actor: lyingTips, about: "names absurd tips, then lower ones", must: "catching up goes on with others (C7)" },
  {
    kind: "lie-catch-up",
    actor: lyingCatchUp,
    about: "serves wrong blocks and short certificates",
    must: "nothing is believed without its proof (C7)",
  },
  {
    kind: "lie-state",
    actor: lyingState,
    about: "lies to who needs its state instead of blocks",
    must: "every part is proved before it is kept (C7)",
  },
  {
    kind: "false-checkpoint",
    actor: falseCheckpoints,
    about: "cosigns another root than its own",
    must: "one certified root for each height (C8, L2)",
  },
  {
    kind: "accuse",
    actor: accusing,
    about: "accuses honest nodes, by their true votes and by forged ones",
    must: "no entry names them, and the accusations are on record (A8)",
  },
  { kind: "lie-probe", actor: lyingProbes, about: "lies to who lost its memory", must: "the floor is safe all the same (C3)" },
];
