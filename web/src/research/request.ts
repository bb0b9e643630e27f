import type { BacktestDetail, Scalar, Series, Template } from "@/api/types";
import { showPercent } from "@/format/number";
import { EMPTY, type RunValues } from "./form";
import { type Axis, axisOf, fractionOf, isAxis, scalarOf } from "./typed";

function sizeOf(values: RunValues, kept: BacktestDetail["asked"]["size"] | null): unknown {
  const size = values.size.trim();
  if (values.size_type === "kept") return kept ?? undefined;
  if (size === "") return undefined;
  if (values.size_type === "units") return { type: "units", quantity: size };
  if (values.size_type === "cash") return { type: "cash", amount: size };
  return { type: "percent-of-equity", share: fractionOf(size) };
}

function split(values: RunValues, template: Template): { parameters: Record<string, Scalar>; space: Record<string, Axis> } {
  const [parameters, space]: [Record<string, Scalar>, Record<string, Axis>] = [{}, {}];
  for (const { name, type } of template.parameters) {
    const text = values.parameters[name]?.trim() ?? "";
    if (text === "") continue;
    const axis = values.kind !== "backtest" && isAxis(text, type) ? axisOf(text, type) : null;
    if (axis) space[name] = axis;
    else parameters[name] = scalarOf(text, type) as Scalar;
  }
  return { parameters, space };
}

function searchOf(values: RunValues): object {
  const rules = values.constraints.split(/[;\n]/).map((rule) => rule.trim()).filter(Boolean);
  const common = { method: values.method, constraints: rules, ...(values.method !== "grid" && { trials: Number(values.trials) }) };
  if (values.kind === "sweep") return { ...common, objectives: [values.objective] };
  return { ...common, objective: values.objective, train: Number(values.train), test: Number(values.test), embargo: Number(values.embargo || 0), anchored: values.anchored };
}

/** Terms of an earlier run that the form does not show, and which running it again keeps. */
const UNSEEN = ["maintenance", "participation", "spread_share", "limit_offset", "financing", "credit", "borrow", "mtm", "engine", "risk_free"] as const;

const unseenOf = (from: BacktestDetail | null): Record<string, unknown> =>
  from ? Object.fromEntries(UNSEEN.map((name) => [name, from.asked[name]]).filter(([, value]) => value !== null)) : {};

/** The request for what was typed, which has no faults. */
export function toBody(values: RunValues, template: Template, from: BacktestDetail | null): Record<string, unknown> {
  const { parameters, space } = split(values, template);
  const text = (name: keyof RunValues) => String(values[name]).trim() || undefined;
  const share = (name: "stop_loss" | "take_profit" | "trailing_stop") => fractionOf(values[name]) ?? undefined;
  return {
    ...unseenOf(from),
    strategy: values.strategy,
    symbols: values.symbols,
    timeframe: values.timeframe,
    start: text("start"),
    end: text("end"),
    parameters,
    cash: text("cash"),
    size: sizeOf(values, from?.asked.size ?? null),
    fees: text("fees"),
    fees_bps: text("fees_bps"),
    slippage_bps: text("slippage_bps"),
    fill: values.fill,
    stop_loss: share("stop_loss"),
    take_profit: share("take_profit"),
    trailing_stop: share("trailing_stop"),
    ...(values.kind !== "backtest" && { space, ...searchOf(values) }),
  };
}

const axisText = (axis: NonNullable<BacktestDetail["search"]>["space"][string]): string =>
  Array.isArray(axis) ? axis.join(", ") : `${axis.low}..${axis.high}${axis.step === null ? "" : ` by ${axis.step}`}`;

const percentText = (fraction: string | null): string => (fraction === null ? "" : showPercent(fraction, { least: 0, most: 8 }).text.replace(/[^\d.]/g, ""));

function sizeFields(size: BacktestDetail["asked"]["size"]): Pick<RunValues, "size_type" | "size"> {
  const { type, quantity, amount, share } = size as Record<string, string | undefined>;
  if (type === "units") return { size_type: type, size: quantity ?? "" };
  if (type === "cash") return { size_type: type, size: amount ?? "" };
  if (type === "percent-of-equity") return { size_type: type, size: percentText(share ?? "1") };
  return { size_type: "kept", size: "" };
}

/** A day where it begins with one, else the whole moment. */
const momentText = (at: string | null): string => (at?.replace(/T00:00:00(\.0+)?Z$/, "") ?? "");

/** The form as it stands at first: what an earlier run asked for, or what can be run on the first bars there are. */
export function startOf(from: BacktestDetail | null, templates: readonly Template[], series: readonly Series[]): RunValues {
  if (!from) {
    const first = series[0];
    return { ...EMPTY, strategy: templates[0]?.name ?? "", timeframe: first?.timeframe ?? "", symbols: first ? [first.symbol] : [] };
  }
  const { asked, search } = from;
  const typed = Object.fromEntries(Object.entries(from.parameters).map(([name, value]) => [name, String(value)]));
  const searched = Object.fromEntries(Object.entries(search?.space ?? {}).map(([name, axis]) => [name, axisText(axis)]));
  return {
    ...EMPTY,
    ...sizeFields(asked.size),
    kind: from.kind,
    strategy: from.configuration ?? from.strategy,
    timeframe: from.timeframe,
    symbols: from.symbols,
    start: momentText(from.start),
    end: momentText(from.end),
    parameters: { ...typed, ...searched },
    cash: asked.cash,
    fees_bps: asked.fees_bps ?? "",
    fees: asked.fees ?? "",
    slippage_bps: asked.slippage_bps === "0" ? "" : asked.slippage_bps,
    fill: String(asked.fill),
    stop_loss: percentText(asked.stop_loss),
    take_profit: percentText(asked.take_profit),
    trailing_stop: percentText(asked.trailing_stop),
    method: String(search?.method ?? EMPTY.method),
    trials: String(search?.trials ?? EMPTY.trials),
    objective: search?.objectives[0] ?? EMPTY.objective,
    constraints: search?.constraints.join("; ") ?? "",
    train: String(search?.walk?.train ?? EMPTY.train),
    test: String(search?.walk?.test ?? EMPTY.test),
    embargo: search?.walk?.embargo ? String(search.walk.embargo) : "",
    anchored: search?.walk?.anchored ?? false,
  };
}

/** How many backtests it comes to; null where it cannot be told before. */
export function countOf(values: RunValues, template: Template | undefined): number | null {
  if (!template || values.kind === "backtest") return null;
  if (values.method !== "grid") return Number(values.trials) || null;
  let count = 1;
  for (const axis of Object.values(split(values, template).space)) {
    if (!Array.isArray(axis) && axis.step === null) return null;
    count *= Array.isArray(axis) ? axis.length : Math.floor((axis.high - axis.low) / (axis.step ?? 1) + 1e-9) + 1;
  }
  return count;
}
