"""An ensemble decides as its rule says, bar by bar, and refuses members it cannot have."""

import numpy as np
import pytest

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.strategies import Scalar
from evenkeel.quant.indicators import Floats
from evenkeel.trading.strategies import SignalStrategy
from evenkeel.trading.strategies.checks import examine
from evenkeel.trading.strategies.ensemble import Ensemble
from evenkeel.trading.strategies.evaluate import confidence_of, evaluate, fold
from evenkeel.trading.strategies.registry import Registry, checked
from evenkeel.trading.strategies.seeded import seeded_bars

BARS = seeded_bars(400)
MEMBERS = "sma-crossover(fast=5, slow=20, allow_short=true)*2; rsi; momentum(allow_short=true)"
PARTS: tuple[tuple[str, dict[str, Scalar], float], ...] = (
    ("sma-crossover", {"fast": 5, "slow": 20, "allow_short": True}, 2.0),
    ("rsi", {}, 1.0),
    ("momentum", {"allow_short": True}, 1.0),
)


def parts() -> list[tuple[Floats, Floats, float]]:
    """(folded target, confidence of it, weight) of each member, evaluated apart."""
    found = []
    for name, values, weight in PARTS:
        strategy = Registry().create(name)
        assert isinstance(strategy, SignalStrategy)
        params = checked(strategy, values)
        told = evaluate(strategy, BARS, params)
        sure = confidence_of(strategy, BARS, params, targets=told)
        found.append((fold(told), fold(np.where(np.isnan(told), np.nan, sure)), weight))
    return found


def test_a_vote_counts_weights() -> None:
    params = checked(Ensemble(), {"members": MEMBERS, "threshold": 0.5})
    told = Ensemble().signals(BARS, params)
    seen = set()
    for i in range(len(BARS)):
        score = sum(weight * np.sign(held[i]) for held, _, weight in parts_of()) / 4.0
        expected = 1.0 if score >= 0.5 else -1.0 if score <= -0.5 else 0.0
        assert told[i] == expected
        seen.add(expected)
    assert seen == {-1.0, 0.0, 1.0}


def test_a_weighted_mean_counts_confidence_in_steps() -> None:
    params = checked(Ensemble(), {"members": MEMBERS, "rule": "weighted", "step": 0.1})
    told = Ensemble().signals(BARS, params)
    for i in range(len(BARS)):
        mean = sum(weight * held[i] * sure[i] for held, sure, weight in parts_of()) / 4.0
        assert told[i] == pytest.approx(round(mean / 0.1) * 0.1, abs=1e-12)


def parts_of() -> list[tuple[Floats, Floats, float]]:
    if not _KNOWN:
        _KNOWN.extend(parts())
    return _KNOWN


_KNOWN: list[tuple[Floats, Floats, float]] = []


@pytest.mark.parametrize("rule", ["vote", "weighted"])
def test_it_may_run_and_remembers(rule: str) -> None:
    params = checked(Ensemble(), {"members": MEMBERS, "rule": rule})
    found = examine(Ensemble(), params)
    assert (found.faults, found.path_dependent) == ((), True)


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ("", "expected members such as"),
        ("sma-crossover(fast=5", "expected members such as"),
        ("nonsense", "no strategy of targets named 'nonsense'"),
        ("ensemble", "no strategy of targets named 'ensemble'"),
        ("sma-crossover(fast=90)", "expected less than slow"),
        ("sma-crossover(quick=5)", "unknown; expected one of"),
        ("sma-crossover(fast)", "expected NAME=VALUE"),
        ("rsi*0", "must be above zero"),
    ],
)
def test_members_it_cannot_have_are_named(members: str, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        checked(Ensemble(), {"members": members})
