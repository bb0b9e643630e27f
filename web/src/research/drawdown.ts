import type { BacktestEquity } from "@/api/types";
import { toSeconds } from "@/format/time";
import type { ChartPoint } from "@/ui/chart";

/** Equity at each moment that has one, a moment once. */
export function equityLine(points: readonly BacktestEquity[]): ChartPoint[] {
  const line: ChartPoint[] = [];
  for (const { at, equity } of points) {
    const [time, value] = [toSeconds(at), Number(equity ?? Number.NaN)];
    if (!Number.isFinite(time) || !Number.isFinite(value)) continue;
    if (line.at(-1)?.time === time) line.pop();
    line.push({ time, value });
  }
  return line;
}

/** How far below its highest so far the line stands, in per cent: nought, or below. */
export function drawdownLine(line: readonly ChartPoint[]): ChartPoint[] {
  let high = -Infinity;
  return line.map(({ time, value }) => {
    high = Math.max(high, value);
    return { time, value: high > 0 ? (value / high - 1) * 100 : 0 };
  });
}

/** The return since the first point, in per cent. */
export function returnLine(line: readonly ChartPoint[]): ChartPoint[] {
  const first = line[0]?.value;
  return first ? line.map(({ time, value }) => ({ time, value: (value / first - 1) * 100 })) : [];
}
