"use client";

import { Button } from "@mantine/core";
import { useQueries } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Backtest, Comparison } from "@/api/types";
import { type ChartLine, EquityChart } from "@/desk/EquityChart";
import { asked } from "@/ui/asked";
import { Num } from "@/ui/Num";
import { Panel } from "@/ui/Panel";
import { PanelState } from "@/ui/PanelState";
import table from "@/ui/table.module.css";
import { equityOf, useComparison } from "./data";
import { equityLine, returnLine } from "./drawdown";
import { marketOf, saidAll, showMetric } from "./look";
import classes from "./Result.module.css";
import { showRun, untick } from "./store";

const colourAt = (place: number): string => `var(--line-${(place % 6) + 1})`;

function useLines(runs: readonly Backtest[]): ChartLine[] {
  const found = useQueries({ queries: runs.map(({ id }) => equityOf(id)), combine: (results) => results.map(({ data }) => data) });
  return useMemo(
    () =>
      runs.map(({ id }, place) => {
        const points = returnLine(equityLine(found[place] ?? []));
        return { id, colour: colourAt(place), points, now: points.at(-1)?.value ?? 0 };
      }),
    [runs, found],
  );
}

function Curves({ runs }: { runs: readonly Backtest[] }) {
  const lines = useLines(runs);
  return (
    <>
      <ul className={classes.names}>
        {runs.map((run, place) => (
          <li key={run.id}>
            <button type="button" className={table.plain} onClick={() => showRun(run.id)}>
              <span className={classes.swatch} style={{ background: colourAt(place) }} />
              {run.configuration ?? run.strategy}
            </button>{" "}
            <span className="muted">{[marketOf(run), saidAll(run.parameters)].filter(Boolean).join(" · ")}</span>
          </li>
        ))}
      </ul>
      <div className={`${classes.chart} ${classes.compared}`}>
        <EquityChart lines={lines} scale="return" label="Return since the start of each backtest; the table below has the figures" />
      </div>
    </>
  );
}

function Figures({ comparison }: { comparison: Comparison }) {
  const rows = comparison.metrics.filter(({ values }) => values.some((value) => value !== null));
  return (
    <table className={table.table} aria-label="Metrics side by side" data-testid="comparison">
      <thead>
        <tr>
          <th scope="col">Metric</th>
          {comparison.backtests.map((run, place) => (
            <th key={run.id} scope="col" className={table.right}>
              <span className={classes.swatch} style={{ background: colourAt(place) }} />
              {run.configuration ?? run.strategy}
              <span className={table.second}>{saidAll(run.parameters)}</span>
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(({ name, title, unit, values }) => (
          <tr key={name}>
            <td>{title}</td>
            {values.map((value, place) => (
              <td key={comparison.backtests[place]?.id} className={table.right}><Num value={showMetric(value, unit, "")} /></td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Several results side by side. */
export function ComparisonPanel({ ids }: { ids: readonly string[] }) {
  const found = useComparison(ids);
  const close = () => {
    untick();
    showRun(null);
  };
  return (
    <Panel id="result" area="result" title="Comparison" aside={String(ids.length)} actions={<Button size="compact-xs" variant="default" onClick={close}>Close</Button>}>
      <PanelState
        {...asked(found)}
        isEmpty={false}
        empty=""
      >
        {found.data && (
          <>
            <Curves runs={found.data.backtests} />
            <Figures comparison={found.data} />
          </>
        )}
      </PanelState>
    </Panel>
  );
}
