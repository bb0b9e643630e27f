import type { EquityPoint } from "@/api/types";
import { toSeconds } from "@/format/time";
import type { ChartPoint } from "@/ui/chart";

export type EquityScale = "return" | "amount";

/** What the chart shows of an account at a moment: its equity, or its return in per cent, whatever was paid in and out. */
export const onScale = (at: Pick<EquityPoint, "equity" | "total_return">, scale: EquityScale): number =>
  scale === "amount" ? Number(at.equity) : Number(at.total_return) * 100;

/**
 * The points of one account, oldest first and one per second, as a chart takes them. Where the clock went
 * back (a replay started over), what lay behind that moment is dropped.
 */
export function toLine(points: readonly EquityPoint[], scale: EquityScale): ChartPoint[] {
  const line: ChartPoint[] = [];
  for (const point of points) {
    const time = toSeconds(point.at);
    const value = onScale(point, scale);
    if (!Number.isFinite(time) || !Number.isFinite(value)) continue;
    while (line.length > 0 && (line[line.length - 1] as ChartPoint).time >= time) line.pop();
    line.push({ time, value });
  }
  return line;
}

/** History read over REST, then what the stream told; a point known to both counts once. */
export function joinPoints(history: readonly EquityPoint[], live: readonly EquityPoint[]): EquityPoint[] {
  const firstLive = live[0]?.at;
  const known = new Set(live.map((point) => point.id));
  const before = history
    .filter((point) => !known.has(point.id) && (firstLive === undefined || point.at < firstLive))
    .sort((left, right) => (left.at < right.at ? -1 : left.at > right.at ? 1 : 0));
  return [...before, ...live];
}

/** How a chart gets from one line to the next: nothing, a few points at the end, or all of it. */
export function stepBetween(before: readonly ChartPoint[], after: readonly ChartPoint[]): ChartPoint[] | "all" | null {
  const last = before[before.length - 1];
  if (!last || after.length < before.length) return after.length === before.length ? null : "all";
  const same = after[before.length - 1];
  const first = before[0];
  if (!same || same.time !== last.time || first?.time !== after[0]?.time || first?.value !== after[0]?.value) return "all";
  const tail = after.slice(before.length - (same.value === last.value ? 0 : 1));
  return tail.length === 0 ? null : tail;
}
