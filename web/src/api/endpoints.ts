import { request } from "@/session/session";
import type {
  Allocation, Backtest, BacktestDetail, BacktestEquity, Combination, Comparison, Deployment, EquityPoint, Feed, Fill, HeatMap,
  Order, OrderBody, OrderEvent, Page, Series, Share, SymbolInfo, SystemStatus, Template, Trade, WalkWindow,
} from "./types";

const PAGE = 200;

export const listSymbols = () => request<Page<SymbolInfo>>("/market/symbols");

export const listShares = () => request<Page<Share>>("/shares");

export const listOrders = (filter: { account_id?: string | null; status?: string; cursor?: string | null; limit?: number }) =>
  request<Page<Order>>("/trading/orders", { query: { limit: PAGE, ...filter } });

export const getOrder = (id: string) => request<Order>(`/trading/orders/${encodeURIComponent(id)}`);

export const listOrderHistory = (id: string, cursor: string | null) =>
  request<Page<OrderEvent>>(`/trading/orders/${encodeURIComponent(id)}/history`, { query: { limit: PAGE, cursor } });

export const placeOrder = (body: OrderBody, clientOrderId: string) =>
  request<Order>("/trading/orders", { method: "POST", body: { ...body, client_order_id: clientOrderId } });

export const cancelOrder = (id: string) =>
  request<Order>(`/trading/orders/${encodeURIComponent(id)}`, { method: "DELETE" });

export const listFills = (filter: { order_id: string; cursor?: string | null }) =>
  request<Page<Fill>>("/trading/fills", { query: { limit: PAGE, ...filter } });

export const listEquity = (accountId: string, cursor: string | null) =>
  request<Page<EquityPoint>>(`/accounts/${encodeURIComponent(accountId)}/equity`, { query: { limit: 500, cursor } });

export const switchStrategy = (id: string, on: boolean) =>
  request<Deployment>(`/strategies/${encodeURIComponent(id)}/${on ? "enable" : "disable"}`, { method: "POST" });

export const allocate = (id: string, accounts: Allocation[]) =>
  request<Deployment>(`/strategies/${encodeURIComponent(id)}`, { method: "PATCH", body: { accounts } });

export const listSeries = () => request<Page<Series>>("/market/series");

export const listTemplates = () => request<Page<Template>>("/strategies/templates");

const RUNS = "/backtesting";
const run = (id: string, part = "") => `${RUNS}/${encodeURIComponent(id)}${part}`;

export const listBacktests = (cursor: string | null) => request<Page<Backtest>>(RUNS, { query: { limit: 100, cursor } });

export const getBacktest = (id: string) => request<BacktestDetail>(run(id));

/** Where what is asked for differs, so does the address: a test, a sweep or a walk-forward. */
export const startBacktest = (kind: Backtest["kind"], body: unknown) =>
  request<Backtest>(kind === "backtest" ? RUNS : `${RUNS}/${kind}s`, { method: "POST", body });

/** Cancels what waits or runs; removes what has ended, and then answers nothing. */
export const dropBacktest = (id: string) => request<Backtest | undefined>(run(id), { method: "DELETE" });

export const resumeBacktest = (id: string) => request<Backtest>(run(id, "/resume"), { method: "POST" });

export const compareBacktests = (ids: readonly string[]) =>
  request<Comparison>(`${RUNS}/compare`, { query: { ids: ids.join(",") } });

export const listBacktestEquity = (id: string, points: number) =>
  request<Page<BacktestEquity>>(run(id, "/equity"), { query: { points } });

export const listTrades = (id: string, cursor: string | null) =>
  request<Page<Trade>>(run(id, "/trades"), { query: { limit: PAGE, cursor } });

export const listCombinations = (id: string, sort: string | null, cursor: string | null) =>
  request<Page<Combination>>(run(id, "/combinations"), { query: { limit: PAGE, sort, cursor } });

export const getHeatMap = (id: string, value: string | null) => request<HeatMap>(run(id, "/heat-map"), { query: { value } });

export const listWindows = (id: string, cursor: string | null) =>
  request<Page<WalkWindow>>(run(id, "/windows"), { query: { limit: PAGE, cursor } });

export const getTearSheet = (id: string) => request<string>(run(id, "/report"), { as: "text", timeout: 60_000 });

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
