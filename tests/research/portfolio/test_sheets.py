"""The pages of optimised portfolios and of walks: whole, safe, and saying what was found."""

import re
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from evenkeel.domain.errors import InvalidInput
from evenkeel.research.portfolio.optimize import optimize
from evenkeel.research.portfolio.rebalancing import Comparison, rebalance_history
from evenkeel.research.report import comparison_sheet, portfolio_sheet

VOID = {"meta", "input", "br"}


class Balanced(HTMLParser):
    """Fails where a tag is closed that is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        return

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def whole(page: str) -> str:
    """Checks what every page must be."""
    reader = Balanced()
    reader.feed(page)
    assert not reader.open
    assert "http" not in re.sub(r"http-equiv", "", page)
    assert "<script" not in page
    assert not re.search(r"\b(nan|inf|None)\b", re.sub(r"<style>.*?</style>", "", page))
    images = page.count('role="img"')
    assert images == len(re.findall(r'role="img" aria-label="[^"]{20,}"', page)) > 0
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    return page


def table(count: int = 300, assets: int = 3, *, names: tuple[str, ...] = (), seed: int = 2) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    paths = 100.0 * np.cumprod(1.0 + random.normal(0.0005, 0.01, size=(count, assets)), axis=0)
    days = [date(2020, 1, 1) + timedelta(days=place) for place in range(count)]
    called = names or tuple(f"A{place}" for place in range(assets))
    return pl.DataFrame({"date": days, **{name: paths[:, place] for place, name in enumerate(called)}})


def walked(frame: pl.DataFrame, *objectives: str, **settings: Any) -> Comparison:
    return rebalance_history(frame, objectives=list(objectives), lookback=60, **settings)


def test_a_portfolio_on_a_page(tmp_path: Path) -> None:
    found = optimize(
        table(names=("AAPL", "M&S", "<b>")), objective="min-variance", risk_free=0.01, constraints=["AAPL <= 0.25"],
        present={"AAPL": 1.0},
    )  # fmt: skip
    page = whole(found.to_html(tmp_path / "sheet.html", title="Mine & yours").read_text())
    assert "<h1>Mine &amp; yours</h1>" in page
    assert "M&amp;S" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert f"{found.weights['AAPL']:.4f}" in page
    assert re.search(r'AAPL &lt;= 0.25</th><td class="n">0.2500</td>.*?<td class="n">yes</td>', page)
    assert "−75.00\u202f%" in page
    assert portfolio_sheet(found) == portfolio_sheet(found)


@pytest.mark.parametrize(
    "settings",
    [
        {"mean": [0.05], "covariance": [[0.04]]},
        {"covariance": np.zeros((2, 2)), "mean": [0.1, 0.1]},
        {"covariance": np.eye(3) * 0.04, "bounds": (-1.0, 1.0), "gross": 2.0},
        {"mean": [0.1, 0.0], "covariance": [[0.04, -0.01], [-0.01, 0.02]], "bounds": (-np.inf, np.inf)},
    ],
)
def test_a_portfolio_without_a_past(settings: dict[str, Any]) -> None:
    page = whole(portfolio_sheet(optimize(objective="min-variance", **settings)))
    assert "No returns were given" in page


def test_a_choice_of_few_is_among_the_constraints() -> None:
    found = optimize(table(assets=5), objective="min-variance", max_assets=2, min_weight=0.1)
    page = whole(portfolio_sheet(found))
    assert re.search(r'at most 2 assets and none below 0.1</th><td class="n">2</td>', page)
    assert "The other constraints are not in it" in page


def test_many_assets_have_a_heat_map_and_a_list_with_an_end() -> None:
    page = whole(portfolio_sheet(optimize(table(assets=70), objective="equal-weight")))
    assert "10 other assets are not held, or too little to list." in page
    assert "Heat map of correlation by asset and other asset" in page


def test_a_walk_on_a_page(tmp_path: Path) -> None:
    found = walked(table(), "min-variance", "hrp", cost_bps=20.0, benchmark="A1")
    page = whole(found.to_html(tmp_path / "walk.html").read_text())
    assert "<h1>2 objectives walked forward</h1>" in page
    for name, path in found.paths.items():
        shown = "1/N" if name == "equal-weight" else name
        assert re.search(rf'<th scope="row">{shown}</th><td class="n">{path.equity[-1]:.2f}×', page)
    low, _, high = found.ahead("hrp")
    assert all(f"{abs(one) * 100:.1f}\u202f%" in page for one in (low, high))
    assert "20 basis points of what is traded" in page
    assert "Every objective found weights at every rebalancing." in page
    assert found.benchmark_metrics is not None
    assert comparison_sheet(found) == comparison_sheet(found)


def test_failures_and_shorts_are_on_the_page() -> None:
    named: dict[str, dict[str, Any]] = {
        "wishful": {"objective": "target-return", "target": 9.0},
        "short": {"objective": "max-utility", "bounds": (-1.0, 1.0)},
    }
    found = rebalance_history(table(), objectives=named, lookback=60)
    page = whole(comparison_sheet(found, title="Short <and> wishful"))
    assert "Short &lt;and&gt; wishful" in page
    assert (
        page.count("no portfolio within the bounds is expected to return 9") == len(found.paths["wishful"].failed) > 0
    )
    assert len(found.summary()["paths"]["wishful"]["failed"]) == len(found.paths["wishful"].failed)


def test_eleven_lines_and_eleven_assets_can_be_told_apart() -> None:
    names = {f"mix-{place}": {"objective": "max-utility", "aversion": 1.0 + place} for place in range(10)}
    page = whole(comparison_sheet(rebalance_history(table(assets=11), objectives=names, lookback=60)))
    assert "4 other assets" in page
    assert 'class="line c0 again"' in page
    assert 'class="line c0"' in page


def test_assets_that_join_later_are_spoken_of() -> None:
    begins = "Each takes part once it has 60 returns"
    assert begins not in comparison_sheet(walked(table(), "hrp"))
    late = table().with_row_index().with_columns(pl.when(pl.col("index") >= 30).then(pl.col("A1"))).drop("index")
    assert begins in whole(comparison_sheet(walked(late, "hrp")))


def test_plain_values_and_frames() -> None:
    found = walked(table(), "min-variance")
    frame = found.to_polars()
    done = sum(len(path.rebalances) for path in found.paths.values())
    assert frame.height == done * 3
    last = frame.filter(pl.col("objective") == "min-variance").tail(3)
    assert dict(last.select("asset", "after").iter_rows()) == found.summary()["paths"]["min-variance"]["weights"]
    best = optimize(table(), objective="min-variance").summary()
    assert sum(best["weights"].values()) == pytest.approx(1.0)
    assert sum(best["risk_parts"].values()) == pytest.approx(best["metrics"]["volatility"])


def test_no_page_is_written_where_none_can_be(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="does not exist"):
        optimize(table(), objective="hrp").to_html(tmp_path / "none" / "sheet.html")
    with pytest.raises(InvalidInput, match="it is a folder"):
        walked(table(), "hrp").to_html(tmp_path)
