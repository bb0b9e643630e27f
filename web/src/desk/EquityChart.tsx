"use client";

import { useComputedColorScheme } from "@mantine/core";
import { type IChartApi, type IPriceLine, type ISeriesApi, LineSeries } from "lightweight-charts";
import { useEffect, useRef } from "react";
import { asAmount, asPercent, type ChartPoint, makeChart, paint, resolve, stamped } from "@/ui/chart";
import { type EquityScale, stepBetween } from "./equity";

export interface ChartLine {
  id: string;
  colour: string;
  points: ChartPoint[];
  /** What the account is worth now: the last point is that of the last closed day. */
  now: number;
}

interface Drawn {
  series: ISeriesApi<"Line">;
  label: IPriceLine;
  points: ChartPoint[];
  scale: EquityScale;
}

function addLine(chart: IChartApi): Pick<Drawn, "series" | "label"> {
  const series = chart.addSeries(LineSeries, { lineWidth: 2, priceLineVisible: false, lastValueVisible: false });
  return { series, label: series.createPriceLine({ price: 0, lineVisible: false, axisLabelVisible: true, title: "" }) };
}

function draw(chart: IChartApi, drawn: Map<string, Drawn>, lines: readonly ChartLine[], scale: EquityScale): void {
  for (const [id, { series }] of drawn) {
    if (lines.some((line) => line.id === id)) continue;
    chart.removeSeries(series);
    drawn.delete(id);
  }
  for (const { id, colour, points, now } of lines) {
    const held = drawn.get(id);
    const { series, label } = held ?? addLine(chart);
    label.applyOptions({ price: now, color: resolve(colour), axisLabelVisible: points.length > 0 });
    series.applyOptions({ color: resolve(colour), priceFormat: { type: "custom", formatter: scale === "amount" ? asAmount : asPercent, minMove: 0.01 } });
    const step = held && held.scale === scale ? stepBetween(held.points, points) : "all";
    if (step === "all") series.setData(points.map(stamped));
    else for (const point of step ?? []) series.update(stamped(point));
    drawn.set(id, { series, label, points, scale });
  }
}

/** The chart shows everything until the user scrolls or zooms it; a double click shows everything again. */
function whileFollowing(host: HTMLElement, following: { current: boolean }, fit: () => void): () => void {
  const leave = () => (following.current = false);
  const back = () => {
    following.current = true;
    fit();
  };
  host.addEventListener("wheel", leave, { passive: true });
  host.addEventListener("pointerdown", leave, { passive: true });
  host.addEventListener("dblclick", back);
  return () => {
    host.removeEventListener("wheel", leave);
    host.removeEventListener("pointerdown", leave);
    host.removeEventListener("dblclick", back);
  };
}

/** One line per account; new points are appended, never redrawn, while the user may be looking back. */
export function EquityChart({ lines, scale, label }: { lines: ChartLine[]; scale: EquityScale; label: string }) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<IChartApi | null>(null);
  const drawn = useRef(new Map<string, Drawn>());
  const following = useRef(true);
  const scheme = useComputedColorScheme("dark");
  const shape = `${scale}|${lines.map((line) => line.id).join()}`;

  useEffect(() => {
    if (!host.current) return;
    const made = makeChart(host.current);
    const series = drawn.current;
    chart.current = made;
    const forget = whileFollowing(host.current, following, () => made.timeScale().fitContent());
    return () => {
      forget();
      made.remove();
      series.clear();
      chart.current = null;
    };
  }, []);

  useEffect(() => {
    if (!chart.current) return;
    paint(chart.current);
    draw(chart.current, drawn.current, lines, scale);
    if (following.current) chart.current.timeScale().fitContent();
  }, [lines, scale, scheme]);

  useEffect(() => {
    following.current = true;
    chart.current?.timeScale().fitContent();
  }, [shape]);

  return <div ref={host} role="figure" aria-label={label} data-testid="equity-chart" style={{ minWidth: 0, height: "100%" }} />;
}
