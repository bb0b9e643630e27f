"""A rolling value is the plain measure of its window."""

from collections.abc import Callable

import numpy as np
import pytest

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics import benchmark, drawdowns, ratios, returns, risk, rolling, tails
from evenkeel.quant.analytics.series import Floats

VALUES = np.random.default_rng(6).normal(0.0005, 0.01, 90)
VALUES[40:60] = 0.0
MARKET = VALUES * 0.7 + np.random.default_rng(7).normal(0.0, 0.01, 90)
Both = tuple[Callable[[Floats, int], Floats], Callable[[Floats], float]]
PAIRS: dict[str, Both] = {
    "volatility": (
        lambda r, w: rolling.rolling_volatility(r, w, periods=252),
        lambda r: risk.volatility(r, periods=252),
    ),
    "sharpe": (
        lambda r, w: rolling.rolling_sharpe(r, w, periods=252, risk_free=0.02),
        lambda r: ratios.sharpe(r, periods=252, risk_free=0.02),
    ),
    "sortino": (
        lambda r, w: rolling.rolling_sortino(r, w, periods=252, target=0.0001),
        lambda r: ratios.sortino(r, periods=252, target=0.0001),
    ),
    "drawdown": (rolling.rolling_drawdown, lambda r: drawdowns.max_drawdown(returns.wealth(r))),
    "var": (rolling.rolling_var, tails.var),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("window", [2, 10, 90])
def test_each_window_by_itself(name: str, window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rolling, "_ELEMENTS", 70)  # several blocks of rows
    rolled, plain = PAIRS[name]
    found = rolled(VALUES, window)
    expected = [plain(VALUES[at - window + 1 : at + 1]) for at in range(window - 1, 90)]
    assert np.isnan(found[: window - 1]).all()
    np.testing.assert_allclose(found[window - 1 :], expected, rtol=1e-9, atol=1e-12)


def test_beta_of_each_window() -> None:
    found = rolling.rolling_beta(VALUES, MARKET, window=20)
    expected = [benchmark.beta(VALUES[at - 19 : at + 1], MARKET[at - 19 : at + 1]) for at in range(19, 90)]
    np.testing.assert_allclose(found[19:], expected, rtol=1e-9)
    assert np.isnan(rolling.rolling_beta(MARKET, VALUES, window=20)[59])  # the benchmark stood still


def test_a_window_longer_than_the_series_never_fills() -> None:
    assert np.isnan(rolling.rolling_volatility(VALUES, 91, periods=252)).all()
    assert len(rolling.rolling_var(np.empty(0), 5)) == 0


def test_what_a_window_must_be() -> None:
    with pytest.raises(InvalidInput, match="whole number of periods"):
        rolling.rolling_volatility(VALUES, 1, periods=252)
    with pytest.raises(InvalidInput, match="different lengths"):
        rolling.rolling_beta(VALUES, MARKET[1:], window=5)
    with pytest.raises(InvalidInput, match="confidence"):
        rolling.rolling_var(VALUES, 5, confidence=2)
