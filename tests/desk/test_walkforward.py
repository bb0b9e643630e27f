"""Sessions in numbers: each by its days, several side by side and as one."""

from datetime import date, timedelta
from decimal import Decimal
from math import isfinite

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.desk.walkforward import (
    FIGURES,
    Day,
    SessionRecord,
    combined,
    correlations,
    drawdowns,
    figures,
    trips_of,
)
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.fills import Charge, Fill
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.orders import Side
from evenkeel.quant.analytics import METRICS

FIRST = date(2024, 3, 4)
STOCK = Instrument("stock", "STK", "TEST", AssetClass.EQUITY, "USD", Decimal("0.01"), Decimal(1))
FUTURE = Instrument("future", "FUT", "TEST", AssetClass.FUTURE, "USD", Decimal("0.25"), Decimal(1), Decimal(50))
NOTHING = trips_of([], {})


def record(
    growths: list[float],
    *,
    name: str = "one",
    capital: float = 1000.0,
    late: int = 0,
    currency: str = "USD",
    positions: dict[str, float] | None = None,
) -> SessionRecord:
    """A session with a growth a day; `late`: so many days after the first date."""
    dates = [FIRST + timedelta(days=late + number) for number in range(len(growths))]
    days = [Day(day, capital * growth, growth) for day, growth in zip(dates, growths, strict=True)]
    began = FIRST + timedelta(days=late)
    return SessionRecord(name, name, currency, capital, began, days, positions or {})


def fill(side: Side, quantity: str, price: str, *, at: int, of: Instrument = STOCK, book: str = "b") -> Fill:
    return Fill(
        id=f"{at}",
        order_id="o",
        account_id="a",
        book=book,
        instrument_id=of.id,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        currency="USD",
        executed_at=at,
        session_date=FIRST,
        venue_execution_id=f"{at}",
        charges=(Charge("brokerage", Decimal("0.50")),),
    )


def test_returns_are_time_weighted_and_deposits_move_none() -> None:
    """A deposit doubles the equity of the second day; growth says that nothing was gained."""
    one = record([1.1, 1.1])
    paid_in = SessionRecord("x", "x", "USD", 1000.0, FIRST, [one.days[0], one.days[1]._replace(equity=2200.0)], {})
    assert paid_in.returns == pytest.approx([0.1, 0.0])


def test_figures_are_the_metrics_of_that_name() -> None:
    assert set(FIGURES) <= {metric.name for metric in METRICS}
    found = figures(record([1.1, 0.99, 1.2]), NOTHING)
    assert list(found) == list(FIGURES)
    assert found["total_return"] == pytest.approx(0.2)
    assert found["max_drawdown"] == pytest.approx(-0.1)
    assert found["trades"] == 0


def test_before_there_is_a_day_only_trades_are_told() -> None:
    trips = trips_of([fill(Side.BUY, "10", "5", at=1), fill(Side.SELL, "10", "6", at=2)], {STOCK.id: STOCK})
    found = figures(record([]), trips)
    assert list(found) == list(FIGURES)
    assert (found["sharpe"], found["trades"], found["net_profit"]) == (None, 1, 9.0)


def test_drawdowns_are_positive_and_count_from_the_capital() -> None:
    assert drawdowns(record([0.9, 1.2, 0.6])) == pytest.approx([0.1, 0.0, 0.5])
    assert drawdowns(record([])) == []


def test_round_trips_keep_books_instruments_and_multipliers_apart() -> None:
    fills = [
        fill(Side.BUY, "2", "100", at=1, of=FUTURE),
        fill(Side.BUY, "10", "5", at=2, book="one"),
        fill(Side.SELL, "10", "6", at=3, book="two"),
        fill(Side.SELL, "2", "101", at=4, of=FUTURE),
    ]
    trips = trips_of(fills, {STOCK.id: STOCK, FUTURE.id: FUTURE})
    assert [(name, net) for name, net in zip(trips.symbol, trips.net, strict=True)] == [("future", 99.0)]
    assert sorted((one.symbol, one.quantity) for one in trips.open) == [("stock", -10.0), ("stock", 10.0)]


def test_correlations_are_over_the_days_that_all_have() -> None:
    one, two = record([1.1, 1.0, 1.2, 1.1, 1.3]), record([1.0, 1.2, 1.1, 1.3], name="two", late=1)
    matrix, days = correlations([one, two])
    first, second = np.diff([1.1, 1.0, 1.2, 1.1, 1.3]) / [1.1, 1.0, 1.2, 1.1], np.diff([1, 1.0, 1.2, 1.1, 1.3])
    second /= [1, 1.0, 1.2, 1.1]
    assert days == 4
    assert matrix[0][1] == matrix[1][0] == pytest.approx(float(np.corrcoef(first, second)[0, 1]))
    assert matrix[0][0] == matrix[1][1] == 1.0


def test_a_session_that_does_not_vary_or_too_few_days_correlate_with_nothing() -> None:
    assert correlations([record([1.0, 1.0, 1.0]), record([1.0, 1.1, 1.2])])[0][0] == [None, None]
    assert correlations([record([1.1, 1.2]), record([1.1, 1.3])]) == ([[None, None], [None, None]], 2)
    assert correlations([]) == ([], 0)


def test_several_as_one_each_with_its_capital_before_and_its_last_value_after() -> None:
    early, late = record([1.1, 1.2]), record([0.9, 0.5], name="two", capital=500.0, late=2)
    found = combined([early, late])
    curve = [1500.0, 1600.0, 1700.0, 1200.0 + 450.0, 1200.0 + 250.0]
    assert (found.capital, found.value, found.days) == (1500.0, pytest.approx(1450.0), 4)
    assert found.max_drawdown == found.drawdown == pytest.approx(1.0 - curve[-1] / 1700.0)
    returns = np.diff(curve) / curve[:-1]
    assert found.var_95 == pytest.approx(-float(np.quantile(returns, 0.05)) * 1450.0)
    assert found.var_99 is not None
    assert found.cvar_95 is not None
    assert found.var_95 is not None
    assert found.cvar_95 >= found.var_95


def test_opposite_sessions_risk_less_together_than_apart() -> None:
    up, down = record([1.1, 1.0, 1.1, 1.0]), record([0.9, 1.0, 0.9, 1.0], name="two")
    found = combined([up, down])
    assert found.var_95 is not None
    assert found.apart is not None
    assert found.var_95 < found.apart / 5
    assert found.max_drawdown == pytest.approx(0.0, abs=1e-12)


def test_exposure_nets_instruments_across_sessions() -> None:
    held = record([1.0], positions={"a": 300.0, "b": -50.0}), record([1.0], positions={"a": -100.0, "c": 0.0})
    found = combined(held).exposure
    assert (found.gross, found.net, found.net_long, found.net_short) == (450.0, 150.0, 200.0, 50.0)
    assert found.leverage == pytest.approx(0.225)
    assert found.largest == (("a", 200.0), ("b", -50.0))


def test_tails_need_two_days() -> None:
    found = combined([record([1.1])])
    assert (found.var_95, found.var_99, found.cvar_95, found.apart) == (None, None, None, None)


def test_sessions_that_lost_everything_are_told_without_a_tail() -> None:
    found = combined([record([0.5, 0.0, 0.0])])
    assert (found.value, found.max_drawdown, found.var_95) == (0.0, 1.0, None)
    assert found.exposure.leverage == 0.0


@pytest.mark.parametrize(
    ("records", "message"),
    [([], "at least one session"), ([record([1.0]), record([1.0], currency="EUR")], "not in EUR, USD")],
)
def test_none_and_mixed_currencies_are_refused(records: list[SessionRecord], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        combined(records)


growths = st.lists(st.floats(0.2, 3.0), max_size=12)


@given(rows=st.lists(st.tuples(growths, st.integers(0, 5)), min_size=1, max_size=4))
def test_as_one_they_come_to_the_sum_of_what_each_comes_to(rows: list[tuple[list[float], int]]) -> None:
    records = [record(row, name=str(place), late=late) for place, (row, late) in enumerate(rows)]
    found = combined(records)
    assert found.value == pytest.approx(sum(1000.0 * (row[-1] if row else 1.0) for row, _ in rows))
    assert 0.0 <= found.drawdown <= found.max_drawdown < 1.0
    for amount in (found.var_95, found.var_99, found.cvar_95):
        assert amount is None or (isfinite(amount) and amount >= 0.0)
    matrix, _ = correlations(records)
    for i, row in enumerate(matrix):
        for j, value in enumerate(row):
            assert value == matrix[j][i]
            assert value is None or -1.0 <= value <= 1.0
