import { request } from "@/session/session";
import type {
  Allocation, Deployment, EquityPoint, Feed, Fill, Order, OrderBody, Page, Share, SymbolInfo, SystemStatus,
} from "./types";

const PAGE = 200;

export const listSymbols = () => request<Page<SymbolInfo>>("/market/symbols");

export const listShares = () => request<Page<Share>>("/shares");

export const listOrders = (filter: { account_id?: string | null; status?: string; cursor?: string | null; limit?: number }) =>
  request<Page<Order>>("/trading/orders", { query: { limit: PAGE, ...filter } });

export const getOrder = (id: string) => request<Order>(`/trading/orders/${encodeURIComponent(id)}`);

export const placeOrder = (body: OrderBody, clientOrderId: string) =>
  request<Order>("/trading/orders", { method: "POST", body: { ...body, client_order_id: clientOrderId } });

export const cancelOrder = (id: string) =>
  request<Order>(`/trading/orders/${encodeURIComponent(id)}`, { method: "DELETE" });

export const listFills = (filter: { account_id: string; cursor?: string | null }) =>
  request<Page<Fill>>("/trading/fills", { query: { limit: PAGE, ...filter } });

export const listEquity = (accountId: string, cursor: string | null) =>
  request<Page<EquityPoint>>(`/accounts/${encodeURIComponent(accountId)}/equity`, { query: { limit: 500, cursor } });

export const switchStrategy = (id: string, on: boolean) =>
  request<Deployment>(`/strategies/${encodeURIComponent(id)}/${on ? "enable" : "disable"}`, { method: "POST" });

export const allocate = (id: string, accounts: Allocation[]) =>
  request<Deployment>(`/strategies/${encodeURIComponent(id)}`, { method: "PATCH", body: { accounts } });

export const getStatus = () => request<SystemStatus>("/system/status");

/** What is not named stays as it is: a new speed neither pauses nor resumes. */
export const steerFeed = (change: { action: "pause" | "resume" | "restart" } | { speed: string }) =>
  request<Feed>("/system/feed", { method: "POST", body: change });

export const streamTicket = () =>
  request<{ ticket: string; expires_in: number }>("/auth/stream-ticket", { method: "POST" });

/** Follows `next_cursor` until the pages end, `enough` says so, or ten pages are read. */
export async function collect<T>(
  next: (cursor: string | null) => Promise<Page<T>>,
  enough: (items: T[]) => boolean = () => false,
): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < 10; page += 1) {
    const answer: Page<T> = await next(cursor);
    items.push(...answer.items);
    cursor = answer.next_cursor ?? null;
    if (cursor === null || enough(items)) break;
  }
  return items;
}
