/** A family of messages that share a colour. */
export interface MessageFamily {
  /** Its class in the drawing. */
  readonly id: string;
  readonly about: string;
  readonly colour: string;
  readonly names: readonly string[];
}

/** Every message of the three engines and every frame, by what it is for. */
export const MESSAGE_FAMILIES: readonly MessageFamily[] = [
  { id: "proposal", about: "proposals", colour: "#1f6feb", names: ["propose", "round-proposal", "append"] },
  { id: "vote", about: "first votes and replies", colour: "#0e8a96", names: ["prepare", "prevote", "append-reply"] },
  { id: "decision", about: "deciding votes", colour: "#2da44e", names: ["commit", "precommit"] },
  {
    id: "leader",
    about: "changes of leader",
    colour: "#d9730d",
    names: ["view-change", "new-view", "heard-new-view", "vote-request", "vote-reply", "timeout-now", "polka", "round-certificate"],
  },
  {
    id: "help",
    about: "help for who is behind or forgot",
    colour: "#8a6d3b",
    names: [
      ...["block", "fetch-proposal", "proposal-body", "passed-proposal", "sync-request", "sync-response", "handover-request", "handover"],
      ...["state-offer", "state-request", "state-part", "log-request", "log-part"],
      ...["probe", "probe-reply", "recall-request", "recall-reply", "heard"],
    ],
  },
  { id: "checkpoint", about: "cosignatures of checkpoints", colour: "#8250df", names: ["cosignature"] },
  {
    id: "command",
    about: "commands and reads of clients",
    colour: "#57606a",
    names: ["commands", "read-request", "read-reply", "height-request", "height-reply"],
  },
  { id: "tip", about: "heights of peers", colour: "#afb8c1", names: ["tip"] },
];

/** What nobody can read, and what is new since this table was written. */
export const OTHER_FAMILY: MessageFamily = { id: "other", about: "unreadable or unknown", colour: "#cf222e", names: [] };

/** The family of a message by its name. */
export function familyOf(name: string): MessageFamily {
  return MESSAGE_FAMILIES.find(({ names }) => names.includes(name)) ?? OTHER_FAMILY;
}
