import { describe, expect, it } from "vitest";
import type { DeskEvent, Halt, Order } from "@/api/types";
import { type Delta, POLICIES, type Policy, type Snapshot } from "@/stream/protocol";
import { type ChannelState, emptyChannel, reduce } from "@/stream/reducer";

const event = (id: string, at = "2005-09-01T20:00:00Z"): DeskEvent => ({
  id, at, level: "info", kind: "test", message: id, account_id: null, order_id: null, deployment_id: null,
});
const order = (id: string, state: Order["state"]): Order =>
  ({ id, state, created_at: `2005-09-01T20:00:${id.padStart(2, "0")}Z` }) as Order;

const snapshot = (seq: number, items: Snapshot["items"], epoch = "a"): Snapshot => ({ type: "snapshot", channel: "events", epoch, seq, items });
const delta = (seq: number, item: Delta["item"]): Delta => ({ type: "delta", channel: "events", seq, item });
const policy = POLICIES.events;
const apply = (messages: (Snapshot | Delta)[], before: ChannelState = emptyChannel(), rules: Policy = policy) => reduce(before, messages, rules);
const ids = (state: { items: ReadonlyMap<string, unknown> }) => [...state.items.keys()];

describe("reduce", () => {
  it("takes a snapshot and then contiguous deltas", () => {
    const { state, verdict } = apply([snapshot(4, [event("x")]), delta(5, event("y")), delta(6, event("z"))]);
    expect([verdict, state.status, state.seq, state.epoch]).toEqual(["ok", "ready", 6, "a"]);
    expect(ids(state)).toEqual(["x", "y", "z"]);
  });

  it("replaces an item by its id and keeps its place", () => {
    const { state } = apply([snapshot(1, [event("x"), event("y")]), delta(2, { ...event("x"), message: "changed" })]);
    expect(ids(state)).toEqual(["x", "y"]);
    expect((state.items.get("x") as DeskEvent).message).toBe("changed");
  });

  it("keeps the identity of what did not change", () => {
    const before = apply([snapshot(1, [event("x")])]).state;
    const after = apply([delta(2, event("y"))], before).state;
    expect(after.items.get("x")).toBe(before.items.get("x"));
    expect(before.items.has("y")).toBe(false);
  });

  it("drops repeats after a resume", () => {
    const before = apply([snapshot(5, [event("x")])]).state;
    const { state, verdict } = apply([delta(4, event("old")), delta(5, event("old")), delta(6, event("y"))], before);
    expect([verdict, state.seq, ...ids(state)]).toEqual(["ok", 6, "x", "y"]);
  });

  it("stops at a gap and applies nothing behind it", () => {
    const { state, verdict } = apply([snapshot(5, []), delta(6, event("x")), delta(8, event("z")), delta(9, event("w"))]);
    expect([verdict, state.seq, ...ids(state)]).toEqual(["gap", 6, "x"]);
  });

  it("is whole again when what was missing arrives", () => {
    const before = apply([snapshot(5, []), delta(7, event("z"))]).state;
    const { state, verdict } = apply([delta(6, event("y")), delta(7, event("z"))], before);
    expect([verdict, state.seq, ...ids(state)]).toEqual(["ok", 7, "y", "z"]);
  });

  it("forgets everything of an older epoch", () => {
    const before = apply([snapshot(90, [event("x")])]).state;
    const { state } = apply([snapshot(1, [event("n")], "b"), delta(2, event("m"))], before);
    expect([state.epoch, state.seq, ...ids(state)]).toEqual(["b", 2, "n", "m"]);
  });

  it("ignores deltas before the first snapshot", () => {
    const { state, verdict } = apply([delta(3, event("x"))]);
    expect([verdict, state.status, state.items.size]).toEqual(["ok", "waiting", 0]);
  });

  it("lets a conflating channel skip numbers", () => {
    const quote = (id: string) => ({ id, symbol: id, bid: null, ask: null, last: "1", at: "2005-09-01T20:00:00Z", age: 0, silent: false });
    const { state, verdict } = apply([snapshot(1, [quote("A")]), delta(9, quote("A"))], undefined, POLICIES.quotes);
    expect([verdict, state.seq]).toEqual(["ok", 9]);
  });

  it("lets go of what is told to be gone", () => {
    const halt = (id: string, state: Halt["state"]) => ({ id, state }) as Halt;
    const before = apply([snapshot(1, [halt("1", "done"), halt("2", "working")])], undefined, POLICIES.halts).state;
    const { state } = apply([delta(2, halt("1", "resumed")), delta(3, halt("2", "done"))], before, POLICIES.halts);
    expect([...state.items.values()].map((one) => (one as Halt).state)).toEqual(["done"]);
  });

  it("turns a newest-first snapshot round", () => {
    const { state } = apply([snapshot(1, [event("c", "2005-09-03T20:00:00Z"), event("b", "2005-09-02T20:00:00Z")])]);
    expect(ids(state)).toEqual(["b", "c"]);
  });

  it("trims the oldest, never an order that is open", () => {
    const rules: Policy = { ...POLICIES.orders, keep: 4 };
    const open = order("1", "ACCEPTED");
    const rest = ["2", "3", "4", "5"].map((id) => order(id, "FILLED"));
    const { state } = apply([snapshot(1, [open, ...rest]), delta(2, order("6", "FILLED"))], undefined, rules);
    expect(ids(state)).toEqual(["1", "4", "5", "6"]);
  });
});
