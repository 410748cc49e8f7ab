import { expect } from "chai";
import { type BlockHeader, type CommandResult, parseHash, parseNodeId, type SignedCommand, ZERO_HASH } from "#base";
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
    watch.onBlock({ view: 7, full: false, hasStrangers: false, repeats: false, nowUs: 2 });
    expect(watch.hasRepeated(7)).to.equal(false);
  });
});

describe("a leader with room in its blocks", () => {
  /** The watch after eight unfilled blocks, whose results are given. */
  const watchOf = (codes: readonly CommandResult["code"][]): LeaderWatch => {
    const watch = new LeaderWatch();
    for (let nowUs = 1; nowUs <= 8; nowUs++) {
      const about = { header: HEADER, view: 3, commands: [], results: codes.map(resultOf), nowUs };
      noteDecided({ mempool: new Mempool(), watch, rate: new LeaderRate() }, about);
    }
    return watch;
  };
  const suspects = (watch: LeaderWatch): boolean[] => [false, true].map((isStranger) => watch.isLeftOut({ sinceUs: 0, isStranger }));

  it("leaves out what it does not order, also of those whom the state does not know while it orders nothing of any of them", () => {
    expect(suspects(watchOf(["OK", "AUTHZ_NO_GRANT"]))).to.deep.equal([true, true]);
  });

  it("is not suspected for the sake of strangers while it orders commands of others of them, of which it has little room", () => {
    expect(suspects(watchOf(["OK", "IDENTITY_UNKNOWN"]))).to.deep.equal([true, false]);
    const watch = watchOf(["OK"]);
    watch.onBlock({ view: 3, full: false, hasStrangers: true, repeats: false, nowUs: 9 });
    for (let nowUs = 10; nowUs <= 16; nowUs++) watch.onBlock({ view: 3, full: false, hasStrangers: false, repeats: false, nowUs });
    expect(suspects(watch)).to.deep.equal([true, false]);
    watch.onBlock({ view: 3, full: false, hasStrangers: false, repeats: false, nowUs: 17 });
    expect(suspects(watch)).to.deep.equal([true, true]);
  });

  it("is measured by the waits of those whom the state knows only", () => {
    const rate = new LeaderRate();
    const waits: number[] = [];
    rate.onBlock = ({ waitedUs }) => void waits.push(waitedUs);
    const mempool = new Mempool();
    const command = (name: string, isStranger: boolean, arrivedUs: number): SignedCommand => {
      const signed = { hash: parseHash(name.repeat(64)), command: { issuer: name } } as unknown as SignedCommand;
      mempool.add({ signed, encoded: new Uint8Array(0), leaf: new Uint8Array(32), arrivedUs, isStranger });
      return signed;
    };
    const commands = [command("a", true, 1), command("b", false, 60)];
    noteDecided({ mempool, watch: new LeaderWatch(), rate }, { header: HEADER, view: 3, commands, results: [], nowUs: 100 });
    expect(waits).to.deep.equal([40]);
  });
});
