"""Bacon's tables reproduce, to the digits recomputed from the returns themselves.

Where a published figure differs, the comment says so; all risk-free rates there are 0.
"""

import numpy as np
import pytest

from evenkeel.quant.analytics import benchmark as versus
from evenkeel.quant.analytics import drawdowns, ratios, returns, risk
from tests.quant.analytics.bacon import BENCHMARK, MAR, MONTHS, PORTFOLIO, YEARS

P, B = PORTFOLIO, BENCHMARK


@pytest.mark.parametrize(
    ("value", "recomputed", "published"),
    [
        (risk.mean_absolute_deviation(P), 0.0310833, 0.0310),
        # A snapshot of the same source says 0.7913, which is stale.
        (ratios.adjusted_sharpe(P, periods=MONTHS, years=YEARS), 0.7591434663, 0.7591435),
        (ratios.bernardo_ledoit(P), 1.7797834, 1.78),
        (risk.downside_deviation(P, target=MAR), 0.0255367, 0.0255),
        (risk.downside_potential(P, target=MAR), 0.0137083, 0.0137),
        (risk.upside_risk(P, target=MAR), 0.0293733, 0.02937),
        (risk.upside_potential(P, target=MAR), 0.0177083, 0.01771),
        (risk.upside_frequency(P, target=MAR), 0.5416667, 0.542),
        (risk.downside_frequency(P, target=MAR), 0.4583333, 0.458),
        (ratios.omega_sharpe(P, target=MAR), 0.2917933, 0.29),
        (ratios.kappa(P, 2, target=MAR), 0.1566371, 0.157),
        (ratios.sortino(P, periods=1.0, target=MAR), 0.1566371, 0.157),
        (risk.volatility_skewness(P, target=MAR), 1.3230465, 1.32),
        (drawdowns.pain_index(returns.wealth(P)), 0.0399897, 0.04),
        # The documentation says 2.66, the snapshot 2.5926.
        (ratios.pain_ratio(P, years=YEARS), 2.5926254, 2.5926),
        (ratios.martin(P, years=YEARS), 1.6945248, 1.6945),
        (versus.m_squared(P, B, years=YEARS), 0.1006200, 0.10062),
        (versus.alpha(P, B, years=YEARS), -0.0141694, -0.014),
        (versus.fama_beta(P, B), 1.0303949, 1.03),
        (versus.specific_risk(P, B, periods=MONTHS), 0.0329311, 0.0329),
        # The snapshot says 0.1328 and 0.1368, which are the sample's (ddof 1); the documentation 0.013 and 0.0134.
        (versus.systematic_risk(P, B, periods=MONTHS), 0.1300098, 0.13),
        (versus.total_risk(P, B, periods=MONTHS), 0.1341156, 0.134),
        # The snapshot says 0.7806, with the sample's systematic risk.
        (versus.modified_treynor(P, B, periods=MONTHS, years=YEARS), 0.7974653, 0.7975),
        (drawdowns.max_drawdown(returns.wealth(P)), -0.1446730, None),
        (returns.cagr(P, years=YEARS), 0.1036783, None),
        # 0.74 and 3.65 there, from another list of drawdowns; here each one counts by its trough.
        (ratios.burke(P, years=YEARS), 0.7112, None),
        (ratios.modified_burke(P, years=YEARS), 3.4842, None),
    ],
)
def test_a_figure_of_the_tables(value: float, recomputed: float, published: float | None) -> None:
    digits = len(f"{recomputed:.10f}".rstrip("0").split(".")[1])
    assert round(value, min(digits, 10)) == pytest.approx(recomputed, abs=1e-12)
    if published is not None:
        assert value == pytest.approx(published, abs=0.0055)


def test_the_sample_forms_explain_the_snapshot() -> None:
    sample = np.sqrt(24 / 23)
    systematic = versus.systematic_risk(P, B, periods=MONTHS) * sample
    assert systematic == pytest.approx(0.1328, abs=5e-5)
    assert versus.modified_treynor(P, B, periods=MONTHS, years=YEARS) / sample == pytest.approx(0.7806, abs=1e-4)
    total = np.hypot(systematic, versus.specific_risk(P, B, periods=MONTHS) * np.sqrt(24 / 22))
    assert total == pytest.approx(0.1368, abs=5e-4)


def test_each_drawdown_counts_once_by_its_trough() -> None:
    table = drawdowns.drawdown_table(returns.wealth(P))
    assert [round(row.depth, 6) for row in table] == [-0.144673, -0.014, -0.01, -0.005]
    assert [(row.start, row.trough, row.end) for row in table] == [(13, 18, None), (8, 9, 10), (3, 4, 5), (10, 11, 12)]
    assert [(row.length, row.decline, row.recovery) for row in table[:2]] == [(11, 5, None), (2, 1, 1)]


def test_the_identities_of_the_measures() -> None:
    assert ratios.omega(P, target=MAR) - 1 == pytest.approx(ratios.omega_sharpe(P, target=MAR))
    assert ratios.bernardo_ledoit(P) - 1 == pytest.approx(ratios.gain_to_pain(P))
    assert versus.total_risk(P, B, periods=MONTHS) == pytest.approx(np.std(P) * np.sqrt(12))
    assert versus.r_squared(P, B) == pytest.approx(
        (versus.systematic_risk(P, B, periods=MONTHS) / versus.total_risk(P, B, periods=MONTHS)) ** 2
    )
    assert versus.information_ratio(P, B, periods=MONTHS) == pytest.approx(
        versus.active_return(P, B, periods=MONTHS) / versus.tracking_error(P, B, periods=MONTHS)
    )
    assert ratios.sterling(P, years=YEARS) == pytest.approx(0.1036783 / 0.2446730, rel=1e-6)
    assert ratios.calmar(P, years=YEARS) == pytest.approx(0.1036783 / 0.1446730, rel=1e-6)
    assert ratios.upside_potential_ratio(P, target=MAR) == pytest.approx(0.0177083 / 0.0255367, rel=1e-4)
