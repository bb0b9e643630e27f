"""Reports: a backtest as one HTML page that needs nothing else, a sweep as a heat map, and columns as files.

`page` puts the parts together; each part is a function of a `Sheet` that gives markup. Charts are SVG of our own
(`charts`, `scales`), words and figures are set by `words`, and everything a user named is escaped by `markup`.
"""

from evenkeel.research.report.export import export
from evenkeel.research.report.heat import sweep_heat_map
from evenkeel.research.report.page import search_sheet, tear_sheet, write_tear_sheet
from evenkeel.research.report.portfolio import portfolio_sheet, write_portfolio_sheet
from evenkeel.research.report.search import Searched
from evenkeel.research.report.walked import comparison_sheet, write_comparison_sheet
from evenkeel.research.report.writing import write_whole

__all__ = [
    "Searched", "comparison_sheet", "export", "portfolio_sheet", "search_sheet", "sweep_heat_map", "tear_sheet",
    "write_comparison_sheet", "write_portfolio_sheet", "write_tear_sheet", "write_whole",
]  # fmt: skip
