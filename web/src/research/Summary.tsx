import type { BacktestDetail, BacktestSummary, Luck, MetricRow } from "@/api/types";
import { showMoney } from "@/format/number";
import { asked } from "@/ui/asked";
import { Note } from "@/ui/Note";
import { Num } from "@/ui/Num";
import { PanelState } from "@/ui/PanelState";
import { useComparison, useEquity } from "./data";
import { equityLine } from "./drawdown";
import { type Fact, Facts } from "./Facts";
import { saidAll, showMetric } from "./look";
import classes from "./Result.module.css";
import { RunChart } from "./RunChart";

const GLANCE: readonly { name: string; title: string; unit: MetricRow["unit"]; signed?: boolean }[] = [
  { name: "total_return", title: "Return", unit: "fraction", signed: true },
  { name: "cagr", title: "A year", unit: "fraction", signed: true },
  { name: "sharpe", title: "Sharpe", unit: "ratio" },
  { name: "max_drawdown", title: "Drawdown", unit: "fraction" },
  { name: "volatility", title: "Volatility", unit: "fraction" },
  { name: "win_rate", title: "Win rate", unit: "fraction" },
  { name: "profit_factor", title: "Profit factor", unit: "ratio" },
  { name: "benchmark_total_return", title: "Buy and hold", unit: "fraction", signed: true },
];

function glance(summary: BacktestSummary): Fact[] {
  const { currency, metrics } = summary;
  return [
    { name: "Final equity", value: <Num value={showMoney(summary.final_equity, currency)} />, hint: `from ${showMoney(summary.cash, currency).text} ${currency}` },
    ...GLANCE.map(({ name, title, unit, signed }) => ({ name: title, value: <Num value={showMetric(metrics[name], unit, currency)} signed={signed} /> })),
    { name: "Trades", value: <span className="number">{summary.trades}</span>, hint: `${summary.fills} fills of ${summary.orders} orders; ${summary.refused} refused` },
    { name: "Costs", value: <Num value={showMoney(summary.fees, currency)} />, hint: "Fees, taxes and duties" },
  ];
}

/** How far what a search chose can be trusted, in words. */
function verdictOf(luck: Luck, metrics: BacktestSummary["metrics"]): Fact[] {
  const of = (value: number | null, unit: MetricRow["unit"]) => <Num value={showMetric(value, unit, "")} />;
  return [
    { name: "Trials", value: of(luck.trials, "count") },
    { name: "Sharpe ratio of the choice", value: of(luck.sharpe ?? metrics.sharpe ?? null, "ratio") },
    { name: "Sharpe ratio that luck would show", value: of(luck.sharpe_by_luck, "ratio"), hint: "What the best of as many worthless trials would show" },
    { name: "Deflated Sharpe ratio", value: of(luck.deflated_sharpe, "fraction"), hint: "Probability that the true Sharpe ratio is above what luck would show" },
    { name: "Probability of overfitting", value: of(luck.probability_of_overfitting, "fraction"), hint: "How often the best in sample is below the middle out of sample" },
    { name: "Probability of loss", value: of(luck.probability_of_loss, "fraction"), hint: "How often what was best in sample lost out of sample" },
  ];
}

const SURE = 0.95;

function Verdict({ summary }: { summary: BacktestSummary }) {
  const { search, metrics } = summary;
  if (!search) return null;
  const luck = search.verdict;
  const facts: Fact[] = luck ? verdictOf(luck, metrics) : [];
  if (search.efficiency !== null) facts.push({ name: "Efficiency", value: <Num value={showMetric(search.efficiency, "fraction", "")} />, hint: "Return out of sample, of that in training" });
  if (search.consistency !== null) facts.push({ name: "Windows that gained", value: <Num value={showMetric(search.consistency, "fraction", "")} /> });
  const deflated = luck?.deflated_sharpe ?? null;
  const isDoubtful = deflated !== null && deflated < SURE;
  return (
    <section className={classes.section} aria-label="Verdict">
      <h3>Can the choice be trusted?</h3>
      {search.best && <p className={classes.lead}>Chosen: <strong>{saidAll(search.best)}</strong></p>}
      {search.unjudged && <Note tone="warn">{search.unjudged}</Note>}
      {deflated !== null && (
        <Note tone={isDoubtful ? "warn" : "accent"} testId="verdict">
          {isDoubtful
            ? `After ${luck?.trials ?? 0} trials, a Sharpe ratio like this may well be luck: the deflated ratio is ${showMetric(deflated, "fraction", "").text}, and 95 % would be convincing.`
            : `After ${luck?.trials ?? 0} trials, a Sharpe ratio like this is hardly luck alone: the deflated ratio is ${showMetric(deflated, "fraction", "").text}.`}
        </Note>
      )}
      {facts.length > 0 && <Facts facts={facts} label="Odds of overfitting" />}
    </section>
  );
}

function Equity({ run }: { run: BacktestDetail }) {
  const equity = useEquity(run);
  const line = equityLine(equity.data ?? []);
  return (
    <div className={classes.chart}>
      <PanelState
        {...asked(equity)}
        isEmpty={line.length < 2}
        empty="There are fewer than two bars, and nothing to draw."
      >
        <RunChart line={line} label={`Equity and drawdown of ${run.strategy}; the figures above say where it ended`} />
      </PanelState>
    </div>
  );
}

export function Summary({ run, summary }: { run: BacktestDetail; summary: BacktestSummary }) {
  return (
    <>
      <Facts facts={glance(summary)} label="Figures at a glance" tiles />
      {summary.warnings.map((warning) => (
        <Note key={warning} tone="warn" className={classes.warning}>{warning}</Note>
      ))}
      <Equity run={run} />
      <Verdict summary={summary} />
    </>
  );
}

/** Every metric with its name and unit. */
export function Metrics({ run, summary }: { run: BacktestDetail; summary: BacktestSummary }) {
  const found = useComparison([run.id], run.finished_at ?? "");
  const rows = found.data?.metrics.filter((row) => row.values[0] !== null) ?? [];
  return (
    <PanelState
      {...asked(found)}
      isEmpty={rows.length === 0}
      empty="No metric is defined for so short a run."
    >
      <Facts label="Metrics" facts={rows.map(({ title, unit, values }) => ({ name: title, value: <Num value={showMetric(values[0], unit, summary.currency)} /> }))} />
      <p className={classes.foot}>
        {summary.periods_per_year.toFixed(2)} periods a year: {summary.periods_basis}. Engine: {summary.engine}.
      </p>
    </PanelState>
  );
}
