import { expect } from "chai";
import { runCampaign, SIMULATED_ENGINES } from "#simulations";

describe("the end of an epoch", function () {
  this.timeout(60_000);

  for (const engine of SIMULATED_ENGINES) {
    it(`is decided in a later view where its leader is killed at the barrier, and the next epoch begins without it: ${engine}`, async () => {
      const { failures, marks, faultKinds } = await runCampaign({ engine, nodes: 4, seeds: { from: 0, to: 9 }, kinds: ["barrier-crash"] });
      expect(failures).to.deep.equal([]);
      expect(faultKinds["barrier-crash"]).to.be.greaterThan(5);
      expect(marks["epoch-ended-in-later-view"]).to.be.greaterThan(0);
    });

    it(`changes the keys that cosign, at that height and at no other, while nodes crash: ${engine}`, async () => {
      const kinds = ["renew-keys", "crash", "lost-disk"];
      const { failures, marks, faultKinds } = await runCampaign({ engine, nodes: 4, seeds: { from: 0, to: 9 }, kinds });
      expect(failures).to.deep.equal([]);
      expect(faultKinds["renew-keys"]).to.be.greaterThan(0);
      expect(marks["receipt-verified"], "by the first members and the handovers alone").to.be.greaterThan(0);
    });
  }
});
