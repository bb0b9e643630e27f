import { createChart, CrosshairMode, type IChartApi, type UTCTimestamp } from "lightweight-charts";
import { MINUS } from "@/format/number";

export interface ChartPoint {
  /** Seconds since the epoch, in UTC. */
  time: number;
  value: number;
}

export const resolve = (colour: string): string => {
  const name = /^var\((.+)\)$/.exec(colour)?.[1];
  return name ? getComputedStyle(document.documentElement).getPropertyValue(name).trim() : colour;
};

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export const asAmount = (value: number): string => whole.format(value).replace("-", MINUS);
export const asPercent = (value: number): string => `${value.toFixed(2).replace("-", MINUS)} %`;

export const stamped = ({ time, value }: ChartPoint) => ({ time: time as UTCTimestamp, value });

/** The colours of the page, read anew when it turns dark or light. */
export function paint(chart: IChartApi): void {
  const grid = { color: resolve("var(--line)") };
  chart.applyOptions({
    layout: {
      textColor: resolve("var(--muted)"),
      background: { color: resolve("var(--panel)") },
      panes: { separatorColor: grid.color, separatorHoverColor: grid.color },
    },
    grid: { vertLines: { visible: false }, horzLines: grid },
    rightPriceScale: { borderColor: grid.color },
    timeScale: { borderColor: grid.color },
  });
}

export function makeChart(host: HTMLElement): IChartApi {
  return createChart(host, {
    autoSize: true,
    layout: { fontSize: 11, fontFamily: getComputedStyle(document.body).fontFamily, attributionLogo: true },
    rightPriceScale: { scaleMargins: { top: 0.12, bottom: 0.08 } },
    // Only where the left edge is fixed does the library keep the first label of the axis whole.
    timeScale: { timeVisible: false, rightOffset: 3, minBarSpacing: 0.05, fixLeftEdge: true },
    crosshair: { mode: CrosshairMode.Magnet },
    handleScroll: { vertTouchDrag: false },
  });
}
