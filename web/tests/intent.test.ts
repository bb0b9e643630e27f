import { beforeEach, describe, expect, it } from "vitest";
import type { OrderBody } from "@/api/types";
import { discard, isDefinite, markSent, newClientOrderId, openIntent, readIntent, settle, type Store } from "@/ticket/intent";

class Memory implements Store {
  private readonly held = new Map<string, string>();
  getItem = (key: string) => this.held.get(key) ?? null;
  setItem = (key: string, value: string) => void this.held.set(key, value);
  removeItem = (key: string) => void this.held.delete(key);
}

const body: OrderBody = {
  account_id: "a1", symbol: "AAPL", side: "BUY", quantity: "10", kind: "MARKET", time_in_force: "DAY", product: "NONE", book: "manual",
};
const other: OrderBody = { ...body, quantity: "20" };
const SLOT = "slot";
const NOW = "2005-09-01T20:00:00Z";

let store: Memory;
const open = (wanted: OrderBody = body) => {
  const opened = openIntent(store, SLOT, wanted, NOW);
  if (!("intent" in opened)) throw new Error("expected an intent");
  return opened.intent;
};

beforeEach(() => {
  store = new Memory();
});

describe("the id of an order", () => {
  it("is stored before anything is sent", () => {
    const intent = open();
    expect(readIntent(store, SLOT)).toEqual(intent);
    expect(intent.stage).toBe("review");
  });

  it("is the same in a second tab that reviews the same order", () => {
    expect(open().client_order_id).toBe(open().client_order_id);
  });

  it("is the same after a reload between sending and the answer", () => {
    const intent = open();
    markSent(store, SLOT, intent.client_order_id);
    expect(open().client_order_id).toBe(intent.client_order_id);
    expect(readIntent(store, SLOT)?.stage).toBe("sent");
  });

  it("is the same for a second click", () => {
    const { client_order_id } = open();
    const [first, second] = [markSent(store, SLOT, client_order_id), markSent(store, SLOT, client_order_id)];
    expect(first).toEqual(second);
    expect(first).toHaveProperty("intent.client_order_id", client_order_id);
  });

  it("keeps another order waiting while there is no definite answer", () => {
    const intent = open();
    markSent(store, SLOT, intent.client_order_id);
    expect(openIntent(store, SLOT, other, NOW)).toHaveProperty("unanswered.client_order_id", intent.client_order_id);
  });

  it("is new once the answer is definite", () => {
    const intent = open();
    markSent(store, SLOT, intent.client_order_id);
    settle(store, SLOT, intent.client_order_id, "ord-1");
    expect(open().client_order_id).not.toBe(intent.client_order_id);
  });

  it("cannot be sent by a tab whose order was finished elsewhere", () => {
    const { client_order_id } = open();
    markSent(store, SLOT, client_order_id);
    settle(store, SLOT, client_order_id, "ord-1");
    expect(markSent(store, SLOT, client_order_id)).toHaveProperty("answered.order_id", "ord-1");
  });

  it("cannot be sent by a tab whose order was replaced or dropped elsewhere", () => {
    const { client_order_id } = open();
    const replacement = open(other);
    expect(markSent(store, SLOT, client_order_id)).toEqual({ replaced: true });
    discard(store, SLOT, replacement.client_order_id);
    expect(markSent(store, SLOT, replacement.client_order_id)).toEqual({ replaced: true });
  });

  it("is not settled by the answer to another order", () => {
    const first = open();
    const second = open(other);
    settle(store, SLOT, first.client_order_id, "ord-1");
    expect(readIntent(store, SLOT)).toEqual(second);
  });

  it("survives a damaged store", () => {
    store.setItem(SLOT, "{nonsense");
    expect(readIntent(store, SLOT)).toBeNull();
    expect(open().stage).toBe("review");
  });

  it("never repeats", () => expect(new Set(Array.from({ length: 500 }, newClientOrderId)).size).toBe(500));
});

describe("isDefinite", () => {
  it.each([400, 404, 409, 422])("%i says that the order does not exist", (status) => expect(isDefinite(status)).toBe(true));
  it.each([401, 408, 425, 429, 500, 502, 503, 504])("%i leaves it open", (status) => expect(isDefinite(status)).toBe(false));
});
