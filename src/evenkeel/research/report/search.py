"""The part of a sheet about the search that chose what the sheet shows: how wide it was, and how flat its top is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from evenkeel.quant.analytics.metrics import BY_NAME, Unit
from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.report.heat import MOST, heat_grid, heat_map
from evenkeel.research.report.markup import facts, figure, paragraph, safe, section, table
from evenkeel.research.report.sheet import Sheet
from evenkeel.research.report.words import NOTHING, by_unit, counted, day_of, money, number, percent, plain
from evenkeel.research.search.figures import COUNTS, FEASIBLE, higher_is_better
from evenkeel.research.search.searching import SearchResult
from evenkeel.research.validation import Verdict
from evenkeel.research.walkforward import WalkForwardResult, Window

if TYPE_CHECKING:
    import polars as pl

_LISTED = 10
_BESIDE = ("total_return", "sharpe", "max_drawdown", "trades")
_WIDE, _HIGH = 940.0, 340.0
_PROPER = (
    "Sharpe", "Sortino", "Calmar", "Sterling", "Burke", "Martin", "Omega", "Kappa", "Bernardo", "Treynor", "Jensen",
    "Fama", "Kelly", "CPC", "R²", "M²",
)  # fmt: skip
_MONEY = ("final_equity", "fees")


@dataclass(frozen=True, eq=False)
class Searched:
    """A search and, where it could be judged, the verdict on it; else `unjudged` says why not."""

    found: SearchResult | WalkForwardResult
    verdict: Verdict | None = None
    unjudged: str = ""

    @property
    def walked(self) -> bool:
        """Whether the sheet is about a record out of sample."""
        return isinstance(self.found, WalkForwardResult)

    @property
    def objective(self) -> str:
        return self.found.plan.objectives[0]

    @property
    def result(self) -> BacktestResult:
        """The backtest of what was chosen, or the record. Raises InvalidInput where nothing was chosen."""
        return self.found.result if self.verdict is None else self.verdict.result


def search_part(sheet: Sheet) -> str:
    """How the parameters were found; nothing for a sheet about parameters that somebody gave."""
    search = sheet.search
    if search is None:
        return ""
    parts = list(_of_walk(search.found) if isinstance(search.found, WalkForwardResult) else _of_sweep(search.found))
    if search.unjudged:
        parts.insert(0, paragraph(f"How much of it is luck could not be told: {search.unjudged}.", "none"))
    return section("search", "The search", facts(_facts(search), "facts small"), *parts, lead=_lead(search))


def _lead(search: Searched) -> str:
    found = search.found
    best = f"{'highest' if higher_is_better(search.objective) else 'lowest'} {_spoken(search.objective)}"
    if isinstance(found, WalkForwardResult):
        return (
            f"Each of {counted(len(found.windows), 'window')} was traded with the parameters that had the {best} "
            "before it. Only what they traded is shown on this sheet."
        )
    rules = [str(one) for one in (*found.plan.rules.on_params, *found.plan.rules.on_figures)]
    under = f", under the rules {'; '.join(rules)}" if rules else ""
    return f"{counted(len(found.tried), 'combination')} were tried{under}. This sheet shows the one with the {best}."


def _facts(search: Searched) -> dict[str, str]:
    found, verdict = search.found, search.verdict
    said = {"Combinations tried": f"{len(found.tried):,}"}
    if isinstance(found, WalkForwardResult):
        said["Return kept outside"] = percent(found.efficiency, 0)
        said["Windows that gained"] = percent(found.consistency, 0)
    elif found.refused:
        said["May not run"] = f"{len(found.refused):,}"
    if verdict is not None:
        said["Sharpe by luck alone"] = number(verdict.sharpe_by_luck)
        said["Deflated Sharpe ratio"] = percent(verdict.deflated_sharpe)
        said["Probability of overfitting"] = percent(verdict.probability)
    return {name: safe(value) for name, value in said.items()}


def _of_sweep(found: SearchResult) -> Iterator[str]:
    yield from _heat(found)
    frame = found.ranked().head(_LISTED)
    axes = list(found.plan.space.axes)
    figures = list(dict.fromkeys((*found.objectives, *_BESIDE)))
    shown = [name for name in figures if name in frame.columns[len(axes) :]]
    heads = [*axes, *map(_title, shown), *(["Qualifies"] if FEASIBLE in frame.columns else [])]
    rows = [_row(row, axes, shown) for row in frame.iter_rows(named=True)]
    yield table(heads, rows, caption=f"The best {len(rows)}" if len(rows) < len(found.table) else "All of them")


def _row(row: Mapping[str, Any], axes: list[str], shown: list[str]) -> list[str]:
    feasible = ["yes" if row[FEASIBLE] else "no"] if FEASIBLE in row else []
    return [*(_value(row[name]) for name in axes), *(_figure(name, row[name]) for name in shown), *feasible]


def _heat(found: SearchResult) -> Iterator[str]:
    axes = _varied(found.table, found.plan.space.axes)
    if len(axes) < 2:
        return
    x, y, value = *axes[:2], found.objectives[0]
    note = "Look for a broad field of blue: a single deep cell among pale ones is more likely luck."
    if len(axes) > 2:
        note = f"Each cell is the median over {', '.join(axes[2:])}. {note}"
    grid = replace(heat_grid(found.table, x=x, y=y, value=value, others="median"), wide=_WIDE, high=_HIGH)
    yield figure(f"{_title(value)} by {x} and {y}", f'<div class="scroll">{heat_map(grid)}</div>', note=note)


def _varied(frame: pl.DataFrame, axes: Iterable[str]) -> list[str]:
    """Axes with several values, and few enough to draw."""
    return [name for name in axes if 2 <= frame[name].n_unique() <= MOST]


def _of_walk(found: WalkForwardResult) -> Iterator[str]:
    figures = list(dict.fromkeys((found.objective, "total_return")))
    then = [f"{_title(one)} then" for one in figures]
    heads = ["Traded", "With", f"{_title(found.objective)} before", *then, "Trades"]
    rows = [_window(one, figures) for one in found.windows]
    yield table(heads, rows, caption="Window by window", words=2)
    yield paragraph(
        "“Before” is in sample, of the parameters that were best there; “then” is out of sample, of trading the window "
        "alone from the initial cash. The sheet's own figures are of all windows as one account.",
        "note",
    )


def _window(one: Window, figures: list[str]) -> list[str]:
    chosen = ", ".join(f"{name} {_value(value)}" for name, value in (one.params or {}).items()) or "nothing: flat"
    before = None if one.in_sample is None else one.in_sample[figures[0]]
    return [
        f"{day_of(one.test.start)} – {day_of(one.test.end)}",
        chosen,
        _figure(figures[0], before),
        *(_figure(name, one.out_of_sample[name]) for name in figures),
        _figure("trades", one.out_of_sample.get("trades")),
    ]


def _value(value: object) -> str:
    return plain(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _title(name: str) -> str:
    return BY_NAME[name].title if name in BY_NAME else name.replace("_", " ").capitalize()


def _spoken(name: str) -> str:
    """The title of a figure inside a sentence."""
    title = _title(name)
    return title if title.startswith(_PROPER) else title[0].lower() + title[1:]


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return NOTHING
    if name in COUNTS:
        return f"{value:,.0f}"
    if name in _MONEY:
        return money(value)
    unit: Unit = BY_NAME[name].unit if name in BY_NAME else "fraction"
    return percent(value) if unit == "fraction" else by_unit(value, unit)
