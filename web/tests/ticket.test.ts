import { describe, expect, it } from "vitest";
import type { Account, SymbolInfo } from "@/api/types";
import { toShortText, toText } from "@/format/decimal";
import { estimate } from "@/ticket/estimate";
import { EMPTY_TICKET, ticketSchema, type TicketValues, toBody, typed } from "@/ticket/schema";

const AAPL: SymbolInfo = {
  id: "i1", symbol: "AAPL", venue: "XNAS", asset_class: "EQUITY", currency: "USD", tick_size: "0.0100", lot_size: "1", multiplier: "1",
  expiry: null, strike: null, right: null, last_price: "48.25",
};
const FUTURE: SymbolInfo = { ...AAPL, id: "i2", symbol: "NIFTY", tick_size: "0.05", lot_size: "75", multiplier: "10" };
const schema = ticketSchema([AAPL, FUTURE]);
const ticket = (changes: Partial<TicketValues>): TicketValues => ({ ...EMPTY_TICKET, account_id: "a1", symbol: "AAPL", quantity: "10", ...changes });
const faults = (changes: Partial<TicketValues>) => {
  const result = schema.safeParse(ticket(changes));
  return result.success ? [] : result.error.issues.map((issue) => [issue.path[0], issue.message]);
};

describe("the ticket", () => {
  it("takes a whole market order", () => expect(faults({})).toEqual([]));
  it("takes grouped digits", () => expect(faults({ quantity: "1,000" })).toEqual([]));
  it("wants an account and a symbol", () =>
    expect(faults({ account_id: "", symbol: "" }).map(([field]) => field)).toEqual(["account_id", "symbol"]));
  it.each(["", "ten", "0", "-5", "1.5", "1e400"])("refuses the quantity %j", (quantity) =>
    expect(faults({ quantity })[0]?.[0]).toBe("quantity"));
  it("names the lot", () =>
    expect(faults({ symbol: "NIFTY", quantity: "100" })).toEqual([["quantity", "The quantity must be a multiple of 75 (the lot size)."]]));
  it("names the tick", () =>
    expect(faults({ kind: "LIMIT", limit_price: "41.123" })).toEqual([["limit_price", "The limit price must be a multiple of 0.01 (the tick size)."]]));
  it("wants both prices of a stop limit", () =>
    expect(faults({ kind: "STOP_LIMIT" }).map(([field]) => field)).toEqual(["limit_price", "stop_price"]));
  it("does not look at a price the kind has not", () => expect(faults({ kind: "MARKET", limit_price: "nonsense" })).toEqual([]));
});

describe("a number as typed", () => {
  it.each([
    ["1,234.50", "1234.5"], ["12,345", "12345"], ["-1,234,567.", "-1234567"], [" 1 000 ", "1000"], ["1_000", "1000"], ["0.125", "0.125"], [".5", "0.5"],
  ])("%j is %s", (text, value) => {
    const found = typed(text);
    expect(found && toShortText(found)).toBe(value);
  });
  it.each(["1,5", "12,34", "1,23,4", "0,125", ",125", "1234,567", "1,234,5", "1.234,50", "1.5,000", "1,000 000", "1 5", "1,000,", "1e3"])(
    "%j is none", (text) => expect(typed(text)).toBeNull());
  it("asks for a decimal point, and never orders ten times as much", () => {
    expect(faults({ quantity: "1,5" })).toEqual([
      ["quantity", "Write the quantity with a decimal point, such as 12.5; a comma only groups thousands: 12,345."],
    ]);
    expect(faults({ kind: "LIMIT", limit_price: "12,34" })[0]?.[1]).toContain("with a decimal point");
    expect(toBody(ticket({ quantity: "1,5" })).quantity).toBe("1,5");
  });
});

describe("toBody", () => {
  it("spells numbers one way and leaves out what the kind has not", () => {
    const body = toBody(ticket({ kind: "LIMIT", quantity: " 1,000.0 ", limit_price: "48.250", stop_price: "9" }));
    expect(body).toEqual({
      account_id: "a1", symbol: "AAPL", side: "BUY", quantity: "1000", kind: "LIMIT", limit_price: "48.25", time_in_force: "DAY", product: "NONE", book: "manual",
    });
  });
});

describe("estimate", () => {
  const account = { cash: "400", equity: "1000" } as Account;
  it("takes the last price for a market order", () => {
    const found = estimate(ticket({}), { instrument: AAPL, last: "48.25", account });
    expect(found && [toText(found.notional), found.basis, found.share && toText(found.share), found.beyondCash]).toEqual(["482.50", "last", "0.482500", true]);
  });
  it("takes the order's own price and the multiplier", () => {
    const found = estimate(ticket({ kind: "LIMIT", limit_price: "2.5" }), { instrument: FUTURE, last: "3", account });
    expect(found && [toText(found.notional), found.basis, found.beyondCash]).toEqual(["250.0", "limit", false]);
  });
  it("never warns of cash for a sale", () =>
    expect(estimate(ticket({ side: "SELL" }), { instrument: AAPL, last: "48.25", account })?.beyondCash).toBe(false));
  it("reads a decimal comma as nothing", () =>
    expect(estimate(ticket({ quantity: "1,5" }), { instrument: AAPL, last: "48.25", account })).toBeNull());
  it("values the order to confirm as it valued the form", () => {
    const body = toBody(ticket({ kind: "STOP_LIMIT", quantity: "1,000", limit_price: "48.25", stop_price: "48" }));
    const found = estimate(body, { instrument: AAPL, last: "50", account });
    expect(found && [toText(found.notional), found.basis, found.share && toText(found.share)]).toEqual(["48250.00", "limit", "48.250000"]);
    expect(estimate(toBody(ticket({})), { instrument: AAPL, last: "50", account })?.basis).toBe("last");
  });
  it("says nothing without a price", () => expect(estimate(ticket({}), { instrument: AAPL, last: null, account })).toBeNull());
});
