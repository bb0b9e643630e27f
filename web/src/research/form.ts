import type { Backtest, Template } from "@/api/types";
import { parse, sign } from "@/format/decimal";
import { axisOf, hintOf, isAxis, scalarOf } from "./typed";

export type Kind = Backtest["kind"];

export const FILLS = [
  { value: "next-open", label: "Next open" },
  { value: "close", label: "Close of the bar" },
  { value: "limit", label: "Limit at the close" },
] as const;

export const SIZES = [
  { value: "percent-of-equity", label: "% of equity" },
  { value: "units", label: "Units" },
  { value: "cash", label: "Cash" },
] as const;

export const METHODS = [
  { value: "grid", label: "Every combination" },
  { value: "random", label: "At random" },
  { value: "tpe", label: "Near good ones (TPE)" },
  { value: "nsga2", label: "Breeding good ones (NSGA-II)" },
] as const;

export const OBJECTIVES = ["sharpe", "sortino", "calmar", "total_return", "cagr", "max_drawdown", "profit_factor", "omega", "sqn", "win_rate"] as const;

/** All fields as they are typed. */
export interface RunValues {
  kind: Kind;
  strategy: string;
  timeframe: string;
  symbols: string[];
  start: string;
  end: string;
  parameters: Record<string, string>;
  cash: string;
  size_type: string;
  size: string;
  fees_bps: string;
  fees: string;
  slippage_bps: string;
  fill: string;
  stop_loss: string;
  take_profit: string;
  trailing_stop: string;
  method: string;
  trials: string;
  objective: string;
  constraints: string;
  train: string;
  test: string;
  embargo: string;
  anchored: boolean;
}

export const EMPTY: RunValues = {
  kind: "backtest", strategy: "", timeframe: "", symbols: [], start: "", end: "", parameters: {}, cash: "100000", size_type: "percent-of-equity", size: "100",
  fees_bps: "", fees: "", slippage_bps: "", fill: "next-open", stop_loss: "", take_profit: "", trailing_stop: "", method: "grid", trials: "100",
  objective: "sharpe", constraints: "", train: "500", test: "125", embargo: "", anchored: false,
};

/** What is wrong, by field: `parameters.fast`, `size`, `symbols`; a field without a fault is not there. */
export type Faults = Record<string, string>;

const MOMENT = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;
function checkNumber(values: RunValues, name: keyof RunValues, what: string, faults: Faults, least: "positive" | "not-negative"): void {
  const text = String(values[name]).trim();
  if (text === "") return;
  const exact = parse(text);
  if (!exact) faults[name] = `${what} must be a number, such as 5 or 2.5.`;
  else if (sign(exact) < 0 || (least === "positive" && sign(exact) === 0)) faults[name] = `${what} must be ${least === "positive" ? "above zero" : "zero or more"}.`;
}

function checkCount(values: RunValues, name: "trials" | "train" | "test" | "embargo", what: string, faults: Faults, least: number): void {
  const value = scalarOf(values[name] === "" ? "0" : values[name], "int");
  if (typeof value !== "number" || value < least) faults[name] = `${what} must be a whole number${least > 0 ? " above zero" : ""}.`;
}

function checkParameters(values: RunValues, template: Template, faults: Faults): void {
  const isSearch = values.kind !== "backtest";
  for (const parameter of template.parameters) {
    const text = values.parameters[parameter.name]?.trim() ?? "";
    if (text === "") continue;
    const field = `parameters.${parameter.name}`;
    const wanted = `${parameter.name}: ${hintOf(parameter)}${isSearch ? ", values with commas between, or 5..25 by 5" : ""}.`;
    if (isSearch && isAxis(text, parameter.type)) {
      if (axisOf(text, parameter.type) === null) faults[field] = wanted;
    } else if (scalarOf(text, parameter.type) === null) {
      faults[field] = isAxis(text, parameter.type) ? `${wanted} To try several, choose Sweep or Walk-forward.` : wanted;
    }
  }
  if (isSearch && !template.parameters.some(({ name, type }) => isAxis(values.parameters[name] ?? "", type)))
    faults.parameters = "Give at least one parameter several values, such as 5..25 by 5, or 10, 20, 50.";
}

/** What is wrong with what was typed; the server checks the rest. */
export function faultsOf(values: RunValues, template: Template | undefined): Faults {
  const faults: Faults = {};
  if (!template) faults.strategy = "Choose the strategy.";
  if (values.symbols.length === 0) faults.symbols = "Choose at least one symbol.";
  if (values.timeframe === "") faults.timeframe = "Choose the timeframe.";
  for (const name of ["start", "end"] as const)
    if (values[name] && !MOMENT.test(values[name].trim())) faults[name] = "Write a day, such as 2004-06-30, or a moment, such as 2004-06-30T14:00Z.";
  if (values.start && values.end && values.start >= values.end) faults.end = "The end must be later than the start.";
  checkNumber(values, "cash", "The cash", faults, "positive");
  checkNumber(values, "size", "The size", faults, "positive");
  if (values.fees && values.fees_bps) faults.fees = "Give either a schedule or basis points.";
  checkNumber(values, "fees_bps", "The costs", faults, "not-negative");
  checkNumber(values, "slippage_bps", "The slippage", faults, "not-negative");
  for (const [name, what] of [["stop_loss", "The stop-loss"], ["take_profit", "The take-profit"], ["trailing_stop", "The trailing stop"]] as const)
    checkNumber(values, name, what, faults, "positive");
  if (template) checkParameters(values, template, faults);
  if (values.kind !== "backtest" && values.method !== "grid") checkCount(values, "trials", "The number of trials", faults, 1);
  if (values.kind === "walk-forward") {
    checkCount(values, "train", "The training", faults, 1);
    checkCount(values, "test", "The test", faults, 1);
    checkCount(values, "embargo", "The gap", faults, 0);
  }
  return faults;
}
