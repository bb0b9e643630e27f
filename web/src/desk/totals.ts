import type { Account, Position } from "@/api/types";
import { type Exact, divide, multiply, parse, sign, subtract, sum, ZERO } from "@/format/decimal";

const exact = (text: string | null | undefined): Exact => parse(text) ?? ZERO;

export interface CurrencyTotal {
  currency: string;
  accounts: number;
  cash: Exact;
  equity: Exact;
  dayPnl: Exact;
  /** Null when the day began with nothing. */
  dayReturn: Exact | null;
}

/** One row per currency: two currencies are never added. */
export function totalsByCurrency(accounts: readonly Account[]): CurrencyTotal[] {
  const currencies = [...new Set(accounts.map((account) => account.currency))].sort();
  return currencies.map((currency) => {
    const own = accounts.filter((account) => account.currency === currency);
    const equity = sum(own.map((account) => exact(account.equity)));
    const dayPnl = sum(own.map((account) => exact(account.day_pnl)));
    return {
      currency,
      accounts: own.length,
      cash: sum(own.map((account) => exact(account.cash))),
      equity,
      dayPnl,
      dayReturn: divide(dayPnl, subtract(equity, dayPnl), 8),
    };
  });
}

export interface Holding {
  key: string;
  account_id: string;
  symbol: string;
  currency: string;
  quantity: Exact;
  averagePrice: Exact | null;
  lastPrice: string | null;
  marketValue: Exact;
  unrealised: Exact;
  realised: Exact;
  books: Position[];
}

/** Weighted by quantity; none where books of opposite direction net each other. */
function averageOf(books: Position[], quantity: Exact): Exact | null {
  const held = books.filter((book) => sign(exact(book.quantity)) !== 0);
  if (held.some((book) => sign(exact(book.quantity)) !== sign(quantity) || book.average_price === null)) return null;
  if (held.length === 1) return parse(held[0]?.average_price);
  return divide(sum(held.map((book) => multiply(exact(book.average_price), exact(book.quantity)))), quantity, 6);
}

function holding(key: string, books: Position[]): Holding {
  const first = books[0] as Position;
  const total = (pick: (position: Position) => string) => sum(books.map((position) => exact(pick(position))));
  const quantity = total((position) => position.quantity);
  return {
    key,
    account_id: first.account_id,
    symbol: first.symbol,
    currency: first.currency,
    quantity,
    averagePrice: averageOf(books, quantity),
    // Only open books follow the market; a closed one keeps the price it was left at.
    lastPrice: (books.find((position) => sign(exact(position.quantity)) !== 0) ?? first).last_price,
    marketValue: total((position) => position.market_value),
    unrealised: total((position) => position.unrealised_pnl),
    realised: total((position) => position.realised_pnl),
    books: [...books].sort((left, right) => left.book.localeCompare(right.book)),
  };
}

/** Positions of one account and symbol together, whatever book or product holds them. */
export function toHoldings(positions: Iterable<Position>): Holding[] {
  const groups = new Map<string, Position[]>();
  for (const position of positions) {
    const key = `${position.account_id}|${position.symbol}|${position.instrument_id}`;
    groups.set(key, [...(groups.get(key) ?? []), position]);
  }
  return [...groups].map(([key, books]) => holding(key, books));
}

export const isFlat = (held: Holding): boolean =>
  sign(held.quantity) === 0 && held.books.every((book) => sign(exact(book.quantity)) === 0);
