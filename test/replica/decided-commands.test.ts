import { expect } from "chai";
import { type BlockHeader, type CommandResult, parseNodeId, ZERO_HASH } from "#base";
import { LeaderRate, LeaderWatch, Mempool, noteDecided } from "#replica";

const HEADER: BlockHeader = {
  protocol: 1,
  cluster: ZERO_HASH,
  epoch: 0,
  height: 7,
  originView: 3,
  proposer: parseNodeId("node-1"),
  timeUs: 7,
  parent: ZERO_HASH,
  commandsRoot: ZERO_HASH,
  certified: { height: 6, size: 6, root: ZERO_HASH },
};

function resultOf(code: CommandResult["code"]): CommandResult {
  return { command: ZERO_HASH, outcome: code === "OK" ? "applied" : "refused", code, answer: {} };
}

/** The watch after one block that was first proposed in view 3. */
function watchAfter(view: number, codes: readonly CommandResult["code"][]): LeaderWatch {
  const watch = new LeaderWatch();
  const about = { header: HEADER, view, commands: [], results: codes.map(resultOf), nowUs: 1 };
  noteDecided({ mempool: new Mempool(), watch, rate: new LeaderRate() }, about);
  return watch;
}

describe("a leader that orders a command again", () => {
  it("is told from one that does not, in its own view", () => {
    expect(watchAfter(3, ["OK", "COMMAND_DUPLICATE"]).hasRepeated(3)).to.equal(true);
    expect(watchAfter(3, ["OK", "COMMAND_DUPLICATE"]).hasRepeated(4)).to.equal(false);
    expect(watchAfter(3, ["OK", "COMMAND_REPLAYED", "COMMAND_EXPIRED"]).hasRepeated(3)).to.equal(false);
  });

  it("is not the one who has to propose its block again in a later view", () => {
    expect(watchAfter(4, ["COMMAND_DUPLICATE"]).hasRepeated(4)).to.equal(false);
  });

  it("starts anew in a later view", () => {
    const watch = watchAfter(3, ["COMMAND_DUPLICATE"]);
    watch.onBlock({ view: 7, full: false, repeats: false, nowUs: 2 });
    expect(watch.hasRepeated(7)).to.equal(false);
  });
});
