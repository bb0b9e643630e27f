"""The sheet of objectives walked forward: their worth beside 1/N, how sure the distance is, and what they held."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from evenkeel.quant.analytics.summary import Values
from evenkeel.research.portfolio.rebalancing import YARDSTICK, Comparison
from evenkeel.research.report.charts import Panel
from evenkeel.research.report.markup import facts, figure, key, paragraph, safe, section, side_by_side, table
from evenkeel.research.report.page import whole_page
from evenkeel.research.report.parts import colour, drawn, foot, head, links, meter, metered, on_either_scale
from evenkeel.research.report.scales import Floats, Ints, Timeline, from_zero
from evenkeel.research.report.words import NOTHING, counted, day_of, number, per_cent, percent, plain
from evenkeel.research.report.writing import write_whole

_BENCHMARK = "benchmark"
_STACKED = 7
_FAILURES = 30
_LINKS = {
    "results": "Results", "equity": "Equity", "ahead": "Against 1/N", "drawdowns": "Drawdowns", "held": "Weights",
    "trading": "Trading", "failures": "Failures", "assumptions": "Assumptions",
}  # fmt: skip


class _Walked:
    """A comparison with what its sheet needs of it."""

    def __init__(self, compared: Comparison, draws: int, seed: int) -> None:
        self.compared, self.paths, self.draws, self.seed = compared, compared.paths, draws, seed
        self.moments: Ints = compared.times
        self.timeline = Timeline(compared.times[compared.first :])
        self.names = sorted(self.paths, key=lambda one: one == YARDSTICK)

    @cached_property
    def css(self) -> dict[str, str]:
        """The class of each path's line; the yardstick's and the benchmark's are their own."""
        found = {name: colour(place) for place, name in enumerate(self.names)}
        return {**found, YARDSTICK: "yard", _BENCHMARK: "market"}

    @cached_property
    def lines(self) -> dict[str, Floats]:
        """Worth by name, the benchmark's first and the yardstick's last, so that it is seen."""
        market = {} if self.compared.benchmark is None else {_BENCHMARK: self.compared.benchmark}
        return {**market, **{name: self.paths[name].equity for name in self.names}}

    @cached_property
    def ahead(self) -> dict[str, tuple[float, float, float]]:
        others = [name for name in self.names if name != YARDSTICK]
        return {name: self.compared.ahead(name, draws=self.draws, seed=self.seed) for name in others}

    def keys(self) -> list[str]:
        return [key(self.css[name], _title(name)) for name in self.lines]


def comparison_sheet(compared: Comparison, *, title: str | None = None, draws: int = 2000, seed: int = 0) -> str:
    """A whole HTML page about objectives walked forward that needs nothing else; the same comparison, the same bytes.

    `draws` histories are drawn again from `seed` for the bands against 1/N.
    """
    walked = _Walked(compared, draws, seed)
    others = len(walked.ahead)
    name = title or f"{counted(others, 'objective')} walked forward"
    parts = (_results, _equity, _ahead, _drawdowns, _held, _trading, _failures, _assumptions)
    body = "".join(part(walked) for part in parts)
    end = foot(
        f"Walked over {counted(len(compared.prices.assets), 'asset')}",
        "It tells what would have been, not what will be.",
    )
    return whole_page(f"{name} · portfolios", f"{_head(walked, name)}{links(_LINKS)}<main>{body}</main>{end}")


def write_comparison_sheet(
    compared: Comparison, path: str | Path, *, title: str | None = None, draws: int = 2000, seed: int = 0
) -> Path:
    """Writes `comparison_sheet` to a file, whole or not at all; its path. Raises InvalidInput where it cannot."""
    return write_whole(Path(path), comparison_sheet(compared, title=title, draws=draws, seed=seed).encode())


def _title(name: str) -> str:
    return "1/N" if name == YARDSTICK else name


def _head(walked: _Walked, title: str) -> str:
    paths, times = walked.paths, walked.timeline.moments
    assets = walked.compared.prices.assets
    shown = ", ".join(assets[:8]) + (f" and {len(assets) - 8} more" if len(assets) > 8 else "")
    about = f"{shown} · {day_of(int(times[0]))} to {day_of(int(times[-1]))}"
    sure = sum(low > 0.0 for low, _, _ in walked.ahead.values())
    best = max(walked.names, key=lambda one: _known(paths[one].metrics["sharpe"]))
    calm = max(walked.names, key=lambda one: _known(paths[one].metrics["max_drawdown"]))
    rich = max(walked.names, key=lambda one: float(paths[one].equity[-1]))
    failed = sum(len(one.failed) for one in paths.values())
    figures = (
        ("Highest Sharpe ratio", number(paths[best].metrics["sharpe"]), _title(best)),
        ("Sharpe ratio of 1/N", number(paths[YARDSTICK].metrics["sharpe"]), "the honest yardstick"),
        ("Highest worth", f"{number(float(paths[rich].equity[-1]))}×", _title(rich)),
        ("Shallowest drawdown", percent(paths[calm].metrics["max_drawdown"]), _title(calm)),
        ("Surely ahead of 1/N", f"{sure} of {len(walked.ahead)}", "whose band of 90 % is above zero"),
        ("Failures", f"{failed:,}", "rebalancings without an answer"),
    )
    return head("portfolios walked forward", title, about, figures=figures)


def _known(value: float | None) -> float:
    return -np.inf if value is None else value


def _results(walked: _Walked) -> str:
    heads = (
        "Objective", "Worth", "A year", "Volatility", "Sharpe", "Sortino", "Deepest drawdown", "Turnover", "Costs",
        "Failed",
    )  # fmt: skip
    rows = []
    for name in walked.names:
        path = walked.paths[name]
        traded = (percent(path.turnover), percent(path.costs), f"{len(path.failed):,}")
        rows.append((_title(name), *_gone(path.equity, path.metrics), *traded))
    held, of = walked.compared.benchmark, walked.compared.benchmark_metrics
    if held is not None and of is not None:
        rows.append((_BENCHMARK, *_gone(held, of), *(NOTHING,) * 3))
    caption = "After costs; turnover is a rebalancing's mean, costs are the sum of all"
    return section("results", "Results", table(heads, rows, caption=caption))


def _gone(worth: Floats, of: Values) -> tuple[str, ...]:
    return (
        f"{number(float(worth[-1]))}×",
        percent(of["cagr"], signed=True),
        percent(of["volatility"]),
        number(of["sharpe"]),
        number(of["sortino"]),
        percent(of["max_drawdown"]),
    )


def _equity(walked: _Walked) -> str:
    ends = ", ".join(f"{_title(name)} {number(float(one[-1]))}" for name, one in walked.lines.items())
    told = f"Line chart of the worth of 1 at the start. At the end: {ends}."
    body = on_either_scale(walked.timeline, walked.timeline.moments, lines=walked.lines, alt=told, css=walked.css)
    return section("equity", "Equity", figure("Worth of 1 at the start", body, keys=walked.keys()))


def _ahead(walked: _Walked) -> str:
    bands = walked.ahead
    if not bands:
        return section("ahead", "Against 1/N", paragraph("There is nothing but 1/N itself.", "none"))
    ends = [value for band in bands.values() for value in band] + [0.0]
    low, high = min(ends), max(ends)
    rows = []
    for name, (least, mean, most) in sorted(bands.items(), key=lambda one: -one[1][1]):
        said = "ahead" if least > 0.0 else "behind" if most < 0.0 else "cannot be told"
        shown = meter([("span", least, most), ("at", mean, mean)], low=low, high=high)
        rows.append((name, shown, [*(percent(one, signed=True) for one in (least, mean, most)), said]))
    heads = ("Objective", "5 %", "Mean", "95 %", "Verdict")
    told = metered(heads, rows, caption="Mean return a year above that of 1/N, after costs")
    note = (
        f"Bands: {walked.draws:,} histories drawn again in blocks, ends joined, seed {walked.seed} (Politis & Romano "
        "1992). Where the band spans zero, this record cannot tell the objective from 1/N."
    )
    keys = [key("span", "Nine of ten"), key("up", "Mean")]
    return section("ahead", "Against 1/N", figure("Ahead of 1/N", told, keys=keys, note=note))


def _drawdowns(walked: _Walked) -> str:
    depths = {name: one / np.maximum.accumulate(one) - 1.0 for name, one in walked.lines.items() if one.min() > 0.0}
    if not depths:
        return section("drawdowns", "Drawdowns", paragraph("Everything was lost on every path.", "none"))
    worst = ", ".join(f"{_title(name)} {percent(float(one.min()))}" for name, one in depths.items())
    told = f"Line chart of the fall below the highest worth so far. Deepest: {worst}."
    panel = Panel(
        walked.timeline, from_zero(*depths.values(), air=0.05), told, "Below the highest so far, %", height=280,
        label=per_cent,
    )  # fmt: skip
    body = panel.svg(drawn(panel, walked.timeline.moments, depths, css=walked.css))
    return section("drawdowns", "Drawdowns", figure("Under water", body, keys=walked.keys()))


def _held(walked: _Walked) -> str:
    """Each path's weights after its rebalancings, stacked; the assets' colours are the same in all."""
    weighty = np.mean([_mean_held(walked, name) for name in walked.names], axis=0)
    order = np.argsort(-weighty, kind="stable")
    own = order if len(order) <= _STACKED + 1 else order[:_STACKED]
    assets = walked.compared.prices.assets
    keys = [key(f"stack c{place}", assets[asset]) for place, asset in enumerate(own.tolist())]
    keys += [key("stack rest", counted(len(order) - len(own), "other asset"))] if len(own) < len(order) else []
    shown = [name for name in walked.names if name != YARDSTICK and walked.paths[name].rebalances]
    figures = "".join(_stack(walked, name, own=own) for name in shown)
    lead = "After each rebalancing; what is sold short lies below zero."
    legend = f'<div class="keys">{"".join(keys)}</div>'
    return section("held", "Weights", legend, side_by_side(figures), lead=lead)


def _mean_held(walked: _Walked, name: str) -> Floats:
    done = walked.paths[name].rebalances
    size = len(walked.compared.prices.assets)
    return np.mean([np.abs(one.after) for one in done], axis=0) if done else np.zeros(size)


def _stack(walked: _Walked, name: str, *, own: Ints) -> str:
    path = walked.paths[name]
    weights = np.array([one.after for one in path.rebalances])
    rows = [one.row for one in path.rebalances]
    # The last weights are held to the end.
    weights, at = np.vstack((weights, weights[-1])), walked.moments[[*rows, len(walked.moments) - 1]]
    rest = np.delete(weights, own, axis=1).sum(axis=1)
    layers = [*weights[:, own].T, rest] if len(own) < weights.shape[1] else list(weights[:, own].T)
    css = [f"stack c{place}" for place in range(len(own))] + ["stack rest"]
    over, under = np.zeros(len(at)), np.zeros(len(at))
    last = path.rebalances[-1].after
    largest = int(np.argmax(last))
    told = (
        f"Stacked areas of the weights of {name}. At the end the largest is {walked.compared.prices.assets[largest]} "
        f"with {percent(float(last[largest]))}."
    )
    high = float(np.maximum(weights, 0.0).sum(axis=1).max())
    low = float(np.minimum(weights, 0.0).sum(axis=1).min())
    scale = from_zero([low if low < -1e-6 else 0.0, high], air=0.0)
    panel = Panel(walked.timeline, scale, told, "Weight, %", height=170, label=per_cent, y_ticks=4)
    areas = []
    for layer, kind in zip(layers, css, strict=False):
        up, down = over + np.maximum(layer, 0.0), under + np.minimum(layer, 0.0)
        if np.any(layer > 1e-6):
            areas.append(panel.band(at, low=over, high=up, css=kind))
        if np.any(layer < -1e-6):
            areas.append(panel.band(at, low=down, high=under, css=kind))
        over, under = up, down
    return figure(_title(name), panel.svg(areas))


def _trading(walked: _Walked) -> str:
    """Turnover of each rebalancing, on one scale for all paths."""
    shown = [name for name in walked.names if len(walked.paths[name].rebalances) > 1]
    if not shown:
        return section("trading", "Trading", paragraph("Nothing was traded after the first day.", "none"))
    most = max(one.turnover for name in shown for one in walked.paths[name].rebalances[1:])
    figures = "".join(_turnover(walked, name, most=most) for name in shown)
    lead = "What each rebalancing bought and sold, as a share of the whole; the first, which buys everything, left out."
    return section("trading", "Trading", side_by_side(figures), lead=lead)


def _turnover(walked: _Walked, name: str, *, most: float) -> str:
    path = walked.paths[name]
    done = path.rebalances[1:]
    at, traded = walked.moments[[one.row for one in done]], np.array([one.turnover for one in done])
    dear = max(done, key=lambda one: one.turnover)
    years = len(path.equity) / walked.compared.periods
    note = (
        f"{counted(len(done), 'rebalancing')}, {percent(path.turnover)} each on average; costs "
        f"{percent(path.costs, 2)} in all, {percent(path.costs / years, 2)} a year."
    )
    told = (
        f"Turnover of {_title(name)} by rebalancing; the most was {percent(dear.turnover)} on "
        f"{day_of(int(walked.moments[dear.row]))}."
    )
    panel = Panel(walked.timeline, from_zero([most]), told, "Turnover, %", height=130, label=per_cent, y_ticks=3)
    sticks = panel.sticks(at, low=np.zeros(len(at)), high=traded, css="s1")
    return figure(_title(name), panel.svg([sticks]), note=note)


def _failures(walked: _Walked) -> str:
    rows = [
        (name, day_of(int(walked.moments[row])), why)
        for name in walked.names
        for row, why in sorted(walked.paths[name].failed.items())
    ]
    if not rows:
        said = paragraph("Every objective found weights at every rebalancing.", "none")
        return section("failures", "Failures", said)
    caption = "Rebalancings without an answer" + (
        f", the first {_FAILURES} of {len(rows):,}" if len(rows) > _FAILURES else ""
    )
    told = table(("Objective", "On", "Why"), rows[:_FAILURES], caption=caption, words=3)
    return section("failures", "Failures", told, lead="What was held before was kept then.")


def _assumptions(walked: _Walked) -> str:
    compared = walked.compared
    said = {
        "Weights": "From the returns up to the close of a rebalancing alone, and traded at that close.",
        "In between": "Positions drift with prices; what is not invested earns nothing.",
        "Costs": f"{plain(compared.cost_bps)} basis points of what is traded, off the worth when it is.",
        "Rebalancing": f"The last close of every {compared.every}, by the last {compared.lookback:,} returns.",
        "A year": f"{plain(compared.periods)} periods",
        "Assets": _taking_part(compared),
        "Prices": "As they were given: dividends and splits are in them only where they were adjusted.",
        "1/N": "Equal weights at every rebalancing, with the same costs.",
    }
    rows = {name: safe(words) for name, words in said.items() if words}
    return section("assumptions", "What was assumed", facts(rows, "facts long"))


def _taking_part(compared: Comparison) -> str:
    """What was done where prices begin later or end: empty where all are there throughout."""
    if np.isfinite(compared.prices.values).all():
        return ""
    return f"Each takes part once it has {compared.lookback:,} returns, and is sold at its last price where prices end."
