"use client";

import { useComputedColorScheme } from "@mantine/core";
import { AreaSeries, type IChartApi, type ISeriesApi, LineSeries } from "lightweight-charts";
import { useEffect, useRef } from "react";
import { asAmount, asPercent, type ChartPoint, makeChart, paint, resolve, stamped } from "@/ui/chart";
import { drawdownLine } from "./drawdown";

interface Drawn {
  chart: IChartApi;
  equity: ISeriesApi<"Line">;
  drawdown: ISeriesApi<"Area">;
}

const DRAWDOWN_SHARE = 0.28;

function make(host: HTMLElement): Drawn {
  const chart = makeChart(host);
  const equity = chart.addSeries(LineSeries, { lineWidth: 2, priceLineVisible: false, priceFormat: { type: "custom", formatter: asAmount, minMove: 0.01 } });
  const drawdown = chart.addSeries(
    AreaSeries,
    { lineWidth: 1, priceLineVisible: false, lastValueVisible: false, invertFilledArea: true, priceFormat: { type: "custom", formatter: asPercent, minMove: 0.01 } },
    1,
  );
  const [upper, lower] = chart.panes();
  upper?.setStretchFactor(1 - DRAWDOWN_SHARE);
  lower?.setStretchFactor(DRAWDOWN_SHARE);
  return { chart, equity, drawdown };
}

function colour({ chart, equity, drawdown }: Drawn): void {
  paint(chart);
  equity.applyOptions({ color: resolve("var(--line-1)") });
  drawdown.applyOptions({ lineColor: resolve("var(--bad)"), topColor: resolve("var(--bad-soft)"), bottomColor: resolve("var(--bad-soft)") });
}

/** Equity above, and below it how far it stands under its highest so far. */
export function RunChart({ line, label }: { line: readonly ChartPoint[]; label: string }) {
  const host = useRef<HTMLDivElement>(null);
  const drawn = useRef<Drawn | null>(null);
  const scheme = useComputedColorScheme("dark");

  useEffect(() => {
    if (!host.current) return;
    const made = make(host.current);
    drawn.current = made;
    return () => {
      made.chart.remove();
      drawn.current = null;
    };
  }, []);

  useEffect(() => {
    if (!drawn.current) return;
    drawn.current.equity.setData(line.map(stamped));
    drawn.current.drawdown.setData(drawdownLine(line).map(stamped));
    drawn.current.chart.timeScale().fitContent();
  }, [line]);

  useEffect(() => {
    if (drawn.current) colour(drawn.current);
  }, [scheme]);

  return <div ref={host} role="figure" aria-label={label} data-testid="run-chart" style={{ minWidth: 0, height: "100%" }} />;
}
