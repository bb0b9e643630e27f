import type {
  Account, Backtest, Deployment, DeskEvent, EquityPoint, Fill, Halt, Order, Position, Quote, SystemStatus,
} from "@/api/types";

export interface ChannelItems {
  accounts: Account;
  orders: Order;
  fills: Fill;
  positions: Position;
  strategies: Deployment;
  quotes: Quote;
  events: DeskEvent;
  equity: EquityPoint;
  halts: Halt;
  backtests: Backtest;
  system: SystemStatus;
}

export type Channel = keyof ChannelItems;
export type AnyItem = ChannelItems[Channel];

export const CHANNELS: readonly Channel[] = [
  "system", "accounts", "positions", "orders", "strategies", "events", "equity", "quotes", "fills", "halts", "backtests",
];

export interface Snapshot {
  type: "snapshot";
  channel: Channel;
  epoch: string;
  seq: number;
  items: AnyItem[];
}

export interface Delta {
  type: "delta";
  channel: Channel;
  seq: number;
  item: AnyItem;
}

export interface Fault {
  type: "error";
  channel: Channel | null;
  detail: string;
}

export type ServerMessage = Snapshot | Delta | Fault | { type: "heartbeat"; at: string };

export type ClientMessage =
  | { op: "subscribe"; channel: Channel; resume_from?: number; epoch?: string }
  | { op: "unsubscribe"; channel: Channel }
  | { op: "ping" };

/** Null for what is not a message we know; a newer server may say more than we understand. */
export function decode(text: string): ServerMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const message = value as Partial<ServerMessage>;
  if (message?.type === "heartbeat" || message?.type === "error") return message as ServerMessage;
  if (message?.type !== "snapshot" && message?.type !== "delta") return null;
  return CHANNELS.includes(message.channel as Channel) ? (message as ServerMessage) : null;
}

export interface Policy {
  /** A conflating channel may skip numbers; every other must not. */
  contiguous: boolean;
  /** Newest items kept; older ones are read over REST. */
  keep: number;
  /** Items that stay however old they are. */
  pinned?: (item: AnyItem) => boolean;
  /** Items that are told once more only to say that they are no longer there. */
  gone?: (item: AnyItem) => boolean;
}

const ENDED = new Set(["FILLED", "CANCELLED", "REJECTED", "EXPIRED", "REFUSED", "EXPIRED_UNSENT"]);

const isUnderWay = ({ state }: Backtest): boolean => state === "queued" || state === "running";

export const POLICIES: Record<Channel, Policy> = {
  accounts: { contiguous: true, keep: Infinity },
  positions: { contiguous: true, keep: Infinity },
  strategies: { contiguous: true, keep: Infinity },
  system: { contiguous: true, keep: Infinity },
  quotes: { contiguous: false, keep: Infinity },
  orders: { contiguous: true, keep: 400, pinned: (item) => !ENDED.has((item as Order).state) },
  fills: { contiguous: true, keep: 400 },
  events: { contiguous: true, keep: 200 },
  equity: { contiguous: true, keep: 6000 },
  backtests: { contiguous: true, keep: 400, pinned: (item) => isUnderWay(item as Backtest) },
  halts: { contiguous: true, keep: Infinity, gone: (item) => (item as Halt).state === "resumed" },
};
