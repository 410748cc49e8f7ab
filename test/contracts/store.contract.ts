import { expect } from "chai";
import fc from "fast-check";
import { errorCode, type KeyValueStore, type WriteOperation } from "#base";

/** `write` as a promise. */
export function written(store: KeyValueStore, operations: readonly WriteOperation[]): Promise<void> {
  return new Promise((resolve, reject) => store.write(operations, (error) => (error ? reject(error) : resolve())));
}

/** What a scan visits. */
export function scanned(store: KeyValueStore, from: string, to: string): Promise<[string, Uint8Array][]> {
  const found: [string, Uint8Array][] = [];
  return new Promise((resolve, reject) => {
    const visit = (key: string, value: Uint8Array): void => void found.push([key, new Uint8Array(value)]);
    store.scan({ from, to }, visit, (error) => (error ? reject(error) : resolve(found)));
  });
}

/** `close` as a promise. */
export function closed(store: KeyValueStore): Promise<void> {
  return new Promise((resolve, reject) => store.close((error) => (error ? reject(error) : resolve())));
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const plain = (value: Uint8Array | undefined): number[] | undefined => (value === undefined ? undefined : [...value]);

/** The port KeyValueStore, one suite for every adapter. */
export function storeContract(name: string, open: () => Promise<KeyValueStore>): void {
  describe(`${name} keeps the contract of a store`, () => {
    let store: KeyValueStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => closed(store));

    it("gives back what was written and undefined for what was not", async () => {
      await written(store, [
        { key: "a", value: bytes(1, 2) },
        { key: "empty", value: bytes() },
      ]);
      expect(plain(store.get("a"))).to.deep.equal([1, 2]);
      expect(plain(store.get("empty"))).to.deep.equal([]);
      expect(store.get("b")).to.equal(undefined);
    });

    it("shows a pending write to readers before it is done", async () => {
      await written(store, [{ key: "gone", value: bytes(9) }]);
      const done = written(store, [{ key: "a", value: bytes(1) }, { key: "gone" }]);
      const later = written(store, [{ key: "a", value: bytes(2) }]);
      expect(plain(store.get("a"))).to.deep.equal([2]);
      expect(store.get("gone")).to.equal(undefined);
      expect((await scanned(store, "a", "z")).map(([key, value]) => [key, ...value])).to.deep.equal([["a", 2]]);
      await done;
      expect(plain(store.get("a"))).to.deep.equal([2]);
      await later;
      expect(plain(store.get("a"))).to.deep.equal([2]);
    });

    it("never answers inside the call that asked", async () => {
      let inside = true;
      const answers: boolean[] = [];
      await new Promise<void>((resolve) => {
        store.write([{ key: "a", value: bytes(1) }], () => answers.push(inside));
        store.scan(
          { from: "a", to: "b" },
          () => answers.push(inside),
          () => {
            answers.push(inside);
            store.write([], () => resolve());
          },
        );
        inside = false;
      });
      expect(answers).to.include(false).and.not.include(true);
    });

    it("answers writes in the order in which they were asked", async () => {
      const order: number[] = [];
      await Promise.all(
        Array.from({ length: 100 }, (_, i) => written(store, [{ key: `k${i}`, value: bytes(i) }]).then(() => order.push(i))),
      );
      expect(order).to.deep.equal(Array.from({ length: 100 }, (_, i) => i));
    });

    it("lets the last of several operations on one key win, within a write and across", async () => {
      const first = written(store, [
        { key: "a", value: bytes(1) },
        { key: "a", value: bytes(2) },
        { key: "b", value: bytes(1) },
        { key: "b" },
      ]);
      const second = written(store, [{ key: "a", value: bytes(3) }]);
      const third = written(store, [{ key: "b", value: bytes(4) }]);
      await Promise.all([first, second, third]);
      expect(plain(store.get("a"))).to.deep.equal([3]);
      expect(plain(store.get("b"))).to.deep.equal([4]);
    });

    it("keeps what was written when the caller changes its bytes afterwards", async () => {
      const value = bytes(1, 2, 3);
      const first = written(store, [{ key: "other", value: bytes(0) }]);
      const second = written(store, [{ key: "a", value }]);
      value.fill(0xff);
      await Promise.all([first, second]);
      expect(plain(store.get("a"))).to.deep.equal([1, 2, 3]);
    });

    it("scans from the first bound up to and without the second, ascending by code unit", async () => {
      await written(
        store,
        ["b/2", "a/1", "b/10", "b/1", "b0", "c/1", "B/1"].map((key) => ({ key, value: bytes(key.length) })),
      );
      expect((await scanned(store, "b/", "b0")).map(([key]) => key)).to.deep.equal(["b/1", "b/10", "b/2"]);
      expect(await scanned(store, "x", "y")).to.deep.equal([]);
      expect(await scanned(store, "c", "a")).to.deep.equal([]);
    });

    it("scans the store as of the call, whatever is written meanwhile", async () => {
      await written(store, [
        { key: "a", value: bytes(1) },
        { key: "c", value: bytes(1) },
      ]);
      const scan = scanned(store, "a", "z");
      await written(store, [{ key: "b", value: bytes(1) }, { key: "c" }]);
      expect((await scan).map(([key]) => key)).to.deep.equal(["a", "c"]);
    });

    it("ends a scan with the error of its visitor", async () => {
      await written(store, [{ key: "a", value: bytes(1) }]);
      const error = await new Promise<Error | undefined>((resolve) => {
        const visit = (): never => {
          throw new Error("visitor");
        };
        store.scan({ from: "a", to: "b" }, visit, resolve);
      });
      expect(error).to.be.instanceOf(Error);
    });

    it("finishes pending writes before it closes and refuses everything after", async () => {
      const other = await open();
      const outcomes: string[] = [];
      const pending = [1, 2, 3].map((i) => written(other, [{ key: `p${i}`, value: bytes(i) }]).then(() => outcomes.push("written")));
      const closing = closed(other).then(() => outcomes.push("closed"));
      await Promise.all([...pending, closing]);
      expect(outcomes).to.deep.equal(["written", "written", "written", "closed"]);
      const refused = await written(other, [{ key: "late", value: bytes(1) }]).catch(errorCode);
      expect(refused).to.equal("QUORUM_STOPPED");
      expect(() => other.get("p1"))
        .to.throw()
        .with.property("code", "QUORUM_STOPPED");
      expect(await scanned(other, "a", "z").catch(errorCode)).to.equal("QUORUM_STOPPED");
    });

    it("agrees with a map over any sequence of writes", async () => {
      const key = fc.constantFrom("a", "b", "c/1", "c/2", "d");
      const operation = fc.record({ key, value: fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined }) });
      const model = new Map<string, number[]>();
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(operation, { maxLength: 6 }), { maxLength: 6 }), fc.boolean(), async (writes, wait) => {
          const pending = writes.map((operations) =>
            written(
              store,
              operations.map(({ key, value }) => (value === undefined ? { key } : { key, value })),
            ),
          );
          for (const { key, value } of writes.flat()) {
            if (value === undefined) model.delete(key);
            else model.set(key, [...value]);
          }
          if (wait) await Promise.all(pending);
          const expected = [...model].sort(([left], [right]) => (left < right ? -1 : 1));
          expect((await scanned(store, "a", "z")).map(([key, value]) => [key, [...value]])).to.deep.equal(expected);
          for (const each of ["a", "b", "c/1", "c/2", "d"]) expect(plain(store.get(each))).to.deep.equal(model.get(each));
          await Promise.all(pending);
        }),
        { numRuns: 60 },
      );
    });
  });
}
