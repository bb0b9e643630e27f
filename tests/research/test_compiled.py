"""The compiled engine against the same rules in plain Python, and against its own source uncompiled."""

from datetime import date
from decimal import Decimal
from math import nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel import (
    Bars,
    Cash,
    Dividend,
    Kelly,
    Limits,
    PercentFee,
    PercentOfEquity,
    Slippage,
    Split,
    Units,
    VolatilityTarget,
    backtest,
)
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.quant.indicators import Floats
from evenkeel.research.backtest import kernel
from evenkeel.research.backtest.compiled import CompiledRun
from evenkeel.research.backtest.options import terms_of
from evenkeel.research.backtest.outcome import Why
from evenkeel.research.backtest.run import instrument_of
from evenkeel.trading.strategies import Params, SignalStrategy
from tests.research.reference import Rules, simulated

DAY = 86_400_000_000_000


class Told(SignalStrategy):
    """Gives the targets it was made with."""

    name = "told"

    def __init__(self, targets: list[float]) -> None:
        self.targets = targets

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: Bars, params: Params) -> Floats:
        return np.array(self.targets)


def series(prices: list[tuple[float, float, float, float]]) -> Bars:
    open_, high, low, close = (list(column) for column in zip(*prices, strict=True))
    return Bars(np.arange(len(prices)) * DAY, open_, high, low, close, [1000.0] * len(prices), timeframe="1d")


def flat(*closes: float) -> Bars:
    """Bars that open where the one before closed and go nowhere else."""
    opens = (closes[0], *closes[:-1])
    return series([(o, max(o, c), min(o, c), c) for o, c in zip(opens, closes, strict=True)])


cents = st.integers(5_000, 15_000).map(lambda n: n / 100)


@st.composite
def histories(draw: st.DrawFn) -> Bars:
    count = draw(st.integers(2, 30))
    rows = []
    for _ in range(count):
        open_, close, one, other = (draw(cents) for _ in range(4))
        rows.append((open_, max(open_, close, one, other), min(open_, close, one, other), close))
    return series(rows)


@st.composite
def thin(draw: st.DrawFn) -> Bars:
    """The same of whole or quarter days, with little volume, none or an unknown one."""
    bars = draw(histories())
    volumes = st.sampled_from([40.0, 100.0, 250.0, 1000.0, 0.0, nan])
    volume = draw(st.lists(volumes, min_size=len(bars), max_size=len(bars)))
    if draw(st.booleans()):
        return bars.replaced(volume=np.array(volume))
    columns = [bars.open, bars.high, bars.low, bars.close, np.array(volume)]
    return Bars(bars.ts // 4, *columns, timeframe="6h")


targets = st.sampled_from([nan, nan, -1.0, -0.5, 0.0, 0.5, 1.0])
rules = st.builds(
    Rules,
    size_by=st.sampled_from(["units", "cash", "equity"]),
    size=st.just(1.0),
    fill=st.sampled_from(["next-open", "close", "limit"]),
    offset=st.sampled_from([0.0, 0.01]),
    bps=st.sampled_from([0.0, 5.0, 37.0]),
    rate=st.sampled_from([0.0, 0.0005]),
    stop_loss=st.sampled_from([0.0, 0.03, 0.2]),
    take_profit=st.sampled_from([0.0, 0.04, 0.3]),
    trailing=st.sampled_from([0.0, 0.05]),
)


def options(said: Rules) -> dict[str, Any]:
    size = Decimal(str(said.size))
    sizes = {"units": Units(size), "cash": Cash(size), "equity": PercentOfEquity(size)}
    return {
        "cash": said.cash,
        "fees": PercentFee(str(said.rate)),
        "size": sizes[said.size_by],
        "fill": said.fill,
        "limit_offset": said.offset if said.fill == "limit" else 0.0,
        "slippage": Slippage(bps=said.bps),
        "stop_loss": said.stop_loss or None,
        "take_profit": said.take_profit or None,
        "trailing_stop": said.trailing or None,
    }


@settings(max_examples=300, deadline=None)
@given(histories(), rules, st.data())
def test_it_does_what_the_rules_say(bars: Bars, said: Rules, data: st.DataObject) -> None:
    said.size = {"units": 7.0, "cash": 5_000.0, "equity": 0.8}[said.size_by]
    told = data.draw(st.lists(targets, min_size=len(bars), max_size=len(bars)))
    said.tick = float(instrument_of(bars).tick_size)
    result = backtest(Told(told), bars, engine="compiled", check=False, **options(said))
    equity, account = simulated(bars, told, said)
    fills = [(f.bar, f.side, f.quantity, f.price, f.why.name.lower().replace("_", "-")) for f in result.fills]
    assert [fill[:2] + fill[4:] for fill in fills] == [fill[:2] + fill[4:] for fill in account.fills]
    np.testing.assert_allclose([f[2:4] for f in fills], [f[2:4] for f in account.fills], rtol=1e-12)
    np.testing.assert_allclose(result.equity, equity, rtol=1e-9)
    assert result.final_equity == pytest.approx(equity[-1], abs=0.005)


@settings(max_examples=60, deadline=None)
@given(histories(), rules, st.data())
def test_compiled_and_plain_give_the_same_bits(bars: Bars, said: Rules, data: st.DataObject) -> None:
    told = np.array(data.draw(st.lists(targets, min_size=len(bars), max_size=len(bars))))
    run = CompiledRun(bars, instrument_of(bars), terms_of("USD", options(said)))
    fast, (line,) = run.run(told, 0), run.lines
    report, path = line.settings.copy(), np.empty((3, len(bars)))
    days, fills = np.empty(len(run.days.last)), np.empty((kernel.FILL_COLUMNS * 40, kernel.FILL_COLUMNS))
    kernel.simulate.plain(
        bars.open, bars.high, bars.low, bars.close, bars.volume, bars.spread, told, line.scale, run.days.last,
        *line.going_ex, run.charges, report, path, days, fills,
    )  # fmt: skip
    count = int(report[kernel.FILLS])
    assert report.tobytes() == fast.report.tobytes()
    assert path.tobytes() == fast.path.tobytes()
    assert fills[:count].tobytes() == fast.fills[:count].tobytes()
    assert days.tobytes() == fast.day_equity.tobytes()


def run(bars: Bars, told: list[float], **more: Any) -> Any:
    return backtest(Told(told), bars, check=False, engine="compiled", **more)


def test_an_order_decided_at_the_last_bar_does_not_fill() -> None:
    assert len(run(flat(10.0, 11.0, 12.0), [nan, nan, 1.0]).fills) == 0


def test_nothing_is_sold_at_the_end() -> None:
    result = run(flat(10.0, 10.0, 12.0), [1.0, nan, nan], size=5, cash=100)
    assert (len(result.fills), result.final_equity) == (1, 110.0)


def test_a_gap_through_the_stop_fills_at_the_open() -> None:
    bars = series([(100, 100, 100, 100), (100, 101, 99, 100), (90, 91, 89, 90), (90, 90, 90, 90)])
    (entry, out) = run(bars, [1.0, nan, nan, nan], size=10, stop_loss=0.05).fills
    assert (entry.price, out.price, out.why) == (100.0, 90.0, Why.STOP_LOSS)


def test_after_a_stop_it_waits_for_another_target() -> None:
    bars = flat(100, 100, 90, 95, 96, 97)
    result = run(bars, [1.0, nan, 1.0, 1.0, 0.0, 1.0], size=1, stop_loss=0.05)
    assert [fill.why for fill in result.fills] == [Why.SIGNAL, Why.STOP_LOSS]


@pytest.mark.parametrize(("low", "why"), [(94.0, Why.STOP_LOSS), (90.0, Why.TAKE_PROFIT)])
def test_of_stop_and_target_in_one_bar_the_nearer_extreme_comes_first(low: float, why: Why) -> None:
    bars = series([(100, 100, 100, 100), (100, 107, low, 100), (100, 100, 100, 100)])
    result = run(bars, [1.0, nan, nan], size=1, stop_loss=0.05, take_profit=0.05)
    assert result.fills[1].why is why


def test_the_trailing_stop_follows_the_best_price_of_the_bars_before() -> None:
    bars = series([(100, 100, 100, 100), (100, 120, 100, 118), (118, 118, 107, 110), (110, 110, 110, 110)])
    result = run(bars, [1.0, nan, nan, nan], size=1, trailing_stop=0.10)
    assert (result.fills[1].price, result.fills[1].bar) == (108.0, 2)


def test_a_position_that_equity_no_longer_covers_is_closed() -> None:
    bars = flat(100, 100, 60, 55)
    result = run(bars, [1.0, nan, nan, nan], size=20, cash=1_000, maintenance=0.25)
    assert result.fills[1].why is Why.LIQUIDATION
    assert result.fills[1].price == 66.0  # 1,000 / (20 × 0.75) is 66.67; prices here move by 1


def test_through_zero_takes_two_orders_with_a_charge_each() -> None:
    result = run(flat(100, 100, 100, 100), [1.0, -1.0, nan, nan], size=3, fees=PercentFee(0, minimum=1, step="0.01"))
    assert [(f.side, f.quantity, f.fee) for f in result.fills] == [(1, 3, 1.0), (-1, 3, 1.0), (-1, 3, 1.0)]


def test_the_volatility_target_scales_with_what_has_moved() -> None:
    rng = np.random.default_rng(3)
    closes = np.round(100 * np.exp(np.cumsum(0.01 * rng.standard_normal(400))), 2)
    told = [nan] * 300 + [1.0] + [nan] * 99
    result = run(flat(*closes.tolist()), told, size=VolatilityTarget(0.10, window=60), cash=1e6)
    returns = np.diff(closes[:301])[-60:] / closes[240:300]
    share = 0.10 / (np.std(returns, ddof=1) * np.sqrt(result.days.per_year))
    assert result.fills[0].quantity == np.floor(share * 1e6 / closes[300])


def test_kelly_never_bets_against_its_edge() -> None:
    rising = flat(*np.round(100 * 1.001 ** np.arange(80) + np.resize([0.0, 0.3], 80), 2).tolist())
    told = [nan] * 60 + [-1.0] + [nan] * 4 + [1.0] + [nan] * 14
    result = run(rising, told, size=Kelly(0.5, window=50, most=1.0))
    assert [fill.side for fill in result.fills] == [1]


def test_the_maintenance_of_several_instruments_goes_by_the_live_engine_where_orders_come_in_pieces() -> None:
    both = {"A": flat(10, 11, 12), "B": flat(10, 11, 12)}
    asked: dict[str, Any] = {"participation": 0.1, "maintenance": 0.3}
    with pytest.raises(InvalidInput, match="participation together with the maintenance of several"):
        backtest("buy-and-hold", both, engine="compiled", **asked)
    assert backtest("buy-and-hold", both, **asked).engine == "event"
    assert backtest("buy-and-hold", both["A"], **asked).engine == "compiled"


@pytest.mark.parametrize(("asked", "named"), [({"limits": Limits()}, "limits")])
def test_what_it_lacks_is_refused_by_name(asked: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput, match=f"does not have {named}") as caught:
        run(flat(10, 11), [1.0, nan], **asked)
    assert 'engine="event"' in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"cash": -1}, "cash"), ({"cash": "much"}, "cash"), ({"stop_loss": 1.5}, "stop_loss"), ({"size": 0}, "size"),
        ({"fill": "yesterday"}, "fill"), ({"fees": 5}, "fees"), ({"limit_offset": -1}, "limit_offset"),
        ({"limit_offset": 0.01}, "limit_offset"),
        ({"leverage": 2}, "leverage"), ({"size": VolatilityTarget(0.1, window=1)}, "window"),
        ({"stop_loss": "near"}, "stop_loss: expected a number"), ({"financing": None}, "financing: expected a number"),
        ({"slippage": "5 bps"}, "slippage: expected basis points"), ({"limits": 3}, "limits: expected ek.Limits"),
        ({"slippage": -1}, "slippage is not valid: bps: expected a finite number"),
        ({"splits": 2}, "splits: expected a list of ek.Split"), ({"dividends": [1]}, "dividends: expected a list"),
        ({"splits": [Split("X", date(1970, 1, 1), Decimal(0), Decimal(1))]}, "splits: expected .* above zero"),
        ({"dividends": [Dividend("X", date(1970, 1, 1), Decimal("NaN"))]}, "dividends: expected amounts from zero"),
        ({"dividends": [Dividend("X", "1970-01-01", Decimal(1))]}, "dividends: expected an ex_date"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_terms_that_make_no_sense_are_named(asked: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        run(flat(10, 11), [1.0, nan], **asked)


def test_a_target_beyond_one_is_named_with_its_bar() -> None:
    with pytest.raises(InvalidInput, match=r"target of bar 1 is 1\.5"):
        run(flat(10, 11, 12), [nan, 1.5, nan])


def test_borrowing_is_said_aloud() -> None:
    result = run(flat(10, 10, 10), [1.0, nan, nan], size=20, cash=100)
    assert any("cash fell to −100.00" in note for note in result.summary()["warnings"])


def split_in_the_middle() -> tuple[Bars, list[Split]]:
    """Ten days at 100, then a split of three for one, then ten days at 34."""
    closes = [100.0] * 10 + [34.0] * 10
    bars = series([(c, c, c, c) for c in closes])
    return bars, [Split(bars.instrument_id, date(1970, 1, 11), Decimal(3), Decimal(1))]


def test_a_split_multiplies_the_holding_and_pays_out_what_is_no_whole_lot() -> None:
    bars, splits = split_in_the_middle()
    half = [Split(bars.instrument_id, date(1970, 1, 11), Decimal(1), Decimal(2))]
    told = [1.0] + [nan] * 19
    whole = run(bars, told, size=5, splits=splits)
    assert whole.outcome.positions[0][[9, 10]].tolist() == [5.0, 15.0]
    assert whole.final_equity == 100_000 - 500 + 15 * 34
    cut = run(bars, told, size=5, splits=half)
    assert cut.outcome.positions[0][10] == 2.0
    assert cut.outcome.cash[10] == 100_000 - 500 + 100  # half a share of after is one of before


def test_trades_over_a_split_are_what_they_made() -> None:
    bars, splits = split_in_the_middle()
    told = [1.0] + [nan] * 13 + [0.0] + [nan] * 5
    result = run(bars, told, size=5, splits=splits)
    assert len(result.trades) == 1
    assert result.trades.net.sum() == pytest.approx(result.final_equity - 100_000)
    assert not result.trades.open


def test_a_split_names_its_instrument_by_symbol_or_id_and_those_of_others_are_left_out() -> None:
    bars, splits = split_in_the_middle()
    named = Instrument("17", "ACME", "US", AssetClass.EQUITY, "USD", tick_size=Decimal("0.01"), lot_size=Decimal(1))
    mine, told = bars.of_instrument(named), [1.0] + [nan] * 19
    (split,) = splits
    expected = run(bars, told, size=5, splits=splits).equity.tolist()
    for name in ("ACME", "17"):
        asked = [Split(name, split.ex_date, split.numerator, split.denominator)]
        assert run(mine, told, size=5, splits=asked).equity.tolist() == expected
    assert run(mine, told, size=5, splits=splits).terms.splits == ()


def test_a_dividend_is_paid_to_the_long_and_owed_by_the_short() -> None:
    bars = flat(*[100.0] * 6)
    paid = [Dividend(bars.instrument_id, date(1970, 1, 4), Decimal("1.5"))]
    long = run(bars, [1.0] + [nan] * 5, size=4, dividends=paid)
    short = run(bars, [-1.0] + [nan] * 5, size=4, dividends=paid)
    assert (long.final_equity, short.final_equity) == (100_006.0, 99_994.0)
