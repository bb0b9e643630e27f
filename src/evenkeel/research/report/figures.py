"""All metrics in their groups, and what was assumed to get them."""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.quant.analytics import metrics as known
from evenkeel.quant.analytics.metrics import Metric
from evenkeel.research.backtest.terms import FillAt
from evenkeel.research.report.asked import fills_in_words
from evenkeel.research.report.markup import facts, safe, section
from evenkeel.research.report.sheet import Sheet
from evenkeel.research.report.words import by_unit, money, number, percent

_GROUPS: tuple[tuple[str, tuple[Metric, ...]], ...] = (
    ("Returns", known.RETURNS),
    ("Risk", known.RISK),
    ("Drawdowns", known.DRAWDOWNS),
    ("Ratios", known.RATIOS),
    ("Luck", known.SIGNIFICANCE),
    ("Against the benchmark", known.BENCHMARK),
    ("Trades", known.TRADES),
    ("Exposure", known.EXPOSURE),
)


def all_metrics(sheet: Sheet) -> str:
    """Every metric with its unit; its definition and source are the title of its row."""
    groups = "".join(
        f'<div class="group"><h3>{name}</h3><dl>{"".join(_rows(sheet, metrics))}</dl></div>'
        for name, metrics in _GROUPS
        if sheet.with_benchmark or name != "Against the benchmark"
    )
    lead = "Rest on a name for its definition. A is periods a year; a dash is a figure that is not defined here."
    return section("metrics", "All metrics", f'<div class="groups">{groups}</div>', lead=lead)


def _rows(sheet: Sheet, metrics: tuple[Metric, ...]) -> Iterator[str]:
    for metric in metrics:
        value = by_unit(sheet.metrics[metric.name], metric.unit)
        unit = {"fraction": "%", "currency": sheet.currency}.get(metric.unit, metric.unit)
        source = f" ({metric.source})" if metric.source else ""
        said = f"{metric.title}: {metric.definition}{source}"
        yield (
            f'<div title="{safe(said)}"><dt>{safe(metric.title)}</dt><dd>{value}</dd>'
            f'<dd class="u">{safe(unit)}</dd></div>'
        )


def assumptions(sheet: Sheet) -> str:
    """What a reader has to know to repeat the figures, and to doubt them."""
    result, terms = sheet.result, sheet.result.terms
    days = result.days
    said = {
        "A year": f"{number(days.per_year, 1 if days.per_year % 1 else 0)} periods: {days.basis}",
        "Returns": f"Of equity at the end of each {sheet.periods}, the initial cash first; fees are in them.",
        "Risk-free rate": f"{percent(result.risk_free, 2)} a year",
        "Orders": f"Decided at a bar's close with what was known then; they fill {fills_in_words(terms)}.",
        "Prices": _prices(sheet),
        "Inside a bar": _inside(sheet),
        "Gaps": "An order whose price lies beyond the open fills at the open.",
        "Cash": "Earns nothing, and borrowing costs nothing but what the fees above charge.",
        "At the end": "Nothing is sold: what is held counts at the last close.",
    }
    if sheet.with_benchmark:
        cash = money(sheet.cash, sheet.currency)
        said["Benchmark"] = (
            f"{cash} held in {sheet.held} from the first open on, without costs; dividends are kept as cash."
        )
    if sheet.bands is not None:
        said["Redrawn histories"] = f"{sheet.bands.method}, {len(sheet.bands.final):,} draws, seed {sheet.bands.seed}"
    lead = "The same bars, strategy and terms give the same sheet, byte for byte."
    rows = {name: safe(words) for name, words in said.items()}
    return section("assumptions", "What was assumed", facts(rows, "facts long"), lead=lead)


def _prices(sheet: Sheet) -> str:
    share = sheet.result.terms.slippage.spread_share
    spread = (
        f"{percent(share, 0)} of the spread is paid by orders that take" if share else "no spread is paid beyond them"
    )
    return f"Bars are mid prices; {spread}. Fills are on the tick, rounded against the trader."


def _inside(sheet: Sheet) -> str:
    terms = sheet.result.terms
    guarded = any(value is not None for value in (terms.stop_loss, terms.take_profit, terms.trailing_stop))
    if not guarded and terms.maintenance is None:
        if terms.fill is FillAt.LIMIT:
            return "No stops were set: a limit fills where the bar touches it, at the better of limit and open."
        return f"No stops were set: orders fill {fills_in_words(terms)} and nowhere else in a bar."
    return (
        "Prices go open, nearer extreme, farther extreme, close. Where a stop and a profit target are both reached, "
        "that path decides; where both extremes are equally near, the stop comes first."
    )
