import type { Backtest, MetricRow, Scalar } from "@/api/types";
import type { Tone } from "@/desk/states";
import { MINUS, NOTHING, type Shown, showMoney, showPercent } from "@/format/number";

interface Look {
  label: string;
  tone: Tone;
}

const STATES: Record<string, Look> = {
  queued: { label: "Queued", tone: "neutral" },
  running: { label: "Running", tone: "accent" },
  done: { label: "Done", tone: "good" },
  failed: { label: "Failed", tone: "bad" },
  cancelled: { label: "Cancelled", tone: "warn" },
};

export const KINDS: Record<Backtest["kind"], string> = {
  backtest: "Backtest",
  sweep: "Sweep",
  "walk-forward": "Walk-forward",
};

const STAGES: Record<NonNullable<Backtest["stage"]>, string> = {
  starting: "Starting",
  reading: "Reading bars",
  running: "Running",
  figures: "Figures",
  judging: "Judging",
  report: "Report",
};

export const lookOf = (state: string): Look => STATES[state] ?? { label: state, tone: "warn" };

export const isUnderWay = ({ state }: Pick<Backtest, "state">): boolean => state === "queued" || state === "running";

export const isDone = ({ state }: Pick<Backtest, "state">): boolean => state === "done";

/** A search that failed keeps what it has tried, and goes on from there; one that was cancelled keeps nothing. */
export const canResume = ({ kind, state }: Pick<Backtest, "kind" | "state">): boolean =>
  kind !== "backtest" && state === "failed";

export const said = (value: Scalar | null | undefined): string =>
  value === null || value === undefined ? NOTHING : typeof value === "boolean" ? (value ? "yes" : "no") : String(value);

export const saidAll = (values: Readonly<Record<string, Scalar | null>>): string =>
  Object.entries(values).map(([name, value]) => `${name} ${said(value)}`).join(" · ");

export const marketOf = ({ symbols, timeframe }: Pick<Backtest, "symbols" | "timeframe">): string =>
  `${symbols.length > 3 ? `${symbols.slice(0, 3).join(", ")} and ${symbols.length - 3} more` : symbols.join(", ")} · ${timeframe}`;

/** "1 min 5 s"; null where it cannot be known. */
export function showLeft(seconds: number | null): string | null {
  if (seconds === null) return null;
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s left`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s left` : `${Math.floor(minutes / 60)} h ${minutes % 60} min left`;
}

/** How far a run is, in a line: its stage, what is done of it, and the time that is left. */
export function progressOf(run: Backtest): string {
  if (run.state === "queued") return "Waits for its turn";
  const stage = run.stage ? STAGES[run.stage] : "Running";
  const count = run.done !== null && run.total !== null ? `${run.done.toLocaleString("en-US")} of ${run.total.toLocaleString("en-US")}` : null;
  return [stage, count, showLeft(run.seconds_left)].filter(Boolean).join(" · ");
}

const fixed = (value: number, digits: number): Shown => ({
  text: value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", MINUS),
  sign: value > 0 ? 1 : value < 0 ? -1 : 0,
});

/** A measurement in its unit; a dash where it is not defined. */
export function showMetric(value: number | null | undefined, unit: MetricRow["unit"] | undefined, currency: string): Shown {
  if (value === null || value === undefined || !Number.isFinite(value)) return { text: NOTHING, sign: 0 };
  if (unit === "fraction") return showPercent(value.toFixed(8));
  if (unit === "currency") return showMoney(value.toFixed(8), currency);
  if (unit === "count") return fixed(value, Number.isInteger(value) ? 0 : 1);
  if (unit === "days") return { ...fixed(value, Number.isInteger(value) ? 0 : 1), text: `${fixed(value, Number.isInteger(value) ? 0 : 1).text}\u00a0d` };
  return fixed(value, 3);
}

/** Whether a run is among those of a kind, and has all the words. */
export function matches(run: Backtest, kind: Backtest["kind"] | "all", text: string): boolean {
  if (kind !== "all" && run.kind !== kind) return false;
  const held = [run.strategy, run.configuration, ...run.symbols, run.timeframe, KINDS[run.kind], lookOf(run.state).label, saidAll(run.parameters)].join(" ").toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => held.includes(word));
}

/** The same run from several sources, newest first: the later source knows better, and what was removed is gone. */
export function mergeRuns(...sources: Iterable<Backtest>[]): Backtest[] {
  const known = new Map<string, Backtest>();
  for (const source of sources) for (const run of source) known.set(run.id, run);
  return [...known.values()]
    .filter((run) => run.state !== "deleted")
    .sort((left, right) => (left.created_at < right.created_at ? 1 : left.created_at > right.created_at ? -1 : 0));
}
