import { expect } from "chai";
import { PLANTED_BUGS } from "#simulations";
import { breaksWithout, firstFailure } from "../simulations/first-failure.ts";

describe("the laboratory", function () {
  this.timeout(600_000);
  const rows: string[][] = [["bug", "room", "found by", "schedules", "seconds"]];

  for (const bug of PLANTED_BUGS) {
    it(`finds ${bug.name}: ${bug.about}`, async () => {
      const begun = performance.now();
      const { failure, schedules } = await firstFailure(bug);
      const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
      rows.push([bug.name, bug.room, failure?.invariant ?? "nothing", `${schedules}`, seconds]);
      if (failure === undefined) throw new Error(`${bug.name} was not found in ${schedules} schedules`);
      expect(bug.breaks).to.include(failure.invariant);
      expect(await breaksWithout(bug, failure)).to.deep.equal([]);
    });
  }

  after(() => process.stderr.write(`\n${aligned(rows)}\n`));
});

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
