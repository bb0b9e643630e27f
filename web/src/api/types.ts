/** The objects of API v2, by the names the desk uses. Decimals stay strings and times stay ISO-8601 text in UTC. */

import type { components } from "./schema";

type Schemas = components["schemas"];

export type Decimal = string;
export type Instant = string;

export type Side = Schemas["Side"];
export type OrderKind = Schemas["OrderKind"];
export type OrderState = Schemas["OrderState"];
export type TimeInForce = Schemas["TimeInForce"];

export type Permission = Schemas["Permission"];
export type User = Schemas["UserOut"];
export type Share = Schemas["evenkeel.server.access.ShareOut"];
export type Session = Schemas["SignedIn"] & { recovery_codes?: string[] | null };

/** The first step of a sign-in was right; the ticket takes a code. With `enrols` a device has to be set up first. */
export interface SecondStep {
  two_factor: string;
  enrols: boolean;
}
export type FieldFault = Schemas["FieldFault"];

export type Account = Schemas["AccountOut"];
export type EquityPoint = Schemas["EquityOut"];
export type Order = Schemas["OrderOut"];
export type OrderEvent = Schemas["OrderEventOut"];
export type Fill = Schemas["FillOut"];
export type Position = Schemas["PositionOut"];
export type Allocation = Schemas["AllocationOut"];
export type LastSignal = Schemas["LastSignal"];
export type Deployment = Schemas["DeploymentOut"];
export type SymbolInfo = Schemas["InstrumentOut"];
export type Quote = Schemas["QuoteOut"];
export type Feed = Schemas["FeedOut"];
export type SystemStatus = Schemas["StatusOut"];
export type DeskEvent = Schemas["EventOut"];
export type Halt = Schemas["PanicOut"];

export type Series = Schemas["SeriesOut"];
export type Template = Schemas["TemplateOut"];
export type Parameter = Schemas["ParameterOut"];
export type Backtest = Schemas["BacktestOut"];
export type BacktestDetail = Schemas["BacktestDetail"];
export type BacktestSummary = Schemas["BacktestSummary"];
export type BacktestEquity = Schemas["BacktestEquityOut"];
export type Trade = Schemas["BacktestTradeOut"];
export type Comparison = Schemas["BacktestComparison"];
export type MetricRow = Schemas["MetricRow"];
export type Combination = Schemas["CombinationOut"];
export type HeatMap = Schemas["HeatMapOut"];
export type WalkWindow = Schemas["evenkeel.server.searches.WindowOut"];
export type Luck = Schemas["Luck"];
export type Scalar = boolean | number | string;

export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

/** An order as the ticket asks for it: every number as exact text, nothing left to a default. */
export interface OrderBody {
  account_id: string;
  symbol: string;
  side: Side;
  quantity: Decimal;
  kind: OrderKind;
  limit_price?: Decimal;
  stop_price?: Decimal;
  time_in_force: TimeInForce;
  product: Schemas["Product"];
  book: string;
}
