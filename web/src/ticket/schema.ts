import type { OrderBody, OrderKind, SymbolInfo } from "@/api/types";
import { type Exact, isMultiple, parse, sign, toShortText } from "@/format/decimal";
import { z } from "@/format/rules";

export const KINDS: readonly { value: OrderKind; label: string }[] = [
  { value: "MARKET", label: "Market" },
  { value: "LIMIT", label: "Limit" },
  { value: "STOP", label: "Stop" },
  { value: "STOP_LIMIT", label: "Stop limit" },
];

export const TIMES_IN_FORCE = [
  { value: "DAY", label: "Day" },
  { value: "GTC", label: "Good till cancelled" },
  { value: "IOC", label: "Immediate or cancel" },
  { value: "FOK", label: "Fill or kill" },
] as const;

export const needsLimit = (kind: OrderKind): boolean => kind === "LIMIT" || kind === "STOP_LIMIT";
export const needsStop = (kind: OrderKind): boolean => kind === "STOP" || kind === "STOP_LIMIT";

const fields = z.object({
  account_id: z.string().min(1, "Choose the account."),
  symbol: z.string().min(1, "Choose the symbol."),
  side: z.enum(["BUY", "SELL"]),
  kind: z.enum(["MARKET", "LIMIT", "STOP", "STOP_LIMIT"]),
  quantity: z.string(),
  limit_price: z.string(),
  stop_price: z.string(),
  time_in_force: z.enum(["DAY", "GTC", "IOC", "FOK"]),
});

export type TicketValues = z.infer<typeof fields>;

export const EMPTY_TICKET: TicketValues = {
  account_id: "",
  symbol: "",
  side: "BUY",
  kind: "MARKET",
  quantity: "",
  limit_price: "",
  stop_price: "",
  time_in_force: "DAY",
};

const MOST_DIGITS = 24;
const SEPARATORS = /[,_\s]/g;
/** Digits in threes with one kind of separator. No group begins with nought: "0,125" is a decimal comma. */
const GROUPED = /^[+-]?[1-9]\d{0,2}([,_\s])\d{3}(?:\1\d{3})*(?:\.\d*)?$/;

/** A number as typed: "1,234.50" is 1234.50, and "1,5" is none, since it could mean 1.5. Null when it is none. */
export function typed(text: string): Exact | null {
  const trimmed = text.trim();
  if (/[eE]/.test(trimmed)) return null;
  return parse(GROUPED.test(trimmed) ? trimmed.replace(SEPARATORS, "") : trimmed);
}

/** What is wrong with a positive decimal that must be a whole number of steps; null when nothing is. */
export function faultOf(text: string, what: string, step: string | undefined, stepName: string): string | null {
  if (text.trim() === "") return `Enter the ${what}.`;
  const value = typed(text);
  if (!value && text.includes(",")) return `Write the ${what} with a decimal point, such as 12.5; a comma only groups thousands: 12,345.`;
  if (!value) return `The ${what} must be a number, such as 10 or 12.5.`;
  if (text.trim().replace(SEPARATORS, "").length > MOST_DIGITS) return `The ${what} has more than ${MOST_DIGITS} digits.`;
  if (sign(value) <= 0) return `The ${what} must be above zero.`;
  const unit = parse(step);
  if (unit && !isMultiple(value, unit)) return `The ${what} must be a multiple of ${toShortText(unit)} (${stepName}).`;
  return null;
}

/** The ticket's rules for the instruments the server lists. */
export function ticketSchema(symbols: readonly SymbolInfo[]) {
  return fields.superRefine((ticket, context) => {
    const instrument = symbols.find((entry) => entry.symbol === ticket.symbol);
    const report = (field: keyof TicketValues, message: string | null) => {
      if (message) context.addIssue({ code: "custom", path: [field], message });
    };
    report("quantity", faultOf(ticket.quantity, "quantity", instrument?.lot_size, "the lot size"));
    if (needsLimit(ticket.kind)) {
      report("limit_price", faultOf(ticket.limit_price, "limit price", instrument?.tick_size, "the tick size"));
    }
    if (needsStop(ticket.kind)) {
      report("stop_price", faultOf(ticket.stop_price, "stop price", instrument?.tick_size, "the tick size"));
    }
  });
}

const canonical = (text: string): string => {
  const value = typed(text);
  return value ? toShortText(value) : text;
};

/** The request for a valid ticket: prices only where the kind has them, numbers in one spelling. */
export function toBody(ticket: TicketValues): OrderBody {
  return {
    account_id: ticket.account_id,
    symbol: ticket.symbol,
    side: ticket.side,
    quantity: canonical(ticket.quantity),
    kind: ticket.kind,
    ...(needsLimit(ticket.kind) && { limit_price: canonical(ticket.limit_price) }),
    ...(needsStop(ticket.kind) && { stop_price: canonical(ticket.stop_price) }),
    time_in_force: ticket.time_in_force,
    product: "NONE",
    book: "manual",
  };
}
