"""An ensemble of several instruments: against its members evaluated apart, in plain words, bar by bar."""

import numpy as np
import pytest

from evenkeel import Bars, PercentOfEquity
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.strategies import Scalar
from evenkeel.quant.indicators import Floats
from evenkeel.research.backtest.parity import parity
from evenkeel.trading.strategies import PanelStrategy, SignalStrategy
from evenkeel.trading.strategies.checks import examine
from evenkeel.trading.strategies.evaluate import confidence_of, evaluate, fold
from evenkeel.trading.strategies.panel_ensemble import PanelEnsemble
from evenkeel.trading.strategies.registry import Registry, checked
from evenkeel.trading.strategies.seeded import seeded_panel

PANEL = seeded_panel(300, 3)
MEMBERS = "cross-sectional-momentum(lookback=20, skip=2, every=5, allow_short=true)*2; rsi; momentum(allow_short=true)"
PARTS: tuple[tuple[str, dict[str, Scalar], float], ...] = (
    ("cross-sectional-momentum", {"lookback": 20, "skip": 2, "every": 5, "allow_short": True}, 2.0),
    ("rsi", {}, 1.0),
    ("momentum", {"allow_short": True}, 1.0),
)


def apart() -> list[tuple[Floats, Floats, float]]:
    """(share held, confidence of it, weight) of each member, (n, k)."""
    found = []
    for name, values, weight in PARTS:
        strategy = Registry().create(name)
        params = checked(strategy, values)
        told, sure = np.full(PANEL.close.shape, np.nan), np.full(PANEL.close.shape, np.nan)
        if isinstance(strategy, PanelStrategy):
            told = evaluate(strategy, PANEL, params)
            sure = confidence_of(strategy, PANEL, params, targets=told)
        assert isinstance(strategy, PanelStrategy | SignalStrategy)
        for line, one in enumerate(PANEL.instrument_ids if isinstance(strategy, SignalStrategy) else ()):
            assert isinstance(strategy, SignalStrategy)
            mine = evaluate(strategy, PANEL.bars(one), params)
            told[PANEL.shown[:, line], line] = mine / 3
            sure[PANEL.shown[:, line], line] = confidence_of(strategy, PANEL.bars(one), params, targets=mine)
        sure[np.isnan(told)] = np.nan
        held, known = (np.column_stack([fold(column) for column in table.T]) for table in (told, sure))
        found.append((held, known, weight))
    return found


@pytest.mark.parametrize("threshold", [0.5, 0.75])
def test_a_vote_holds_equal_shares_of_what_most_want(threshold: float) -> None:
    told = PanelEnsemble().signals(PANEL, checked(PanelEnsemble(), {"members": MEMBERS, "threshold": threshold}))
    parts, seen = apart(), set()
    for i, line in np.ndindex(*told.shape):
        score = sum(weight * np.sign(held[i, line]) for held, _, weight in parts) / 4.0
        expected = 1.0 if score >= threshold else -1.0 if score <= -threshold else 0.0
        assert told[i, line] == pytest.approx(expected / 3)
        seen.add(expected)
    assert seen == {-1.0, 0.0, 1.0}


def test_a_weighted_mean_counts_confidence_in_steps_of_an_equal_share() -> None:
    told = PanelEnsemble().signals(
        PANEL, checked(PanelEnsemble(), {"members": MEMBERS, "rule": "weighted", "step": 0.1})
    )
    parts, step = apart(), 0.1 / 3
    for i, line in np.ndindex(*told.shape):
        mean = float(sum(weight * held[i, line] * sure[i, line] for held, sure, weight in parts)) / 4.0
        assert told[i, line] == pytest.approx(round(mean / step) * step, abs=1e-12)
    assert len(np.unique(told)) > 5


def test_what_its_members_hold_is_recorded_and_how_many_agree() -> None:
    params = checked(PanelEnsemble(), {"members": MEMBERS})
    told = PanelEnsemble().signals(PANEL, params)
    details, sure = PanelEnsemble().details(PANEL, params), PanelEnsemble().confidence(PANEL, params, told)
    assert list(details) == ["1-cross-sectional-momentum", "2-rsi", "3-momentum"]
    for (held, _, _), recorded in zip(apart(), details.values(), strict=True):
        np.testing.assert_array_equal(held, recorded)
    agree = sum(
        weight * np.where(held == 0, 1.0, known) * (np.sign(held) == np.sign(told)) for held, known, weight in apart()
    )
    np.testing.assert_allclose(sure, agree / 4.0)


@pytest.mark.parametrize("rule", ["vote", "weighted"])
@pytest.mark.parametrize("members", [MEMBERS, "rebalanced-weights; rsi", "pairs; trend-filter"])
def test_it_may_run_and_remembers(rule: str, members: str) -> None:
    found = examine(PanelEnsemble(), checked(PanelEnsemble(), {"members": members, "rule": rule}))
    assert (found.faults, found.path_dependent) == ((), True)


def test_it_takes_as_many_instruments_as_all_its_members() -> None:
    both = checked(PanelEnsemble(), {"members": "pairs; rsi"})
    assert PanelEnsemble().instruments(both) == (2, 2)
    assert PanelEnsemble().instruments(checked(PanelEnsemble(), {"members": "rsi"})) == (1, None)


@pytest.mark.parametrize("rule", ["vote", "weighted"])
def test_both_engines_run_it_alike(rule: str) -> None:
    """Positions are restored when a member restores its own."""
    bars: dict[str, Bars] = {name: PANEL.bars(name) for name in PANEL.instrument_ids}
    params: dict[str, Scalar] = {"members": f"{MEMBERS}; rebalanced-weights(every=week)", "rule": rule}
    found = parity("panel-ensemble", bars, params=params, size=PercentOfEquity())
    assert found.differences == ()
    assert len(found.compiled.fills) > 50


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ("", "expected members such as"),
        ("ensemble", "no strategy of targets named 'ensemble'"),
        ("panel-ensemble", "no strategy of targets named 'panel-ensemble'"),
        ("pairs(window=1)", "expected"),
        ("pairs*0", "must be above zero"),
    ],
)
def test_members_it_cannot_have_are_named(members: str, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        checked(PanelEnsemble(), {"members": members})
