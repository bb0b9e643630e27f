"""The tear sheet: sound, self-contained, the same each time, and true to its result in every state there is."""

import re
from dataclasses import replace
from datetime import time
from decimal import Decimal
from math import fsum
from pathlib import Path

import numpy as np
import pytest

import evenkeel as ek
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.limits import Window
from evenkeel.market.bars import Bars
from evenkeel.market.sample import sample_market
from evenkeel.quant.analytics import METRICS, Trials
from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.backtest.run import backtest
from evenkeel.research.report import prices, tear_sheet, write_tear_sheet
from evenkeel.research.report.sheet import Sheet
from evenkeel.research.report.words import DAY
from tests.research.reported import Make, Page, Scripted, alternating, scripted, told, walk

MINUTE = 60_000_000_000
ORDER = [
    "Verdict", "Equity", "Drawdowns", "Months", "Rolling risk", "Trades on the price", "Trade statistics",
    "Exposure and turnover", "Costs", "All metrics", "What was assumed",
]  # fmt: skip


def falling(count: int = 40) -> Bars:
    """Prices that go from 100 to 5."""
    bars, slope = walk(count), np.linspace(1.0, 0.05, count)
    return bars.replaced(**{name: getattr(bars, name) * slope for name in ("open", "high", "low", "close")})


def several() -> BacktestResult:
    series = {name: walk(300, seed=seed) for seed, name in enumerate("ABCDEFGH")}
    return told(alternating(20, 300), series, fees=ek.PercentFee("0.001"))


STATES: dict[str, Make] = {
    "usual": lambda: told(alternating(10, 700), walk(700), fees=ek.PercentFee("0.001"), slippage=2.0),
    "no trades": lambda: told(scripted(), walk(300)),
    "no room for a lot": lambda: told(scripted(1.0), walk(50), size=ek.Units(Decimal("0.5"))),
    "one bar": lambda: told(scripted(1.0), walk(1)),
    "two bars": lambda: told(scripted(1.0), walk(2)),
    "one trade": lambda: told(scripted(0.0, 1.0, *[np.nan] * 30, 0.0), walk(60)),
    "still held": lambda: told(scripted(1.0), walk(60)),
    "ruin": lambda: told(scripted(1.0), falling(), size=ek.PercentOfEquity(Decimal(3))),
    "weeks": lambda: told(alternating(5, 300), walk(300, step=7 * DAY)),
    "minutes": lambda: told(alternating(7, 3000), walk(3000, step=MINUTE)),
    "stops": lambda: told(alternating(9, 500), walk(500), stop_loss=0.01, take_profit=0.03, trailing_stop=0.02),
    "limits": lambda: told(alternating(9, 500), walk(500), fill="limit", limit_offset=0.001),
    "short": lambda: told(scripted(*([1.0, -1.0] * 100)), walk(200)),
    "several": several,
}


@pytest.fixture(scope="module")
def usual() -> BacktestResult:
    return STATES["usual"]()


@pytest.mark.parametrize("state", STATES)
def test_every_state_gives_a_sound_page(state: str) -> None:
    result = STATES[state]()
    html = tear_sheet(result, bootstrap=50)
    page = Page(html)
    assert [name for name in page.headings if name in ORDER] == ORDER
    assert len(page.ids) == len(set(page.ids))
    assert all(page.charts), "every chart has words for those who cannot see it"
    assert "nan" not in re.findall(r"\b(?:nan|inf)\b", html)
    assert html == tear_sheet(result, bootstrap=50)
    assert page.counts.get("use", 0) <= prices.MARKERS


def test_nothing_is_loaded_from_anywhere(usual: BacktestResult) -> None:
    html = tear_sheet(usual)
    page = Page(html)
    assert "http://" not in html
    assert "https://" not in html
    assert all(address.startswith("#") and address[1:] in page.ids for address in page.addresses)
    assert not {"script", "link", "iframe", "img", "object", "embed"} & set(page.counts)
    assert not re.findall(r"@import|url\(|@font-face", html)
    assert "default-src 'none'" in html


def test_what_users_name_is_escaped() -> None:
    class Named(Scripted):
        name = "<script>alert(1)</script>"
        version = '"&<1>'

    result = told(Named(), walk(30))
    result = replace(result, params={"<b>": "\"'&<i>"}, warnings=("<u>careful</u>",))
    html = tear_sheet(result, title='</title><img src=x onerror="x">', bootstrap=0)
    page = Page(html)
    assert not {"script", "img", "b", "u"} & (set(page.counts) - {"b"})
    assert "<b> = \"'&<i>" in page.text
    assert "<u>careful</u>" in page.text
    assert '</title><img src=x onerror="x">' in page.headings


def test_the_head_tells_what_was_asked(usual: BacktestResult) -> None:
    text = Page(tear_sheet(usual, bootstrap=0)).text
    assert "none: any size, any loss, long or short" in text
    assert usual.fingerprint in text
    assert "day = 1" in text
    assert "2 basis points" in text
    assert "at the open of the next bar" in text
    assert "0.1 % of value" in text
    assert f"{usual.final_equity:,.2f} USD" in text


def test_risk_limits_are_spelled_out(usual: BacktestResult) -> None:
    limits = ek.Limits(max_position_share=Decimal("0.25"), daily_loss=None, max_trades_per_day=3)
    result = replace(usual, terms=replace(usual.terms, limits=limits))
    assert (
        "a position to 25.0 % of equity; a day's loss of any size; 3 trades a day; no short; cash must cover buys"
        in Page(tear_sheet(result, bootstrap=0)).text
    )


def test_rules_beyond_the_usual_are_spelled_out_too(usual: BacktestResult) -> None:
    hours = (Window(time(9, 45), time(15, 45), "America/New_York"),)
    limits = ek.Limits(max_gross_leverage=Decimal("1.5"), exchange_hours=True, windows=hours)
    text = Page(tear_sheet(replace(usual, terms=replace(usual.terms, limits=limits)), bootstrap=0)).text
    said = "max gross leverage 1.5; windows 09:45–15:45 America/New_York; exchange hours only"
    assert f"cash must cover buys; {said}" in text


def test_every_metric_has_its_unit_and_definition(usual: BacktestResult) -> None:
    html = tear_sheet(usual, bootstrap=0)
    for metric in METRICS:
        assert html.count(f"<dt>{metric.title.replace(chr(39), '&#x27;')}</dt>") >= 1, metric.name
    rows = re.findall(r'<div title="([^"]+)"><dt>([^<]+)</dt><dd>([^<]+)</dd><dd class="u">([^<]+)</dd></div>', html)
    assert len(rows) == len(METRICS)
    shown = {name: value for _, name, value, _ in rows}
    assert shown["Total return"] == f"{usual.total_return * 100:.2f}".replace("-", "−")
    assert shown["Trades"] == str(len(usual.trades))
    assert all(unit in {"%", "ratio", "USD", "days", "count"} for *_, unit in rows)


def test_the_benchmark_can_be_left_out(usual: BacktestResult) -> None:
    text = Page(tear_sheet(usual, benchmark=False, bootstrap=0)).text
    assert "olding ASSET" not in text
    assert "Against" not in text
    assert "Beta" not in text


def test_no_bands_are_drawn_where_none_are_asked_for(usual: BacktestResult) -> None:
    assert "No bands are drawn: none were asked for." in Page(tear_sheet(usual, bootstrap=0)).text
    with_bands = tear_sheet(usual, bootstrap=20, seed=3)
    assert "Bands: 20 histories" in Page(with_bands).text
    assert with_bands != tear_sheet(usual, bootstrap=20, seed=4)


@pytest.mark.parametrize("option", ["bootstrap", "seed"])
def test_a_negative_count_is_refused(usual: BacktestResult, option: str) -> None:
    with pytest.raises(InvalidInput, match=f"{option}: expected zero or more, not -1"):
        tear_sheet(usual, **{option: -1})  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["usual", "short", "several", "still held", "stops"])
def test_the_parts_of_the_gain_add_up(state: str) -> None:
    result = STATES[state]()
    sheet = Sheet(result, "", with_benchmark=True, runs=0, seed=0)
    gained = result.final_equity - float(result.terms.cash)
    assert fsum([sheet.rest.closed, *sheet.rest.open.values(), sheet.rest.other]) == pytest.approx(gained, abs=1e-6)
    assert sheet.rest.other == 0.0
    assert "Not in trades" not in tear_sheet(result, bootstrap=0)


def test_what_trades_do_not_explain_is_shown(usual: BacktestResult) -> None:
    outcome = replace(usual.outcome, equity=usual.outcome.equity + np.linspace(0.0, 1234.0, len(usual.at)))
    html = tear_sheet(replace(usual, outcome=outcome), bootstrap=0)
    assert "Not in trades" in html
    assert "+1,234.00" in html


class TestSilence:
    """Why nothing was traded, as far as the data tell."""

    def said(self, result: BacktestResult) -> str:
        page = Page(tear_sheet(result, bootstrap=0))
        assert "Why nothing was traded" in page.headings
        assert "It did not trade." in page.text
        return page.text

    def test_targets_never_changed(self) -> None:
        said = self.said(STATES["no trades"]())
        assert "no target asked for a position" in said
        assert "evenkeel strategy check scripted" in said

    def test_quantities_were_cut_to_nothing(self) -> None:
        said = self.said(STATES["no room for a lot"]())
        assert "a target of 1 is 0.5 units of ASSET at the lowest close" in said
        assert "less than one lot of 1" in said
        assert "bars had a target, and no order was decided" in said

    def test_little_cash_buys_no_lot(self) -> None:
        said = self.said(told(scripted(1.0), walk(50), cash=50))
        assert "give more cash or a larger size." in said

    def test_all_orders_were_refused(self, usual: BacktestResult) -> None:
        nothing = STATES["no trades"]()
        outcome = replace(nothing.outcome, orders=4, refused=4, notes=("risk refused 4 orders by cash",))
        said = self.said(replace(nothing, outcome=outcome))
        assert "Every one was refused by risk." in said
        assert "Risk refused 4 orders by cash." in said

    def test_no_limit_was_touched(self) -> None:
        said = self.said(told(scripted(1.0), walk(50), fill="limit", limit_offset=0.5))
        assert "No limit was touched" in said
        assert "Lower limit_offset" in said

    def test_the_signal_came_last(self) -> None:
        assert "the only ones came at the last bar" in self.said(STATES["one bar"]())

    def test_it_is_not_said_of_what_traded(self, usual: BacktestResult) -> None:
        assert "Why nothing was traded" not in Page(tear_sheet(usual, bootstrap=0)).headings


class TestVerdict:
    """The sentence on top, and the rows below it."""

    def text(self, result: BacktestResult, *, benchmark: bool = True) -> str:
        return Page(tear_sheet(result, benchmark=benchmark, bootstrap=40)).text

    def test_few_trades_are_thin_evidence(self) -> None:
        text = self.text(STATES["one trade"]())
        assert "Too little to tell." in text
        assert "1 closed trade, where averages want 30 or more" in text
        assert "under a year" in text

    def test_ruin_is_called_ruin(self) -> None:
        assert "It lost everything." in self.text(STATES["ruin"]())

    def test_a_walk_is_not_told_from_luck(self, usual: BacktestResult) -> None:
        assert usual.metrics["probabilistic_sharpe"] is not None
        assert "It cannot be told from luck." in self.text(told(alternating(10, 1500), walk(1500, seed=5)))

    def test_a_steady_loser_is_called_one(self) -> None:
        costly = told(alternating(1, 900), walk(900), fees=ek.PercentFee("0.01"))
        assert "It loses, and not by chance." in self.text(costly)

    def test_a_steady_winner_is_held_against_what_is_known(self) -> None:
        winner = told(alternating(10, 1500), walk(1500, drift=0.004))
        assert "Above zero, but behind holding." in self.text(winner)
        assert "Above zero, if this was the only try." in self.text(winner, benchmark=False)
        tried = replace(winner, trials=Trials(1000, 0.01))
        assert "The search explains it." in self.text(tried, benchmark=False)
        honest = self.text(replace(winner, trials=Trials(2, 0.0001)), benchmark=False)
        assert "It stands up to these tests." in honest
        assert "After 2 trials" in honest

    def test_trials_that_are_not_known_are_said_to_be_so(self, usual: BacktestResult) -> None:
        assert "The number of trials is not known" in self.text(usual)


def test_points_and_markers_are_thinned_and_said_to_be() -> None:
    result = told(alternating(2, 12_000), walk(12_000, step=MINUTE, volatility=0.001))
    assert len(result.fills) > 2 * prices.MARKERS
    page = Page(html := tear_sheet(result, bootstrap=10))
    assert page.counts["use"] == prices.MARKERS
    assert f"Markers are thinned: 2,000 of {len(result.fills):,} fills, evenly picked." in page.text
    longest = max(len(re.findall(r"-?\d+", path)) // 2 for path in re.findall(r' d="([^"]+)"', html))
    assert longest <= prices.POINTS + 2


@pytest.mark.parametrize(
    ("count", "step", "most"), [(2600, DAY, 400_000), (100_000, MINUTE, 1_500_000)], ids=["days", "minutes"]
)
def test_pages_stay_small(count: int, step: int, most: int) -> None:
    result = told(alternating(15, count), walk(count, step=step, volatility=0.001))
    assert len(tear_sheet(result).encode()) < most


def test_at_most_six_instruments_are_drawn_and_it_says_so() -> None:
    page = Page(tear_sheet(several(), bootstrap=0))
    assert "The 6 instruments traded most; 2 more are not drawn." in page.text
    assert sum("price of" in chart for chart in page.charts) == prices.CHARTS


def test_what_was_held_of_each_of_several_instruments_is_listed() -> None:
    result = several()
    held = np.array([np.abs(result.held_value(place)).sum() for place in range(len(result.instruments))])
    page = Page(tear_sheet(result, bootstrap=0))
    assert "Held of each instrument, % of equity" in page.text
    total = sum(np.maximum(result.held_value(place), 0.0) for place in range(len(result.instruments)))
    np.testing.assert_allclose(result.holdings.long, total)
    assert held.min() > 0.0
    assert "Held of each instrument" not in Page(tear_sheet(told(scripted(1.0), walk(60)), bootstrap=0)).text


def test_prices_and_fills_are_drawn_without_the_step_of_a_split() -> None:
    bars = walk(100)
    half = np.where(np.arange(100) < 50, 1.0, 0.5)
    raw = bars.replaced(**{name: getattr(bars, name) * half for name in ("open", "high", "low", "close")})
    day = ek.Bars.rows(raw, 50).ts[0].astype("datetime64[ns]").astype("datetime64[D]").item()
    split = ek.Split(raw.instrument_id, day, Decimal(2), Decimal(1))
    sheet = Sheet(told(scripted(1.0), raw, splits=[split]), "", with_benchmark=True, runs=0, seed=0)
    ratios = sheet.ratios(0)
    assert set(ratios.tolist()) == {0.5, 1.0}
    moved = raw.close * ratios
    assert np.abs(np.diff(np.log(moved))).max() < 0.1


def test_fees_by_reason_add_up() -> None:
    result = told(alternating(9, 500), walk(500), stop_loss=0.01, fees=ek.FixedFee("1.5"))
    text = Page(tear_sheet(result, bootstrap=0)).text
    assert "Stop-loss" in text
    assert f"{1.5 * len(result.fills):,.2f} USD" in text


def test_slippage_is_what_was_asked_for() -> None:
    result = told(scripted(0.0, 1.0), walk(30), slippage=100.0, cash=1_000_000)
    (fill,) = result.fills
    paid = (fill.price - result.bars[0].open[fill.bar]) * fill.quantity
    assert paid == pytest.approx(0.01 * fill.quantity * result.bars[0].open[fill.bar], rel=0.02)
    assert f"{paid:,.2f} USD" in Page(tear_sheet(result, bootstrap=0)).text


def test_a_page_of_real_prices() -> None:
    instruments, bars, splits = sample_market()
    ibm = next(one for one in instruments if one.symbol == "IBM")
    result = backtest("sma-crossover", bars[ibm.id].of_instrument(ibm), fees="us-per-share", splits=splits)
    page = Page(tear_sheet(result, bootstrap=100))
    assert "IBM · bars of 1d · 1 Mar 2000 – 1 Mar 2013 · 3,270 bars" in page.text
    assert "sessions of XNYS in 2000–2013" in page.text


def test_a_page_of_gold_by_the_hour(shared_data: Path) -> None:
    bars = ek.read_bars(shared_data / "xauusd_1h.parquet")
    result = backtest("sma-crossover", bars, params={"fast": 20, "slow": 100, "allow_short": True})
    html = tear_sheet(result)
    assert "XAUUSD · bars of 1h" in Page(html).text
    assert len(html.encode()) < 1_500_000


class TestWriting:
    """A file is there whole, or not at all."""

    def test_the_file_is_the_page(self, usual: BacktestResult, tmp_path: Path) -> None:
        path = write_tear_sheet(usual, tmp_path / "sheet.html", title="Mine", bootstrap=5)
        assert path.read_text(encoding="utf-8") == tear_sheet(usual, title="Mine", bootstrap=5)
        assert [one.name for one in tmp_path.iterdir()] == ["sheet.html"]

    def test_a_missing_folder_is_named(self, usual: BacktestResult, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match=r"the folder .*nowhere does not exist") as caught:
            write_tear_sheet(usual, tmp_path / "nowhere" / "sheet.html", bootstrap=0)
        assert caught.value.hint is not None

    def test_a_folder_is_no_file(self, usual: BacktestResult, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="it is a folder"):
            write_tear_sheet(usual, tmp_path, bootstrap=0)

    def test_a_name_the_system_refuses_leaves_nothing_behind(self, usual: BacktestResult, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="cannot be written"):
            write_tear_sheet(usual, tmp_path / ("x" * 300), bootstrap=0)
        assert list(tmp_path.iterdir()) == []
