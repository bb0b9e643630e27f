"""The tear sheet as one HTML page that needs nothing else: no network, no script, no font."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.report.costs import costs, exposure
from evenkeel.research.report.figures import all_metrics, assumptions
from evenkeel.research.report.headline import headline
from evenkeel.research.report.markup import safe
from evenkeel.research.report.performance import drawdowns, equity, months, rolling
from evenkeel.research.report.prices import trades_on_prices
from evenkeel.research.report.search import Searched, search_part
from evenkeel.research.report.sheet import Sheet
from evenkeel.research.report.silence import silence
from evenkeel.research.report.trading import trade_statistics
from evenkeel.research.report.verdict import verdict
from evenkeel.research.report.writing import write_whole

_PARTS = (
    verdict, search_part, silence, equity, drawdowns, months, rolling, trades_on_prices, trade_statistics, exposure,
    costs, all_metrics, assumptions,
)  # fmt: skip
_LINKS = {
    "verdict": "Verdict", "search": "Search", "equity": "Equity", "drawdowns": "Drawdowns", "months": "Months",
    "rolling": "Rolling risk", "trades": "Trades", "statistics": "Statistics", "exposure": "Exposure", "costs": "Costs",
    "metrics": "Metrics", "assumptions": "Assumptions",
}  # fmt: skip
# Shapes of fills: pixels about the point they mark; the small ones are for many.
_SHAPES = (
    '<svg class="shapes" width="0" height="0" aria-hidden="true"><defs>'
    '<path id="buy" class="buy" d="M0 2l5 9h-10z"/><path id="sell" class="sell" d="M0-2l5-9h-10z"/>'
    '<path id="buy-out" class="buy out" d="M0 2l5 9h-10z"/><path id="sell-out" class="sell out" d="M0-2l5-9h-10z"/>'
    '<path id="buy-s" class="buy" d="M0 1l2.5 5h-5z"/><path id="sell-s" class="sell" d="M0-1l2.5-5h-5z"/>'
    '<path id="buy-out-s" class="buy out" d="M0 1l2.5 5h-5z"/>'
    '<path id="sell-out-s" class="sell out" d="M0-1l2.5-5h-5z"/></defs></svg>'
)


def tear_sheet(
    result: BacktestResult, *, benchmark: bool = True, title: str | None = None, bootstrap: int = 1000, seed: int = 7
) -> str:
    """A whole HTML page about a backtest; the same result gives the same bytes.

    `benchmark` compares with holding the instruments. `bootstrap` histories are drawn again from `seed` for the bands
    (0: none). `title` takes the place of the strategy's name. Raises InvalidInput for a negative `bootstrap` or `seed`.
    """
    return _written(result, None, benchmark=benchmark, title=title, bootstrap=bootstrap, seed=seed)


def search_sheet(
    search: Searched, *, benchmark: bool = True, title: str | None = None, bootstrap: int = 1000, seed: int = 7
) -> str:
    """The tear sheet of what a search chose, or of a walk-forward's record, with a part about the search itself.

    Options as in `tear_sheet`. Raises InvalidInput also where the search chose nothing.
    """
    return _written(search.result, search, benchmark=benchmark, title=title, bootstrap=bootstrap, seed=seed)


def _written(
    result: BacktestResult, search: Searched | None, *, benchmark: bool, title: str | None, bootstrap: int, seed: int
) -> str:
    for name, value in (("bootstrap", bootstrap), ("seed", seed)):
        if value < 0:
            message = f"expected zero or more, not {value}"
            raise InvalidInput(f"{name}: {message}", errors=(FieldError(name, message),))
    sheet = Sheet(result, title or result.strategy, benchmark, bootstrap, seed, search)
    body = "".join(part(sheet) for part in _PARTS)
    return _page(sheet, f"{headline(sheet)}{_links(sheet)}<main>{body}</main>{_foot(sheet)}")


def write_tear_sheet(result: BacktestResult, path: str | Path, **options: Any) -> Path:
    """Writes `tear_sheet(result, **options)` to a file, whole or not at all, and returns its path.

    Raises InvalidInput where the folder is missing or may not be written to, and as `tear_sheet` does.
    """
    return write_whole(Path(path), tear_sheet(result, **options).encode())


def style() -> str:
    """The style of all sheets."""
    return resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")


def _page(sheet: Sheet, body: str) -> str:
    return whole_page(f"{sheet.title} · {', '.join(sheet.symbols[:6])}", f"{_SHAPES}{body}")


def whole_page(name: str, body: str) -> str:
    """The page of a sheet: its name, and its body as markup."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{safe(name)}</title><style>{style()}</style></head><body>{body}</body></html>\n"
    )


def _links(sheet: Sheet) -> str:
    shown = {anchor: name for anchor, name in _LINKS.items() if anchor != "search" or sheet.search is not None}
    links = "".join(f'<a href="#{anchor}">{name}</a>' for anchor, name in shown.items())
    return f'<nav aria-label="Parts of this sheet">{links}</nav>'


def _foot(sheet: Sheet) -> str:
    run = safe(f"Run {sheet.result.fingerprint} of {sheet.result.strategy}, version {sheet.result.version}")
    return f"<footer><p>{run}</p><p>A backtest tells what would have been, not what will be.</p></footer>"
