import type { Account, OrderKind, Side, SymbolInfo } from "@/api/types";
import { compare, divide, type Exact, multiply, parse, ZERO } from "@/format/decimal";
import { needsLimit, needsStop, typed } from "./schema";

export interface NotionalEstimate {
  price: Exact;
  /** limit: the order's own price; stop: its trigger; last: the last trade. */
  basis: "limit" | "stop" | "last";
  notional: Exact;
  /** As a fraction of the account's equity; null without one. */
  share: Exact | null;
  beyondCash: boolean;
}

/** What an estimate needs of a ticket being filled in, or of the order it became. */
export interface Sized {
  side: Side;
  kind: OrderKind;
  quantity: string;
  limit_price?: string;
  stop_price?: string;
}

/** Quantity × price × multiplier, before fees and slippage; null while something is missing. */
export function estimate(
  values: Sized,
  market: { instrument?: SymbolInfo; last?: string | null; account?: Account },
): NotionalEstimate | null {
  const quantity = typed(values.quantity);
  const limit = needsLimit(values.kind) ? typed(values.limit_price ?? "") : null;
  const stop = needsStop(values.kind) ? typed(values.stop_price ?? "") : null;
  const price = limit ?? stop ?? parse(market.last);
  if (!quantity || !price) return null;
  const notional = multiply(multiply(quantity, price), parse(market.instrument?.multiplier) ?? { units: 1n, scale: 0 });
  const equity = parse(market.account?.equity);
  return {
    price,
    basis: limit ? "limit" : stop ? "stop" : "last",
    notional,
    share: equity ? divide(notional, equity, 6) : null,
    beyondCash: values.side === "BUY" && market.account !== undefined && compare(notional, parse(market.account.cash) ?? ZERO) > 0,
  };
}
