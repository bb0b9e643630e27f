"""Trade statistics by hand, attribution to the last bit, exposure."""

from math import fsum, isnan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics import attributed, attribution, exposure, trades
from evenkeel.quant.analytics.exposure import Holdings

NET = np.array([100.0, -50.0, 200.0, 0.0, -25.0])
MONEY = st.floats(-1e9, 1e9, allow_nan=False)


def test_statistics_by_hand() -> None:
    assert trades.win_rate(NET) == 0.4
    assert (trades.average_win(NET), trades.average_loss(NET)) == (150.0, -37.5)
    assert (trades.largest_win(NET), trades.largest_loss(NET)) == (200.0, -50.0)
    assert trades.payoff_ratio(NET) == 4.0
    assert trades.profit_factor(NET) == 4.0
    assert trades.expectancy(NET) == 45.0
    assert trades.expectancy_ratio(NET) == 1.2
    assert trades.kelly_fraction(NET) == pytest.approx(0.4 - 0.6 / 4)
    assert trades.cpc_index(NET) == pytest.approx(4.0 * 0.4 * 4.0)
    assert trades.system_quality_number(NET) == pytest.approx(sqrt(5) * 45 / np.std(NET, ddof=1))


@given(st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=40), st.sampled_from([0.01, 3.0, 1e6]))
def test_scale_changes_money_only(amounts: list[int], scale: float) -> None:
    net = np.array(amounts, dtype=np.float64)
    for ratio in (
        trades.win_rate,
        trades.payoff_ratio,
        trades.profit_factor,
        trades.expectancy_ratio,
        trades.kelly_fraction,
        trades.cpc_index,
        trades.system_quality_number,
    ):
        assert ratio(scale * net) == pytest.approx(ratio(net), nan_ok=True)
    assert trades.expectancy(scale * net) == pytest.approx(scale * trades.expectancy(net), abs=1e-9 * scale)


def test_what_has_no_losses_has_no_ratio_to_them() -> None:
    gains = np.array([1.0, 2.0])
    for measure in (trades.profit_factor, trades.payoff_ratio, trades.kelly_fraction, trades.largest_loss):
        assert isnan(measure(gains))
    assert isnan(trades.largest_win(-gains))
    assert isnan(trades.system_quality_number(np.array([5.0, 5.0])))
    for measure in (trades.win_rate, trades.expectancy, trades.profit_factor, trades.system_quality_number):
        assert isnan(measure(np.empty(0)))


@given(st.lists(st.tuples(MONEY, st.sampled_from("ABC")), max_size=60))
def test_attribution_adds_up_exactly(rows: list[tuple[float, str]]) -> None:
    amounts, labels = np.array([amount for amount, _ in rows]), [label for _, label in rows]
    found = attribution(amounts, labels)
    assert fsum(found.parts.values()) == found.total
    assert set(found.parts) == set(labels)
    assert found.total == pytest.approx(fsum(amounts), rel=1e-12, abs=1e-6)
    for label, part in found.parts.items():
        assert part == fsum(amount for amount, of in rows if of == label)


def test_attribution_of_parts_and_what_it_refuses() -> None:
    assert attributed({"closed": 10.0, "open": -3.0}) == (7.0, {"closed": 10.0, "open": -3.0})
    with pytest.raises(InvalidInput, match="one for each amount"):
        attribution(NET, ["A"])


def test_exposure_by_hand() -> None:
    held = Holdings(np.array([50.0, 0.0, 100.0]), np.array([0.0, 0.0, 50.0]), np.array([50.0, 50.0, 150.0]))
    equity = np.array([100.0, 100.0, 50.0])
    assert exposure.time_in_market(held) == pytest.approx(2 / 3)
    assert exposure.leverage(held, equity).tolist() == [0.5, 0.0, 3.0]
    assert exposure.average_leverage(held, equity) == pytest.approx(3.5 / 3)
    assert exposure.max_leverage(held, equity) == 3.0
    assert exposure.long_share(held) == 0.75
    assert exposure.turnover(held, equity, years=0.5) == pytest.approx(125 / (250 / 3) / 0.5)
    assert isnan(exposure.max_leverage(held, np.array([100.0, 0.0, -5.0])))
    assert isnan(exposure.long_share(Holdings(*np.zeros((3, 3)))))
    with pytest.raises(InvalidInput, match="different lengths"):
        exposure.leverage(held, equity[:2])
