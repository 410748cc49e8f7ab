import { expect } from "chai";
import { nodeHasher } from "#crypto";
import {
  type ClientHistory,
  checkClientHistory,
  inWindow,
  type RunEvent,
  replayTranscript,
  runSchedule,
  standInKeys,
  type Transcript,
  toJsonLines,
  toShiViz,
  toSvg,
  transcriptOf,
} from "#simulations";

const FAULTS = [
  { kind: "partition", atMs: 2_000, side: [1], forMs: 1_000 },
  { kind: "crash", atMs: 4_000, node: 2, downMs: 800 },
  { kind: "silent", node: 3 },
];

describe("a run that is drawn", function () {
  this.timeout(20_000);
  let transcript: Transcript;
  let events: readonly RunEvent[];

  before(async () => {
    transcript = await replayTranscript({ seed: 7, nodes: 4, faults: FAULTS });
    events = transcript.events;
  });

  it("is the run that nobody watches", () => {
    const { traceHash } = runSchedule({ seed: 7, nodes: 4, faults: FAULTS, hasher: nodeHasher, keys: standInKeys(nodeHasher) });
    expect(transcript.result.traceHash).to.equal(traceHash);
    expect(transcript.result.violations).to.deep.equal([]);
  });

  it("goes forward in time, and has an end for nothing that did not begin", () => {
    const sent = new Set<number>();
    let lastMs = 0;
    for (const event of events) {
      expect(event.atMs).to.be.at.least(lastMs);
      lastMs = event.atMs;
      if (event.type === "sent") sent.add(event.frame);
      if (event.type === "received" || event.type === "dropped") expect(sent.has(event.frame)).to.equal(true);
    }
    const types = new Set(events.map(({ type }) => type));
    for (const type of ["run", "sent", "received", "dropped", "asked", "answered", "started", "killed", "applied", "fault", "phase", "end"])
      expect([...types]).to.include(type);
  });

  it("reads as a story: whom a message reached and after how long, what was lost, who asked, who decided", () => {
    const { lines } = transcript;
    expect(lines[0]).to.equal("seed 7, pbft, window 8, 4 nodes: node-01, node-02, node-03, node-04 (silent)");
    const has = (pattern: RegExp): boolean => lines.some((line) => pattern.test(line));
    expect(has(/^ +\d+\.\d{3} {2}node-0\d > prepare \d+ view \d+ [0-9a-f]{8} {3}to node-0\d \+\d\.\d; node-0\d \+\d\.\d/)).to.equal(true);
    expect(has(/node-0[134] > .* node-02 LOST \(cut\)/)).to.equal(true);
    expect(has(/client asks node-0\d \(0\): register trading-service-001 [0-9a-f]{8}$/)).to.equal(true);
    expect(has(/client hears applied \(0\) from node-0\d$/)).to.equal(true);
    expect(has(/4000\.000 {2}FAULT crash \(a node is killed; .*\): atMs 4000, node 2, downMs 800$/)).to.equal(true);
    expect(has(/node-0\d DECIDES 2 view 0 [0-9a-f]{8}, 1 command$/)).to.equal(true);
  });

  it("can be shown in part", () => {
    const lines = transcriptOf(events, { fromMs: 2_000, toMs: 3_000 });
    const times = lines.flatMap((line) => (/^ +\d/.test(line) ? [Number.parseFloat(line)] : []));
    expect(Math.min(...times)).to.be.at.least(2_000);
    expect(Math.max(...times)).to.be.at.most(3_000);
    expect(inWindow(events, { fromMs: 2_000, toMs: 3_000 }).length).to.be.lessThan(events.length / 4);
  });

  it("is one event a line in JSON, with nothing lost", () => {
    const lines = toJsonLines(events).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).to.deep.equal(JSON.parse(JSON.stringify(events)));
  });

  it("has vector clocks for ShiViz in which whoever receives knows all that the sender knew", () => {
    for (const window of [{}, { fromMs: 4_000, toMs: 5_000 }]) expectClocks(toShiViz(inWindow(events, window)));
  });

  it("is a drawing that runs nothing, needs nothing, and has an arrow or a cross for every message", () => {
    const svg = toSvg(events);
    expect(svg).to.match(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" /);
    expect(svg).not.to.match(/<script|href|url\(|@import|on\w+=/);
    expectBalanced(svg);
    const copies = events.filter(({ type }) => type === "received").length;
    const ended = new Set(events.flatMap((event) => (event.type === "received" || event.type === "dropped" ? [event.frame] : [])));
    const unended = events.filter((event) => event.type === "sent" && !ended.has(event.frame)).length;
    const dropped = events.filter(({ type }) => type === "dropped").length;
    expect(count(svg, /class="message (?!lost)(?!command" d="[^"]*"\/>)/g)).to.equal(copies);
    expect(count(svg, /class="message lost/g)).to.equal(dropped + unended);
    expect(count(svg, /<circle [^>]*><title>node-0\d decides/g)).to.equal(events.filter(({ type }) => type === "applied").length);
    expect(svg).to.contain("node-03 is killed").and.to.contain(">partition: atMs 2000, side [1], forMs 1000<");
  });

  it("is drawn in part, with what crosses the edges, and with no event at all", () => {
    const part = toSvg(events, { fromMs: 2_000, toMs: 2_600 });
    expectBalanced(part);
    expect(part.length).to.be.lessThan(toSvg(events).length / 2);
    expect(part).not.to.contain("node-03 is killed");
    expectBalanced(toSvg(events, { fromMs: 900_000 }));
  });

  it("has a colour for every message of every engine", async () => {
    for (const engine of ["pbft", "tendermint", "raft"] as const) {
      const faults = [
        { kind: "isolate-leader", atMs: 2_500, forMs: 900 },
        { kind: "reads", atMs: 4_500, periodMs: 200, count: 3 },
      ];
      const drawn = await replayTranscript({ seed: 7, engine, nodes: 4, faults });
      const names = new Set(drawn.events.flatMap((event) => (event.type === "sent" ? [event.name] : [])));
      expect(names.size).to.be.at.least(5);
      expect(toSvg(drawn.events)).not.to.contain('class="message other"').and.not.to.contain('class="message lost other"');
    }
  });

  it("calls a view as the engine's papers do, and a vote for nothing nil", async () => {
    const words = { pbft: "view", tendermint: "round", raft: "term" } as const;
    for (const engine of ["pbft", "tendermint", "raft"] as const) {
      const faults = [{ kind: "isolate-leader", atMs: 2_500, forMs: 900 }];
      const drawn = await replayTranscript({ seed: 7, engine, nodes: 4, faults });
      const text = [...drawn.lines, toSvg(drawn.events), toShiViz(drawn.events)].join("\n");
      expect(text)
        .to.match(new RegExp(`node-0\\d DECIDES 2 ${words[engine]} \\d`))
        .and.not.to.match(/ 00000000\b/);
      for (const word of Object.values(words)) if (word !== words[engine]) expect(text).not.to.match(new RegExp(` ${word} \\d`));
      if (engine === "tendermint") expect(text).to.match(/prevote \d+ round \d+ nil/);
    }
  });

  it("cuts off nothing of what stands above the lines, however many words a fault has", async () => {
    const faults = [{ kind: "targeted-lock", atMs: 1_853, node: 3, decides: 0, forMs: 6_823 }];
    const svg = toSvg(
      (await replayTranscript({ seed: 4, engine: "tendermint", nodes: 4, faults, planted: "tendermint-never-locks" })).events,
    );
    const lines = [...svg.matchAll(/<text x="500" y="\d+"[^>]*>([^<]*)</g)].map(([, text = ""]) => text);
    expect(lines.join(" ")).to.contain("who proposes next knows nothing of it): atMs 1853, node 3, decides 0, forMs 6823 ");
    expect(Math.max(...lines.map(({ length }) => length))).to.be.at.most(100);
    const legend = [...svg.matchAll(/<text x="46" y="\d+">([^<]*)</g)].map(([, text = ""]) => text);
    expect(legend.join(" ")).to.match(/polka \d+, round-certificate \d+/);
    expect(Math.max(...legend.map(({ length }) => length))).to.be.at.most(70);
  });

  it("has a history of clients that is in order, and that is out of order once an answer in it is falsified", () => {
    const history = historyOf(events);
    expect(checkClientHistory(history, { toleratesLies: true })).to.deep.equal({ kind: "linearizable" });
    const allowed = history.findIndex(({ returned }) => returned?.output.outcome === "allowed");
    expect(allowed).to.be.at.least(0);
    const falsified = history.map((item, index) => {
      const denied = { outcome: "denied", code: "AUTHZ_NO_GRANT" };
      return index === allowed && item.returned !== undefined ? { ...item, returned: { ...item.returned, output: denied } } : item;
    });
    expect(checkClientHistory(falsified, { toleratesLies: true }).kind).to.equal("violated");
  });
});

/** The vector clocks of a log: each host counts its own events, and no count of another's goes back or ahead of it. */
function expectClocks(log: string): void {
  const [parser = "", delimiter, ...rest] = log.split("\n");
  expect(delimiter).to.equal("");
  const latest = new Map<string, Map<string, number>>();
  let events = 0;
  for (const match of rest.join("\n").matchAll(new RegExp(parser, "g"))) {
    const { host = "", clock = "" } = match.groups ?? {};
    const counts = new Map(Object.entries(JSON.parse(clock) as Record<string, number>));
    const before = latest.get(host) ?? new Map<string, number>();
    expect(counts.get(host)).to.equal((before.get(host) ?? 0) + 1);
    for (const [other, known] of before) expect(counts.get(other)).to.be.at.least(known);
    for (const [other, known] of counts) if (other !== host) expect(known).to.be.at.most(latest.get(other)?.get(other) ?? 0);
    latest.set(host, counts);
    events += 1;
  }
  expect(events * 2).to.equal(rest.filter((line) => line !== "").length);
  expect([...latest.keys()].length).to.be.at.least(4);
}

/** Every element that is opened is closed, in its place. */
function expectBalanced(svg: string): void {
  const open: string[] = [];
  for (const [, close, name = "", self] of svg.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
    if (close === "/") expect(open.pop()).to.equal(name);
    else if (self !== "/") open.push(name);
  }
  expect(open).to.deep.equal([]);
}

function count(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}

/** What clients asked and heard, as the events tell it. The same bytes sent again are left out. */
function historyOf(events: readonly RunEvent[]): ClientHistory {
  const answers = new Map(events.flatMap((event) => (event.type === "answered" ? [[event.operation, event]] : [])));
  const seen = new Set<string>();
  return events.flatMap((event) => {
    if (event.type !== "asked" || event.intent === undefined || seen.has(event.command)) return [];
    seen.add(event.command);
    const answer = answers.get(event.operation);
    const asked = { input: { ...event.intent, command: event.command, isContested: false }, invokedAt: event.atMs };
    if (answer?.outcome === undefined || answer.code === undefined) return [asked];
    return [{ ...asked, returned: { at: answer.atMs, output: { outcome: answer.outcome, code: answer.code } } }];
  });
}
