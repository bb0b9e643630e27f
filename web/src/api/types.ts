/** The objects of API v2. Decimals stay strings and times stay ISO-8601 text in UTC from end to end. */

export type Decimal = string;
export type Instant = string;

export type Side = "BUY" | "SELL";
export type OrderKind = "MARKET" | "LIMIT" | "STOP" | "STOP_LIMIT";
export type TimeInForce = "DAY" | "GTC" | "IOC" | "FOK";
export type Mode = "paper" | "live";
export type Readiness = "READY" | "NOT_READY" | "BLOCKED";

export type OrderState =
  | "SUBMITTED"
  | "ACCEPTED"
  | "PARTIALLY_FILLED"
  | "FILLED"
  | "CANCEL_PENDING"
  | "CANCELLED"
  | "REJECTED"
  | "EXPIRED"
  | "REFUSED"
  | "EXPIRED_UNSENT"
  | "IN_DOUBT"
  | "ANOMALY";

export interface User {
  id: string;
  username: string;
  role: string;
}

export interface Session {
  access_token: string;
  token_type: "bearer";
  expires_in: number;
  user: User;
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export interface Account {
  id: string;
  name: string;
  broker: string;
  mode: Mode;
  type: string;
  currency: string;
  time_zone: string;
  readiness: Readiness;
  readiness_reason: string | null;
  is_active: boolean;
  cash: Decimal;
  equity: Decimal;
  positions_value: Decimal;
  day_pnl: Decimal;
  day_return: Decimal;
  total_return: Decimal;
  realised_pnl: Decimal;
  unrealised_pnl: Decimal;
  drawdown: Decimal;
  initial_balance: Decimal;
  session_date: string | null;
  open_orders: number;
  positions: number;
}

export interface EquityPoint {
  id: string;
  account_id?: string;
  at: Instant;
  equity: Decimal;
  cash: Decimal;
}

export interface Order {
  id: string;
  client_order_id: string;
  venue_order_id: string | null;
  account_id: string;
  book: string;
  strategy: string | null;
  instrument_id: string;
  symbol: string;
  venue: string;
  side: Side;
  quantity: Decimal;
  filled_quantity: Decimal;
  kind: OrderKind;
  limit_price: Decimal | null;
  stop_price: Decimal | null;
  time_in_force: TimeInForce;
  product: string;
  state: OrderState;
  reason: string | null;
  rule: string | null;
  limit: string | null;
  value: string | null;
  average_price: Decimal | null;
  source: string;
  created_at: Instant;
  updated_at: Instant;
  session_date: string;
}

export interface OrderBody {
  account_id: string;
  symbol: string;
  side: Side;
  quantity: Decimal;
  kind: OrderKind;
  limit_price?: Decimal;
  stop_price?: Decimal;
  time_in_force: TimeInForce;
  product: string;
  book: string;
}

export interface Fill {
  id: string;
  order_id: string;
  account_id: string;
  book: string;
  strategy: string | null;
  instrument_id: string;
  symbol: string;
  side: Side;
  quantity: Decimal;
  price: Decimal;
  fees: Decimal;
  currency: string;
  executed_at: Instant;
  session_date: string;
  venue_execution_id: string;
}

export interface Position {
  id: string;
  account_id: string;
  book: string;
  strategy: string | null;
  instrument_id: string;
  symbol: string;
  product: string;
  quantity: Decimal;
  average_price: Decimal | null;
  total_cost: Decimal;
  last_price: Decimal | null;
  market_value: Decimal;
  unrealised_pnl: Decimal;
  realised_pnl: Decimal;
  currency: string;
}

export interface Allocation {
  account_id: string;
  allocation: Decimal;
}

export interface LastSignal {
  at: Instant;
  symbol: string;
  /** Between -1 and 1: a measurement, not an amount. */
  target: number | null;
  action: "BUY" | "SELL" | "HOLD";
  confidence: number;
}

export interface Deployment {
  id: string;
  name: string;
  template: string;
  version: string;
  parameters: Record<string, unknown>;
  symbols: string[];
  mode: string;
  enabled: boolean;
  status: "running" | "disabled" | "paused";
  status_reason: string | null;
  accounts: Allocation[];
  orders: number;
  fills: number;
  refusals: number;
  realised_pnl: Decimal;
  unrealised_pnl: Decimal;
  last_signal: LastSignal | null;
}

export interface SymbolInfo {
  id: string;
  symbol: string;
  venue: string;
  asset_class: string;
  currency: string;
  tick_size: Decimal;
  lot_size: Decimal;
  multiplier: Decimal;
  last_price: Decimal | null;
}

export interface Quote {
  id: string;
  symbol: string;
  bid: Decimal | null;
  ask: Decimal | null;
  last: Decimal | null;
  at: Instant | null;
}

export interface Feed {
  kind: "replay" | "simulated" | "none";
  state: "running" | "paused" | "ended" | "none";
  speed: Decimal;
  cursor: string | null;
  start: string | null;
  end: string | null;
}

export interface SystemStatus {
  id: string;
  version: string;
  name: string;
  mode: "demo" | "up";
  clock: Instant;
  live_trading: boolean;
  feed: Feed;
  journal: { seq: number; lag: number };
  accounts_ready: number;
  accounts_total: number;
  started_at: Instant;
}

export interface DeskEvent {
  id: string;
  at: Instant;
  level: "info" | "warning" | "critical";
  kind: string;
  message: string;
  account_id: string | null;
  order_id: string | null;
  deployment_id: string | null;
}

export interface FieldFault {
  field: string;
  message: string;
}
