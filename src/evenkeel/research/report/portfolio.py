"""The sheet of an optimised portfolio: where it lies on the frontier, what it holds, and where its risk comes from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.portfolio.frontier import Frontier
from evenkeel.quant.portfolio.room import Room
from evenkeel.research.portfolio.optimize import Optimized
from evenkeel.research.report.charts import Panel
from evenkeel.research.report.heat import HeatGrid, heat_map
from evenkeel.research.report.markup import facts, figure, key, paragraph, safe, section, table
from evenkeel.research.report.page import whole_page
from evenkeel.research.report.parts import foot, head, links, meter, metered, on_either_scale
from evenkeel.research.report.scales import Floats, Ints, Scale, extremes, from_zero, spanning
from evenkeel.research.report.words import NOTHING, counted, number, per_cent, percent, plain
from evenkeel.research.report.writing import write_whole

_LISTED = 60
_TAGGED = 16
_WRITTEN = 14
_BETWEEN = 24
_DRAWN = 1200
_TINY = 1e-6
_SHOWN = frozenset({"sharpe", "return", "risk"})
_LINKS = {
    "frontier": "Frontier", "weights": "Weights", "correlations": "Correlations", "past": "Past",
    "constraints": "Constraints", "assumptions": "Assumptions",
}  # fmt: skip
_SHAPES = (
    '<svg class="shapes" width="0" height="0" aria-hidden="true"><defs><circle id="asset" class="asset" r="4"/>'
    '<circle id="least" class="least" r="5"/><circle id="chosen" class="chosen" r="7"/></defs></svg>'
)


def portfolio_sheet(found: Optimized, *, title: str | None = None) -> str:
    """A whole HTML page about an optimised portfolio that needs nothing else; the same result gives the same bytes."""
    metrics = found.metrics
    name = title or found.objective
    kept = counted(len(found.returns), "return") if found.returns is not None else "a mean and a covariance"
    about = f"{counted(len(found.weights), 'asset')} · {kept} · {plain(found.periods)} periods a year"
    ratio = f"over {percent(found.risk_free)} without risk" if found.risk_free else "over no interest"
    largest = max(found.weights, key=lambda one: found.weights[one])
    own = (
        ()
        if found.figure in _SHOWN
        else ((found.figure.replace("-", " ").capitalize(), plain(found.value), f"reached by {found.objective}"),)
    )
    figures = (
        *own,
        ("Expected return", percent(metrics["expected_return"], signed=True), "a year, by the mean given"),
        ("Volatility", percent(metrics["volatility"]), "a year"),
        ("Sharpe ratio", number(metrics["sharpe_ratio"]), ratio),
        ("Assets held", number(metrics["assets"], 0), f"spread as {number(metrics['effective_assets'], 1)} equal ones"),
        ("Largest weight", percent(metrics["largest_weight"]), largest),
    )
    parts = (_frontier, _weights, _correlations, _past, _constraints, _assumptions)
    body = "".join(part(found) for part in parts)
    end = foot(f"Optimised by {found.objective}", "Means of the past are poor guides to what comes.")
    top = head("portfolio", name, about, figures=figures)
    return whole_page(f"{name} · portfolio", f"{_SHAPES}{top}{links(_LINKS)}<main>{body}</main>{end}")


def write_portfolio_sheet(found: Optimized, path: str | Path, *, title: str | None = None) -> Path:
    """Writes `portfolio_sheet` to a file, whole or not at all; its path. Raises InvalidInput where it cannot."""
    return write_whole(Path(path), portfolio_sheet(found, title=title).encode())


def _frontier(found: Optimized) -> str:
    risks, means = np.sqrt(np.maximum(np.diag(found.covariance), 0.0)), found.mean
    here = found.metrics["volatility"], found.metrics["expected_return"]
    line, note = _line(found)
    along = _along(line) if line is not None else (np.empty(0), np.empty(0))
    least = (float(line.risks[-1]), float(line.returns[-1])) if line is not None else here
    told = (
        f"Chart of risk and return. The portfolio has a volatility of {percent(here[0])} and an expected return of "
        f"{percent(here[1])}; the least volatility within the bounds is {percent(least[0])}, at {percent(least[1])}."
    )
    panel = Panel(
        from_zero(risks, along[0], include=[here[0]]), spanning(means, along[1], include=[here[1], 0.0]), told,
        "Expected return a year, %", x_name="Volatility a year, %", height=380, label=per_cent, x_label=per_cent,
    )  # fmt: skip
    marks = _assets(panel, list(found.weights), risks=risks, means=means)
    if line is not None:
        marks.append(panel.marks([least[0]], [least[1]], shape="least", titles=["Least variance"]))
    marks.append(panel.marks([here[0]], [here[1]], shape="chosen", titles=[f"Chosen by {found.objective}"]))
    keys = [key("s1", "Efficient frontier"), key("least", "Least variance"), key("asset", "Assets")]
    keys.append(key("chosen", f"Chosen: {found.objective}"))
    body = panel.svg([panel.line(*along, css="s1")] if len(along[0]) else [], [panel.level(0.0), *marks])
    return section("frontier", "Frontier", figure("Risk and return", body, keys=keys, note=note))


def _assets(panel: Panel, names: list[str], *, risks: Floats, means: Floats) -> list[str]:
    """The assets as marks with titles; where they are not many, with names beside them."""
    known = list(zip(names, risks.tolist(), means.tolist(), strict=True))
    titles = [f"{name}: {percent(x)} volatility, {percent(y)} return" for name, x, y in known]
    tags = [_tag(panel, x, y, name=name) for name, x, y in known] if len(names) <= _TAGGED else []
    return [panel.marks(risks, means, shape="asset", titles=titles), *tags]


def _line(found: Optimized) -> tuple[Frontier | None, str]:
    """The frontier, where there is one, and the words below it."""
    if not np.any(found.mean):
        return None, "No frontier is drawn: no means were given."
    try:
        line = found.frontier()
    except InvalidInput as error:
        return None, f"No frontier is drawn: {error.message}."
    said = f"Exact within the bounds: {counted(len(line.weights), 'corner portfolio')} and their mixtures."
    return line, said if found.room.is_box else f"{said} The other constraints are not in it: the choice may lie below."


def _along(line: Frontier) -> tuple[Floats, Floats]:
    """Risks and returns along the frontier, with points between the corners, where it bends."""
    corners = np.linspace(0.0, len(line.weights) - 1.0, (len(line.weights) - 1) * _BETWEEN + 1)
    first = np.minimum(corners.astype(np.int64), max(len(line.weights) - 2, 0))
    share = (corners - first)[:, None]
    after = np.minimum(first + 1, len(line.weights) - 1)
    weights = (1.0 - share) * line.weights[first] + share * line.weights[after]
    variances = np.einsum("ij,ij->i", weights @ line.covariance, weights)
    return np.sqrt(np.maximum(variances, 0.0)), weights @ line.mean


def _tag(panel: Panel, x: float, y: float, *, name: str) -> str:
    across, down = float(panel.x.place(x)) * 100.0, (1.0 - float(panel.y.place(y))) * 100.0
    side = ' class="tag left" dx="-9"' if across > 88.0 else ' class="tag" dx="9"'
    return f'<text{side} x="{across:.2f}%" y="{down:.2f}%" dy=".33em">{safe(name)}</text>'


def _largest(weights: Floats, most: int) -> Ints:
    return np.argsort(-np.abs(weights), kind="stable")[:most]


def _weights(found: Optimized) -> str:
    weights = np.asarray(found.weights)
    volatility = found.metrics["volatility"]
    parts = np.asarray(found.risk_parts) / volatility if volatility > 0.0 else np.zeros(weights.size)
    present = found.room.present
    changes = np.zeros(weights.size) if present is None else weights - present
    shown = [place for place in _largest(weights, _LISTED).tolist() if abs(weights[place]) > _TINY or changes[place]]
    ends = np.concatenate((weights[shown], parts[shown], [0.0]))
    low, high = float(ends.min()), float(ends.max())
    heads = ["Asset", "Weight", "Part of the risk", "Expected return", "Volatility"]
    heads += [] if present is None else ["Held now", "To trade"]
    rows = []
    for place in shown:
        weight, part = float(weights[place]), float(parts[place])
        cells = [percent(weight, 2), percent(part), percent(float(found.mean[place]), signed=True)]
        cells.append(percent(float(np.sqrt(found.covariance[place, place]))))
        if present is not None:
            cells += [percent(float(present[place]), 2), percent(float(changes[place]), 2, signed=True)]
        drawn = meter([("w", 0.0, weight), ("r", 0.0, part)], low=low, high=high)
        rows.append((found.weights.assets[place], drawn, cells))
    told = metered(heads, rows, caption="Largest first")
    left = weights.size - len(shown)
    note = (
        f"{counted(left, 'other asset')} {'is' if left == 1 else 'are'} not held, or too little to list."
        if left
        else ""
    )
    keys = [key("up", "Weight"), key("part", "Part of the risk")]
    return section("weights", "Weights", figure("Weights and parts of the risk", told, keys=keys, note=note))


def _correlations(found: Optimized) -> str:
    deviations = np.sqrt(np.maximum(np.diag(found.covariance), 0.0))
    shown = np.sort(_largest(np.asarray(found.weights), _LISTED))
    names = [found.weights.assets[place] for place in shown]
    if len(names) < 2:
        return section("correlations", "Correlations", paragraph("One asset has none.", "none"))
    with np.errstate(divide="ignore", invalid="ignore"):
        values = (found.covariance / np.outer(deviations, deviations))[np.ix_(shown, shown)]
    np.fill_diagonal(values, np.nan)
    lead = "Of the estimate that was used." + ("" if len(shown) == deviations.size else " The largest weights only.")
    if len(names) <= _WRITTEN:
        keys = [key("up", "together"), key("down", "against each other")]
        return section(
            "correlations", "Correlations", figure("Correlations", _pairs(names, values), keys=keys), lead=lead
        )
    grid = HeatGrid(("asset", "other asset", "correlation"), names, names[::-1], values[::-1])
    return section("correlations", "Correlations", figure("Correlations", heat_map(grid)), lead=lead)


def _pairs(names: list[str], values: Floats) -> str:
    heads = "".join(f'<th scope="col">{safe(name)}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{safe(name)}</th>{"".join(_pair(float(one)) for one in row)}</tr>'
        for name, row in zip(names, values, strict=True)
    )
    return (
        '<div class="scroll"><table class="matrix"><caption>Correlation of each two assets</caption>'
        f'<thead><tr><th scope="col">Asset</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _pair(value: float) -> str:
    if not np.isfinite(value):
        return f'<td class="self">{NOTHING}</td>'
    side = "up" if value >= 0.0 else "down"
    return f'<td class="{side}" style="--a:{min(abs(value), 1.0) * 0.62:.2f}">{number(value)}</td>'


def _past(found: Optimized) -> str:
    """What these very weights would have done on the returns they were chosen from."""
    if found.returns is None:
        return section("past", "Past", paragraph("No returns were given, so there is none to show.", "none"))
    growth = found.returns @ np.asarray(found.weights)
    equity = np.concatenate(([1.0], np.cumprod(1.0 + growth)))
    equal = np.concatenate(([1.0], np.cumprod(1.0 + found.returns.mean(axis=1))))
    told = f"Line chart of one unit: {number(float(equity[-1]))} at the end, {number(float(equal[-1]))} for 1/N."
    body = on_either_scale(
        Scale(0.0, float(len(equity) - 1)), np.arange(len(equity)), lines={"1/N": equal, found.objective: equity},
        alt=told, css={"1/N": "yard", found.objective: "s1"},
    )  # fmt: skip
    keys = [key("s1", found.objective), key("yard", "1/N")]
    chart = figure("Worth of 1 at the start", body, keys=keys, note="Rebalanced every period, without costs.")
    return section(
        "past", "Past", chart, _under(equity), lead="In sample: the weights were chosen knowing all of this."
    )


def _under(equity: Floats) -> str:
    if equity.min() <= 0.0:
        return paragraph("These weights would have lost everything.", "none")
    depth = equity / np.maximum.accumulate(equity) - 1.0
    told = f"Area chart of the fall below the highest worth so far. Deepest {percent(float(depth.min()))}."
    scale = from_zero(depth, air=0.05)
    panel = Panel(
        Scale(0.0, float(len(equity) - 1)), scale, told, "Below the highest so far, %", x_name="Periods", height=160,
        label=per_cent, y_ticks=4,
    )  # fmt: skip
    kept = extremes(depth, _DRAWN)
    body = panel.svg([panel.area(kept, depth[kept], css="down"), panel.line(kept, depth[kept], css="s3")])
    return figure("Under water", body)


def _constraints(found: Optimized) -> str:
    weights, room = np.asarray(found.weights), found.room
    rows = [_kept("all weights", float(weights.sum()), room.total, room.total)]
    rows += [_kept(one.text, float(one.coefficients @ weights), one.low, one.high) for one in room.rows]
    for (origin, most), name in zip(room.parts(), room.part_names(), strict=True):
        rows.append(_kept(name, float(np.abs(weights - origin).sum()), -np.inf, most))
    if room.is_few:
        rows.append(_few(room, weights))
    told = table(("Constraint", "Reached", "At least", "At most", "Binds"), rows, caption="What it keeps to")
    note = paragraph(f"Each weight: {_bounds(room.lower, room.upper)}.", "note")
    return section("constraints", "Constraints", told, note)


def _few(room: Room, weights: Floats) -> tuple[str, ...]:
    held = np.abs(weights[np.abs(weights) > _TINY])
    most = NOTHING if room.max_assets is None else f"{room.max_assets:,}"
    binds = len(held) == room.max_assets or bool(len(held) and held.min() <= room.min_weight + _TINY)
    return room.few_in_words(), f"{len(held):,}", NOTHING, most, "yes" if binds else "no"


def _kept(name: str, value: float, low: float, high: float) -> tuple[str, ...]:
    near = 1e-6 * max(1.0, abs(value))
    binds = "yes" if value - low <= near or high - value <= near else "no"
    return name, number(value, 4), number(low, 4), number(high, 4), binds


def _bounds(lower: Floats, upper: Floats) -> str:
    if np.all(lower == lower[0]) and np.all(upper == upper[0]):
        return f"{_bound(lower[0])} to {_bound(upper[0])}"
    return f"its own bounds, between {_bound(lower.min())} and {_bound(upper.max())}"


def _bound(value: float) -> str:
    return percent(float(value)) if np.isfinite(value) else "any"


def _assumptions(found: Optimized) -> str:
    said = {
        "Means and covariances": "A year's: of simple returns a period, times the periods of a year.",
        "A year": f"{plain(found.periods)} periods",
        "Risk-free rate": f"{percent(found.risk_free, 2)} a year",
        "Part of the risk": "Weight times what a little more of it adds to the volatility; all parts add up to it.",
        "Prices": "As they were given: dividends and splits are in them only where they were adjusted.",
    }
    rows = {name: safe(words) for name, words in said.items()}
    return section("assumptions", "What was assumed", facts(rows, "facts long"))
