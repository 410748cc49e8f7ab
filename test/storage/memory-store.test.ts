import { expect } from "chai";
import { MemoryStore } from "#storage";
import { storeContract, written } from "../contracts/store.contract.ts";

storeContract("MemoryStore", () => Promise.resolve(new MemoryStore()));

describe("MemoryStore", () => {
  it("makes a clone that goes its own way", async () => {
    const store = new MemoryStore();
    await written(store, [{ key: "a", value: Uint8Array.of(1) }]);
    const clone = store.clone();
    await written(store, [{ key: "a", value: Uint8Array.of(2) }]);
    expect([...(clone.get("a") ?? [])]).to.deep.equal([1]);
  });
});
