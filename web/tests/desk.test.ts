import { describe, expect, it } from "vitest";
import type { Account, EquityPoint, Order, Position } from "@/api/types";
import { fromPercentText, toPercentText } from "@/desk/allocation";
import { joinPoints, stepBetween, toLine } from "@/desk/equity";
import { countOf, inGroup, lookOf, matches, mergeOrders, outrun, waitsFor } from "@/desk/states";
import { isFlat, toHoldings, totalsByCurrency } from "@/desk/totals";
import { toText } from "@/format/decimal";
import { showInstant } from "@/format/time";

const account = (currency: string, equity: string, day_pnl: string) => ({ currency, equity, day_pnl, cash: "1.10" }) as Account;
const position = (changes: Partial<Position>): Position => ({
  id: "p", account_id: "a1", book: "manual", strategy: null, portfolio_id: null, portfolio: null, instrument_id: "i", symbol: "AAPL", product: "NONE", quantity: "10", average_price: "40",
  total_cost: "400", last_price: "50", market_value: "500", unrealised_pnl: "100", realised_pnl: "0", currency: "USD", ...changes,
});
const point = (id: string, at: string, equity = "100", total_return = "0"): EquityPoint =>
  ({ id, account_id: "a1", at, equity, cash: "0", contributed: "100", total_return });
const order = (id: string, state: Order["state"], updated_at = "2005-09-01T20:00:00Z") =>
  ({ id, state, updated_at, created_at: `2005-09-01T20:00:0${id}Z` }) as Order;

describe("totals", () => {
  it("adds one currency exactly and never two", () => {
    const totals = totalsByCurrency([account("USD", "110.10", "10.10"), account("INR", "5", "0"), account("USD", "0.20", "0.20")]);
    expect(totals.map((total) => [total.currency, toText(total.equity), toText(total.cash)])).toEqual([["INR", "5", "1.10"], ["USD", "110.30", "2.20"]]);
    expect(toText(totals[1]?.dayReturn ?? { units: 0n, scale: 0 })).toBe("0.10300000");
  });
  it("has no return on nothing", () => expect(totalsByCurrency([account("USD", "0", "0")])[0]?.dayReturn).toBeNull());
});

describe("how long an order is good", () => {
  it("is until its price for one that waits, unless it ends at a moment", () => {
    const waiting = { state: "HELD", trigger_price: "10", time_in_force: "DAY" } as const;
    expect(waitsFor(waiting)).toBe("until triggered, then DAY");
    expect(waitsFor({ ...waiting, time_in_force: "GTD" })).toBe("GTD");
    expect(waitsFor({ ...waiting, state: "ACCEPTED" })).toBe("DAY");
  });
});

describe("holdings", () => {
  it("joins the books of one account and symbol", () => {
    const [held] = toHoldings([position({ id: "1" }), position({ id: "2", book: "sma", quantity: "30", average_price: "44", market_value: "1500" })]);
    expect(held && [toText(held.quantity), toText(held.marketValue), held.averagePrice && toText(held.averagePrice), held.books.length]).toEqual(["40", "2000", "43.000000", 2]);
  });
  it("keeps accounts apart", () => expect(toHoldings([position({ id: "1" }), position({ id: "2", account_id: "a2" })])).toHaveLength(2));
  it("states no average where long and short books net", () =>
    expect(toHoldings([position({ id: "1" }), position({ id: "2", book: "x", quantity: "-4" })])[0]?.averagePrice).toBeNull());
  it("is flat only when every book is", () => {
    expect(toHoldings([position({ quantity: "0.000" })]).map(isFlat)).toEqual([true]);
    expect(toHoldings([position({ id: "1" }), position({ id: "2", book: "x", quantity: "-10" })]).map(isFlat)).toEqual([false]);
  });
});

describe("orders", () => {
  it("groups states", () => {
    expect(["ACCEPTED", "IN_DOUBT", "FILLED", "EXPIRED_UNSENT", "REFUSED", "REJECTED"].map((state) => lookOf(state).group)).toEqual([
      "open", "open", "closed", "closed", "refused", "refused",
    ]);
    expect(inGroup(order("1", "FILLED"), "all")).toBe(true);
  });
  it("shows a state it does not know by its name", () => expect(lookOf("HALTED").label).toBe("HALTED"));
  it("takes the newest of two sources, newest order first", () => {
    const merged = mergeOrders([order("1", "FILLED", "2005-09-02T20:00:00Z"), order("2", "ACCEPTED")], [order("1", "ACCEPTED")]);
    expect(merged.map(({ id, state }) => [id, state])).toEqual([["2", "ACCEPTED"], ["1", "FILLED"]]);
  });
  it("counts what is held, and says so while there are older ones", () => {
    expect(countOf(200, "all", true)).toBe("200+");
    expect(countOf(0, "refused", true)).toBe("0+");
    expect(countOf(3, "all", false)).toBe("3");
    expect(countOf(0, "all", false)).toBeUndefined();
  });
  it("knows every open order", () => expect([countOf(2, "open", true), countOf(0, "open", true)]).toEqual(["2", undefined]));
  it("knows when orders may have gone by since a page was read", () =>
    expect([outrun(500, 201), outrun(500, 200), outrun(199, 5_000)]).toEqual([true, false, false]));
  it("matches every word", () => {
    expect(matches("aapl refu", "AAPL", "Refused", null)).toBe(true);
    expect(matches("aapl filled", "AAPL", "Refused")).toBe(false);
  });
});

describe("the equity line", () => {
  it("is the return of each day, whatever was paid in since", () => {
    const paidIn = [point("1", "2005-09-01T20:00:00Z", "110", "0.1"), point("2", "2005-09-02T20:00:00Z", "1110", "0.1")];
    expect(toLine(paidIn, "return").map((entry) => entry.value)).toEqual([10, 10]);
    expect(toLine(paidIn, "amount").map((entry) => entry.value)).toEqual([110, 1110]);
  });
  it("starts over where the clock went back", () => {
    const line = toLine([point("1", "2005-09-01T20:00:00Z"), point("2", "2005-09-02T20:00:00Z"), point("3", "2005-09-01T20:00:00Z", "7")], "amount");
    expect(line.map((entry) => entry.value)).toEqual([7]);
  });
  it("puts history, in any order, before the live points", () => {
    const live = [point("c", "2005-09-03T20:00:00Z")];
    const history = [point("c", "2005-09-03T20:00:00Z"), point("b", "2005-09-02T20:00:00Z"), point("a", "2005-09-01T20:00:00Z")];
    expect(joinPoints(history, live).map(({ id }) => id)).toEqual(["a", "b", "c"]);
  });
  it("appends where it can and redraws where it must", () => {
    const line = [{ time: 1, value: 1 }, { time: 2, value: 2 }];
    expect(stepBetween(line, line)).toBeNull();
    expect(stepBetween(line, [...line, { time: 3, value: 3 }])).toEqual([{ time: 3, value: 3 }]);
    expect(stepBetween(line, [{ time: 1, value: 1 }, { time: 2, value: 5 }])).toEqual([{ time: 2, value: 5 }]);
    expect(stepBetween(line, [{ time: 0, value: 0 }, ...line])).toBe("all");
    expect(stepBetween(line, [{ time: 1, value: 1 }])).toBe("all");
    expect(stepBetween([], line)).toBe("all");
  });
});

describe("allocation", () => {
  it.each([["0.2", "20"], ["0.1250", "12.5"], ["1", "100"], ["0.00005", "0.005"]])("%s is %s per cent and back", (fraction, percent) => {
    expect(toPercentText(fraction)).toBe(percent);
    expect(toPercentText((fromPercentText(percent) as { fraction: string }).fraction)).toBe(percent);
  });
  it.each(["101", "-1", "", "half"])("refuses %j", (text) => expect(fromPercentText(text)).toHaveProperty("fault"));
});

describe("time", () => {
  it("is shown in UTC with its zone", () => expect(showInstant("2005-11-14T21:00:00.123456Z", "utc")).toBe("2005-11-14 21:00:00 UTC"));
  it("is a dash when there is none", () => expect(showInstant(null, "utc")).toBe("–"));
});
