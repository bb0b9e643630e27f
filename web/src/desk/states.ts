import type { Account, Order, OrderState } from "@/api/types";

export type StateGroup = "all" | "open" | "closed" | "refused";
export type Tone = "neutral" | "accent" | "good" | "warn" | "bad";

interface StateLook {
  label: string;
  tone: Tone;
  group: Exclude<StateGroup, "all">;
  /** Said in the drawer and on hover. */
  meaning: string;
}

export const STATES: Record<OrderState, StateLook> = {
  HELD: { label: "Held", tone: "accent", group: "open", meaning: "Waiting here for its price or its time; the broker does not know it yet." },
  SUBMITTED: { label: "Submitted", tone: "accent", group: "open", meaning: "Recorded; the broker has not acknowledged it yet." },
  ACCEPTED: { label: "Working", tone: "accent", group: "open", meaning: "At the broker, waiting to fill." },
  PARTIALLY_FILLED: { label: "Part filled", tone: "accent", group: "open", meaning: "Some of it has filled; the rest is working." },
  CANCEL_PENDING: { label: "Cancelling", tone: "warn", group: "open", meaning: "A cancel was asked for; it can still fill." },
  IN_DOUBT: { label: "In doubt", tone: "warn", group: "open", meaning: "The broker's answer is unknown; it is never sent again to find out." },
  ANOMALY: { label: "Anomaly", tone: "bad", group: "open", meaning: "The broker reported something unexpected; look at it." },
  FILLED: { label: "Filled", tone: "good", group: "closed", meaning: "All of it has filled." },
  CANCELLED: { label: "Cancelled", tone: "neutral", group: "closed", meaning: "Cancelled; what had filled stays." },
  EXPIRED: { label: "Expired", tone: "neutral", group: "closed", meaning: "Its time in force ran out." },
  EXPIRED_UNSENT: { label: "Not sent", tone: "warn", group: "closed", meaning: "It could not be sent in time and was not sent late." },
  REFUSED: { label: "Refused", tone: "bad", group: "refused", meaning: "A risk limit stopped it before the broker." },
  REJECTED: { label: "Rejected", tone: "bad", group: "refused", meaning: "The broker did not take it." },
};

const UNKNOWN: StateLook = { label: "Unknown", tone: "warn", group: "open", meaning: "This page is older than the server; reload it." };

export const lookOf = (state: string): StateLook => STATES[state as OrderState] ?? { ...UNKNOWN, label: state };

const CANCELLABLE: ReadonlySet<OrderState> = new Set(["HELD", "SUBMITTED", "ACCEPTED", "PARTIALLY_FILLED"]);
export const canCancel = (order: Order): boolean => CANCELLABLE.has(order.state);

export const inGroup = (order: Order, group: StateGroup): boolean => group === "all" || lookOf(order.state).group === group;

/** How long an order is good: one that waits for a price does so for as long as it takes, unless it ends at a moment. */
export const waitsFor = ({ state, trigger_price, time_in_force }: Pick<Order, "state" | "trigger_price" | "time_in_force">): string =>
  state === "HELD" && trigger_price !== null && time_in_force !== "GTD" ? `until triggered, then ${time_in_force}` : time_in_force;

/**
 * The count beside the orders' title: none of nothing, and "200+" while the server has older ones. Every open order is
 * always held, so that their count is whole.
 */
export function countOf(shown: number, group: StateGroup, hasOlder: boolean): string | undefined {
  if (hasOlder && group !== "open") return `${shown}+`;
  return shown > 0 ? String(shown) : undefined;
}

/** How many orders the stream's snapshot holds, and a page here. */
export const ORDERS_AT_ONCE = 200;

/**
 * Whether orders may have come and gone since a page was read: the stream drops old ones, but none before it holds a
 * snapshot's worth, and none after fewer changes than that.
 */
export const outrun = (held: number, changes: number): boolean => held >= ORDERS_AT_ONCE && changes > ORDERS_AT_ONCE;

/** The same order from two sources: the one the server changed last. */
export function mergeOrders(...sources: Iterable<Order>[]): Order[] {
  const newest = new Map<string, Order>();
  for (const source of sources) {
    for (const order of source) {
      const held = newest.get(order.id);
      if (!held || held.updated_at <= order.updated_at) newest.set(order.id, order);
    }
  }
  return [...newest.values()].sort((left, right) =>
    left.created_at === right.created_at ? (left.id < right.id ? 1 : -1) : left.created_at < right.created_at ? 1 : -1);
}

export const matches = (text: string, ...fields: (string | null | undefined)[]): boolean => {
  const words = text.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const hay = fields.filter(Boolean).join(" ").toLowerCase();
  return words.every((word) => hay.includes(word));
};

export const openOrders = (accounts: Iterable<Account>): number =>
  [...accounts].reduce((total, account) => total + (account.open_orders || 0), 0);
