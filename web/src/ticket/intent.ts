import type { OrderBody } from "@/api/types";

/**
 * The one order a user is about to place. Its `client_order_id` is made and stored before anything is sent and
 * stays the same over double clicks, retries, reloads and other tabs until the server has answered definitely;
 * the server takes one id once.
 */
export interface Intent {
  client_order_id: string;
  body: OrderBody;
  /** review: shown for confirmation; sent: no definite answer yet; answered: done. */
  stage: "review" | "sent" | "answered";
  order_id: string | null;
  at: string;
}

export interface Store {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export const slotOf = (userId: string): string => `evenkeel.ticket.${userId}`;

export function newClientOrderId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `web-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

export function readIntent(store: Store, slot: string): Intent | null {
  try {
    const value = JSON.parse(store.getItem(slot) ?? "null") as Intent | null;
    return value && typeof value.client_order_id === "string" && value.body ? value : null;
  } catch {
    return null;
  }
}

function write(store: Store, slot: string, intent: Intent): Intent {
  store.setItem(slot, JSON.stringify(intent));
  return intent;
}

const FIELDS: (keyof OrderBody)[] = [
  "account_id", "symbol", "side", "quantity", "kind", "limit_price", "stop_price", "time_in_force", "product", "book",
];

export const sameBody = (left: OrderBody, right: OrderBody): boolean =>
  FIELDS.every((field) => (left[field] ?? null) === (right[field] ?? null));

export type Opened = { intent: Intent } | { unanswered: Intent };

/**
 * Puts an order up for confirmation. The same order still in review, here or in another tab, keeps its id.
 * While a sent order has no definite answer, a different one has to wait.
 */
export function openIntent(store: Store, slot: string, body: OrderBody, now: string): Opened {
  const held = readIntent(store, slot);
  if (held && held.stage !== "answered") {
    if (sameBody(held.body, body)) return { intent: held };
    if (held.stage === "sent") return { unanswered: held };
  }
  const intent: Intent = { client_order_id: newClientOrderId(), body, stage: "review", order_id: null, at: now };
  return { intent: write(store, slot, intent) };
}

export type Sendable = { intent: Intent } | { answered: Intent } | { replaced: true };

/** Marks the order as sent, before it is. Says so when another tab has finished or replaced it meanwhile. */
export function markSent(store: Store, slot: string, clientOrderId: string): Sendable {
  const held = readIntent(store, slot);
  if (!held || held.client_order_id !== clientOrderId) return { replaced: true };
  if (held.stage === "answered") return { answered: held };
  return { intent: write(store, slot, { ...held, stage: "sent" }) };
}

/** A definite answer: the server has the order (its id), or has refused to take it (null). */
export function settle(store: Store, slot: string, clientOrderId: string, orderId: string | null): void {
  const held = readIntent(store, slot);
  if (held?.client_order_id !== clientOrderId) return;
  write(store, slot, { ...held, stage: "answered", order_id: orderId });
}

export function discard(store: Store, slot: string, clientOrderId: string): void {
  if (readIntent(store, slot)?.client_order_id === clientOrderId) store.removeItem(slot);
}

/** Statuses after which the order certainly does not exist, whether or not an earlier try was lost. */
const DEFINITE = new Set([400, 404, 409, 413, 415, 422]);
export const isDefinite = (status: number): boolean => DEFINITE.has(status);
