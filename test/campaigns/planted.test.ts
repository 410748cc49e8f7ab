import { expect } from "chai";
import { PLANTED_BUGS } from "#simulations";
import { firstFailure } from "../simulations/first-failure.ts";

describe("the laboratory", function () {
  this.timeout(600_000);
  const table: string[] = [];

  for (const bug of PLANTED_BUGS) {
    it(`finds ${bug.name}: ${bug.about}`, async () => {
      const begun = performance.now();
      const found = await firstFailure(bug.name, bug.breaks);
      const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
      table.push(
        `${bug.name.padEnd(32)} ${found === undefined ? "not found" : `seed ${found.seed}, ${found.invariant}`.padEnd(14)} ${seconds} s`,
      );
      expect(found, `${bug.name} within 300 seeds`).not.equal(undefined);
    });
  }

  after(() => process.stderr.write(`\n${table.join("\n")}\n`));
});
