import { describe, expect, it } from "vitest";
import type { Backtest, BacktestDetail, BacktestEquity, HeatMap, Template } from "@/api/types";
import { drawdownLine, equityLine, returnLine } from "@/research/drawdown";
import { EMPTY, faultsOf, type RunValues } from "@/research/form";
import { canResume, matches, mergeRuns, progressOf, showLeft, showMetric } from "@/research/look";
import { countOf, startOf, toBody } from "@/research/request";
import { shades } from "@/research/Searches";
import { placeOf } from "@/research/store";
import { axisOf, scalarOf } from "@/research/typed";

const run = (changes: Partial<Backtest>): Backtest =>
  ({
    id: "r1", kind: "backtest", state: "done", stage: null, progress: null, done: null, total: null, seconds_left: null, best: null, strategy: "sma-crossover", version: "1",
    configuration: null, parameters: { fast: 10 }, symbols: ["AAPL"], timeframe: "1d", start: null, end: null, created_at: "2026-01-01T00:00:00Z", ...changes,
  }) as Backtest;

const template = {
  name: "sma-crossover", source: "built-in", parameters: [
    { name: "fast", type: "int", default: 10, minimum: 1, maximum: 500, description: "" },
    { name: "slow", type: "int", default: 50, minimum: 2, maximum: 1000, description: "" },
    { name: "width", type: "float", default: 2, minimum: 0.1, maximum: 10, description: "" },
    { name: "allow_short", type: "bool", default: false, minimum: null, maximum: null, description: "" },
    { name: "members", type: "text", default: "a; b", minimum: null, maximum: null, description: "" },
  ],
} as unknown as Template;

const filled = (changes: Partial<RunValues> = {}): RunValues => ({ ...EMPTY, strategy: "sma-crossover", timeframe: "1d", symbols: ["AAPL"], ...changes });

describe("what is typed", () => {
  it("reads values by their type, and nothing else", () => {
    expect([scalarOf("10", "int"), scalarOf("1.5", "int"), scalarOf("1.5", "float"), scalarOf("yes", "bool"), scalarOf("ten", "int"), scalarOf("a, b", "text")])
      .toEqual([10, null, 1.5, true, null, "a, b"]);
  });
  it("reads stretches and lists", () => {
    expect(axisOf("5..25 by 5", "int")).toEqual({ low: 5, high: 25, step: 5 });
    expect(axisOf("5 to 9", "int")).toEqual({ low: 5, high: 9, step: 1 });
    expect(axisOf("0.5..2", "float")).toEqual({ low: 0.5, high: 2, step: null });
    expect(axisOf("10, 20,50", "int")).toEqual([10, 20, 50]);
    expect(axisOf("yes, no", "bool")).toEqual([true, false]);
    for (const wrong of ["25..5", "5..25 by 0", "10,,20", "a, b", "5...25"]) expect(axisOf(wrong, "int")).toBeNull();
  });
});

describe("the form", () => {
  it("says what is missing or wrong, field by field", () => {
    expect(Object.keys(faultsOf(EMPTY, undefined))).toEqual(["strategy", "symbols", "timeframe"]);
    const faults = faultsOf(filled({ cash: "0", fees_bps: "-1", fees: "x", stop_loss: "two", start: "June", parameters: { fast: "ten" } }), template);
    expect(Object.keys(faults).sort()).toEqual(["cash", "fees", "fees_bps", "parameters.fast", "start", "stop_loss"].sort());
    expect(faultsOf(filled({ start: "2004-01-02", end: "2004-01-02" }), template)).toHaveProperty("end");
    expect(faultsOf(filled(), template)).toEqual({});
  });
  it("lets a single test have one value only, and a search several of one at least", () => {
    expect(faultsOf(filled({ parameters: { fast: "5..9" } }), template)["parameters.fast"]).toContain("choose Sweep");
    expect(faultsOf(filled({ kind: "sweep" }), template)).toHaveProperty("parameters");
    expect(faultsOf(filled({ kind: "sweep", parameters: { fast: "5..9" } }), template)).toEqual({});
    expect(Object.keys(faultsOf(filled({ kind: "walk-forward", parameters: { fast: "5, 9" }, train: "", test: "0", method: "tpe", trials: "1.5" }), template)).sort()).toEqual(["test", "train", "trials"]);
  });
  it("asks for exactly what was typed", () => {
    const body = toBody(filled({ parameters: { fast: "12", allow_short: "yes", members: "x; y" }, stop_loss: "2.5", size: "50", fees_bps: "5" }), template, null);
    expect(body).toMatchObject({ parameters: { fast: 12, allow_short: true, members: "x; y" }, stop_loss: "0.025", size: { type: "percent-of-equity", share: "0.5" }, fees_bps: "5" });
    expect(JSON.parse(JSON.stringify(body))).not.toHaveProperty("take_profit");
    expect(body).not.toHaveProperty("space");
    const walk = toBody(filled({ kind: "walk-forward", parameters: { fast: "5..9 by 2", slow: "50" }, constraints: "fast < slow\n trades >= 3 " }), template, null);
    expect(walk).toMatchObject({ parameters: { slow: 50 }, space: { fast: { low: 5, high: 9, step: 2 } }, objective: "sharpe", train: 500, test: 125, constraints: ["fast < slow", "trades >= 3"] });
    expect(walk).not.toHaveProperty("trials");
  });
  it("counts combinations", () => {
    const values = filled({ kind: "sweep", parameters: { fast: "5..25 by 5", slow: "50, 60", width: "0.1..0.3 by 0.1" } });
    expect(countOf(values, template)).toBe(5 * 2 * 3);
    expect(countOf({ ...values, method: "tpe", trials: "40" }, template)).toBe(40);
    expect(countOf(filled(), template)).toBeNull();
    expect(countOf(filled({ kind: "sweep", parameters: { width: "0.1..2" } }), template)).toBeNull();
  });
  it("runs an earlier one again on its terms, those it does not show included", () => {
    const asked = {
      cash: "5000", fees: null, fees_bps: "5", size: { type: "units", quantity: "3" }, fill: "close", slippage_bps: "0", stop_loss: "0.025", take_profit: null, trailing_stop: null,
      maintenance: null, participation: "0.1", spread_share: "0", limit_offset: "0", financing: "0.05", credit: "0", borrow: "0", mtm: {}, engine: "event", risk_free: "0",
    };
    const search = { space: { fast: { low: 5, high: 9, step: 2, log: false }, slow: [50, 60] }, method: "grid", objectives: ["sortino"], constraints: ["fast < slow"], trials: 100, seed: 0, walk: null };
    const from = { ...run({ kind: "sweep", parameters: { fast: 7, slow: 50, allow_short: true }, start: "2004-01-02T00:00:00Z", end: "2005-01-03T14:30:00Z" }), asked, search, summary: null } as unknown as BacktestDetail;
    const values = startOf(from, [], []);
    expect(faultsOf(values, template)).toEqual({});
    expect(toBody(values, template, from)).toMatchObject({
      strategy: "sma-crossover", cash: "5000", fees_bps: "5", size: { type: "units", quantity: "3" }, fill: "close", stop_loss: "0.025", start: "2004-01-02", end: "2005-01-03T14:30:00Z",
      participation: "0.1", financing: "0.05", engine: "event", parameters: { allow_short: true }, space: { fast: { low: 5, high: 9, step: 2 }, slow: [50, 60] }, objectives: ["sortino"],
    });
    const kept = { ...from, asked: { ...asked, size: { type: "kelly", fraction: 0.5, window: 250, most: 1 } } } as unknown as BacktestDetail;
    expect(toBody(startOf(kept, [], []), template, kept)).toMatchObject({ size: { type: "kelly", fraction: 0.5 } });
  });
});

describe("the list", () => {
  it("knows each run once, as it was told last, newest first, without what was removed", () => {
    const [old, held] = [run({ id: "a", created_at: "2026-01-01T00:00:00Z" }), run({ id: "b", state: "running", created_at: "2026-01-02T00:00:00Z" })];
    const told = [run({ id: "b", state: "done", created_at: "2026-01-02T00:00:00Z" }), run({ id: "c", state: "deleted" })];
    expect(mergeRuns([old, held, run({ id: "c" })], told).map(({ id, state }) => `${id} ${state}`)).toEqual(["b done", "a done"]);
  });
  it("filters by kind and by words in any order", () => {
    expect(matches(run({}), "all", "aapl sma")).toBe(true);
    expect(matches(run({}), "sweep", "")).toBe(false);
    expect(matches(run({}), "all", "aapl msft")).toBe(false);
  });
  it("says how far one is", () => {
    expect(progressOf(run({ state: "queued" }))).toBe("Waits for its turn");
    expect(progressOf(run({ state: "running", stage: "running", done: 1200, total: 5000, seconds_left: 61.2 }))).toBe("Running · 1,200 of 5,000 · 1 min 2 s left");
    expect([showLeft(null), showLeft(0.2), showLeft(7_325)]).toEqual([null, "1 s left", "2 h 2 min left"]);
  });
  it("resumes searches that failed, and nothing else", () => {
    expect([run({ state: "failed" }), run({ kind: "sweep", state: "failed" }), run({ kind: "sweep", state: "cancelled" })].map(canResume)).toEqual([false, true, false]);
  });
});

describe("figures", () => {
  it("shows each in its unit", () => {
    expect([showMetric(0.1234, "fraction", "USD").text, showMetric(1.5, "ratio", "").text, showMetric(12, "count", "").text, showMetric(3.25, "days", "").text, showMetric(-5, "currency", "JPY").text])
      .toEqual(["12.34\u00a0%", "1.500", "12", "3.3\u00a0d", "\u22125"]);
    expect([showMetric(null, "ratio", "").text, showMetric(Number.NaN, "ratio", "").text]).toEqual(["\u2013", "\u2013"]);
  });
  it("draws equity, drawdown and return", () => {
    const at = (second: number, equity: string | null) => ({ id: "0", at: `2026-01-01T00:00:0${second}Z`, equity, cash: null, positions: {} }) as BacktestEquity;
    const line = equityLine([at(1, "100"), at(2, null), at(3, "150"), at(3, "120"), at(4, "90")]);
    expect(line.map(({ value }) => value)).toEqual([100, 120, 90]);
    expect(drawdownLine(line).map(({ value }) => Math.round(value))).toEqual([0, 0, -25]);
    expect(returnLine(line).map(({ value }) => Math.round(value))).toEqual([0, 20, -10]);
    expect(returnLine([])).toEqual([]);
  });
  it("shades the best darkest, whichever way is better", () => {
    const map = { x: { name: "a", values: [1, 2] }, y: null, value: "sharpe", higher_is_better: true, others: "median", cells: [[1, 3]] } as unknown as HeatMap;
    expect([1, 2, 3, null].map(shades(map))).toEqual([0, 0.5, 1, 0]);
    expect([1, 3].map(shades({ ...map, higher_is_better: false }))).toEqual([1, 0]);
    expect(shades({ ...map, cells: [[2, 2]] })(2)).toBe(1);
  });
});

describe("the address", () => {
  it("names a run, or several to compare", () => {
    expect(placeOf("")).toEqual({ runId: null, compared: [] });
    expect(placeOf("#abc")).toEqual({ runId: "abc", compared: [] });
    expect(placeOf("#compare=a,b")).toEqual({ runId: null, compared: ["a", "b"] });
  });
});
