import type { BacktestDetail } from "@/api/types";
import { show, showMoney, showPercent } from "@/format/number";
import { showInstant, type Zone } from "@/format/time";
import { type Fact, Facts } from "./Facts";
import { said, saidAll } from "./look";

const FILLS: Record<string, string> = { "next-open": "Next open", close: "Close of the bar", limit: "Limit at the close" };
const METHODS: Record<string, string> = { grid: "Every combination", random: "At random", tpe: "Near good ones (TPE)", nsga2: "Breeding good ones (NSGA-II)" };

type Asked = BacktestDetail["asked"];

const SHARES: readonly (readonly [keyof Asked, string])[] = [
  ["stop_loss", "Stop-loss"], ["take_profit", "Take-profit"], ["trailing_stop", "Trailing stop"], ["maintenance", "Maintenance margin"],
  ["participation", "Share of volume"], ["spread_share", "Share of the spread"], ["limit_offset", "Limit offset"],
  ["financing", "Financing, a year"], ["credit", "Interest on cash, a year"], ["borrow", "Borrow, a year"], ["risk_free", "Risk-free, a year"],
];

export function sizeInWords(size: Asked["size"]): string {
  const { type, ...rest } = size as unknown as { type: string } & Record<string, string | number>;
  if (type === "percent-of-equity") return `${showPercent(String(rest.share ?? "1"), { least: 0, most: 2 }).text} of equity`;
  if (type === "units") return `${show(String(rest.quantity)).text} units`;
  if (type === "cash") return `${show(String(rest.amount)).text} in cash`;
  return `${type.replaceAll("-", " ")} (${saidAll(rest)})`;
}

const isSet = (value: unknown): value is string => typeof value === "string" && Number(value) !== 0;

function ofTerms(asked: Asked, currency: string): Fact[] {
  return [
    { name: "Cash at the start", value: showMoney(asked.cash, currency).text },
    { name: "Size", value: sizeInWords(asked.size) },
    { name: "Fill", value: FILLS[asked.fill ?? ""] ?? said(asked.fill) },
    { name: "Costs", value: asked.fees ?? (asked.fees_bps ? `${asked.fees_bps} bps` : "none") },
    { name: "Slippage", value: `${asked.slippage_bps} bps` },
    ...SHARES.flatMap(([name, title]) => (isSet(asked[name]) ? [{ name: title, value: showPercent(asked[name]).text }] : [])),
    ...(Object.keys(asked.mtm).length > 0 ? [{ name: "Mark-to-market rules", value: Object.keys(asked.mtm).join(", ") }] : []),
    { name: "Engine asked for", value: said(asked.engine) },
  ];
}

function ofSearch(search: NonNullable<BacktestDetail["search"]>): Fact[] {
  const axis = (found: (typeof search.space)[string]): string =>
    Array.isArray(found) ? found.map(said).join(", ") : `${found.low} to ${found.high}${found.step === null ? "" : ` by ${found.step}`}${found.log ? ", by factors" : ""}`;
  return [
    ...Object.entries(search.space).map(([name, found]) => ({ name: `Searched: ${name}`, value: axis(found) })),
    { name: "Method", value: METHODS[search.method ?? ""] ?? said(search.method) },
    { name: "Looked for", value: search.objectives.map((name) => name.replaceAll("_", " ")).join(", ") },
    ...(search.method === "grid" ? [] : [{ name: "Trials", value: said(search.trials) }, { name: "Seed", value: said(search.seed) }]),
    ...(search.constraints.length > 0 ? [{ name: "Rules", value: search.constraints.join("; ") }] : []),
    ...(search.walk ? [{ name: "Windows", value: `${search.walk.train} bars of training, ${search.walk.test} of test${search.walk.embargo ? `, ${search.walk.embargo} between` : ""}${search.walk.anchored ? ", anchored" : ""}` }] : []),
  ];
}

/** On what terms it was asked for. */
export function Terms({ run, zone }: { run: BacktestDetail; zone: Zone }) {
  const { summary } = run;
  const facts: Fact[] = [
    { name: "Strategy", value: `${run.configuration ?? run.strategy}, version ${run.version}` },
    ...Object.entries(run.parameters).map(([name, value]) => ({ name, value: said(value) })),
    { name: "Bars", value: summary ? `${summary.bars.toLocaleString("en-US")} of ${run.timeframe}` : run.timeframe },
    { name: "From", value: showInstant(summary?.start ?? run.start, zone) },
    { name: "To", value: showInstant(summary?.end ?? run.end, zone) },
    ...ofTerms(run.asked, summary?.currency ?? ""),
    ...(run.search ? ofSearch(run.search) : []),
    { name: "Asked for", value: showInstant(run.created_at, zone) },
    ...(run.fingerprint ? [{ name: "Fingerprint", value: run.fingerprint, hint: "Of code, parameters, terms and bars: the same again gives the same" }] : []),
  ];
  return <Facts label="Terms" facts={facts} />;
}
