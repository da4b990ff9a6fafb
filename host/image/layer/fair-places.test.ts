import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { FairPlaces } from "./fair-places.ts";

/** Borrowers by letters, and in which order they come to a place. */
class Takers {
  readonly served: string[] = [];
  readonly #borrowers = new Map<string, object>();
  readonly places: FairPlaces;

  constructor(size: number) {
    this.places = new FairPlaces(size);
  }

  async take(names: string): Promise<void> {
    for (const name of names)
      void this.places.take(this.#of(name)).then(() => this.served.push(name));
    await setImmediate();
  }

  async giveBack(name: string): Promise<boolean> {
    const isHandedOn = this.places.giveBack(this.#of(name));
    await setImmediate();
    return isHandedOn;
  }

  #of(name: string): object {
    const borrower = this.#borrowers.get(name) ?? {};
    this.#borrowers.set(name, borrower);
    return borrower;
  }
}

describe("places that are few", () => {
  test("are all one borrower's while nobody else waits", async () => {
    const takers = new Takers(3);
    await takers.take("aaaaa");
    assert.equal(takers.served.join(""), "aaa");
    assert.equal(await takers.giveBack("a"), true);
    assert.equal(takers.served.join(""), "aaaa");
  });

  test("go to the borrowers in turn, whoever asked for how many before", async () => {
    const takers = new Takers(2);
    await takers.take("aaaaabbbc");
    await takers.giveBack("a");
    assert.equal(takers.served.join(""), "aab");
    for (const name of "abacaba") await takers.giveBack(name);
    assert.equal(takers.served.join(""), "aabacbaab");
  });

  test("are not all one borrower's once another waits", async () => {
    const takers = new Takers(2);
    await takers.take("aa");
    await takers.take("a");
    await takers.take("b");
    await takers.giveBack("a");
    assert.equal(takers.served.join(""), "aab");
  });

  test("are free again when nobody waits", async () => {
    const takers = new Takers(1);
    await takers.take("a");
    assert.equal(await takers.giveBack("a"), false);
    await takers.take("bc");
    assert.equal(takers.served.join(""), "ab");
    assert.equal(await takers.giveBack("b"), true);
    assert.equal(await takers.giveBack("c"), false);
  });

  test("are waited for no longer than the signal allows", async () => {
    const places = new FairPlaces(1);
    const [one, other] = [{}, {}];
    await places.take(one);
    const stop = new AbortController();
    const waiting = assert.rejects(places.take(other, stop.signal), { code: "LOAD_CANCELLED" });
    stop.abort();
    await waiting;
    await assert.rejects(places.take(other, stop.signal), { code: "LOAD_CANCELLED" });
    assert.equal(places.giveBack(one), false);
  });
});
