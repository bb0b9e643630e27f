"""Records measured together: each has the bits of its own summary, whatever the others are."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics import METRICS, Track, summary
from evenkeel.quant.analytics.records import summaries
from evenkeel.quant.analytics.series import Floats
from evenkeel.quant.analytics.track import Days

NAMES = ["sharpe", "max_drawdown", "volatility", "sortino", "total_return"]
ORDINARY = st.floats(1.0, 1e6)
ANY = st.one_of(ORDINARY, st.sampled_from([0.0, -5.0, 1e-300, 1e300, 1000.0, 1000.0000000000001]))


def days(count: int) -> tuple[np.datetime64, Days]:
    first = np.datetime64("2024-01-01")
    return first, first + np.arange(1, count + 1)


@st.composite
def tables(draw: st.DrawFn) -> Floats:
    count, rows = draw(st.integers(0, 40)), draw(st.integers(1, 5))
    values = draw(st.sampled_from([ORDINARY, ANY]))
    row = st.lists(values, min_size=count, max_size=count)
    return np.array([[1000.0, *draw(row)] for _ in range(rows)])


@settings(max_examples=300)
@given(tables(), st.sampled_from([0.0, 0.03]))
@example(np.array([[1000.0, 1.0, 1e300]]), 0.0)
@pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")
def test_each_row_has_the_bits_of_its_own_summary(equity: Floats, risk_free: float) -> None:
    start, dates = days(equity.shape[1] - 1)
    found = list(summaries(start, dates, equity, periods=252, names=NAMES, risk_free=risk_free))
    assert found == [summary(Track(start, dates, row), periods=252, names=NAMES, risk_free=risk_free) for row in equity]


@pytest.mark.parametrize("count", [7, 8, 127, 128, 129, 1000, 20_000])
def test_the_bits_are_the_same_for_records_of_any_length(count: int) -> None:
    start, dates = days(count)
    draw = np.random.default_rng(count)
    equity = np.cumprod(1.0 + draw.normal(0.0, 0.01, (3, count + 1)), axis=1, dtype=np.float64)
    names = [metric.name for metric in METRICS if metric.needs == "returns"][: 40 if count < 1000 else 12]
    names += [name for name in NAMES if name not in names]
    found = list(summaries(start, dates, equity, periods=365, names=names))
    assert found == [summary(Track(start, dates, row), periods=365, names=names) for row in equity]


def test_no_records_and_no_names() -> None:
    start, dates = days(2)
    assert list(summaries(start, dates, np.empty((0, 3)), periods=252, names=NAMES)) == []
    assert list(summaries(start, dates, np.ones((2, 3)), periods=252, names=[])) == [{}, {}]


def test_what_a_summary_refuses_is_refused() -> None:
    start, dates = days(2)
    for wrong in ({"periods": 0.0}, {"risk_free": -1.0}, {"names": ["sharp"]}):
        with pytest.raises(InvalidInput):
            list(summaries(start, dates, np.ones((1, 3)), **{"periods": 252, "names": NAMES, **wrong}))  # type: ignore[arg-type]
