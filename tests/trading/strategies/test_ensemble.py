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
from evenkeel.trading.strategies.members import members_of, text_of
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


@pytest.mark.parametrize("rule", ["vote", "weighted", "performance"])
@pytest.mark.parametrize("fall", [0.0, 0.03])
def test_it_may_run_and_remembers(rule: str, fall: float) -> None:
    params = checked(Ensemble(), {"members": MEMBERS, "rule": rule, "fall": fall, "lookback": 40})
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
        ("rsi*1.2.3", "must be above zero"),
        ("rsi(period=inf)", "expected a whole number"),
        ("rsi; pairs", "pairs decides on several instruments together.*panel-ensemble"),
    ],
)
def test_members_it_cannot_have_are_named(members: str, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        checked(Ensemble(), {"members": members})


def tracks(cost: float) -> list[list[float]]:
    """What each member would have made at each bar, in plain words."""
    found = []
    for held, _, _ in parts_of():
        made = [0.0]
        for i in range(1, len(BARS)):
            before = held[i - 2] if i > 1 else 0.0
            made.append(held[i - 1] * (BARS.close[i] / BARS.close[i - 1] - 1.0) - cost * abs(held[i - 1] - before))
        found.append(made)
    return found


@pytest.mark.parametrize("tilt", [1.0, 0.5])
def test_performance_weighs_what_was_made_over_risk(tilt: float) -> None:
    values: dict[str, Scalar] = {
        "members": MEMBERS,
        "rule": "performance",
        "step": 0.05,
        "lookback": 60,
        "tilt": tilt,
        "cost": 0.001,
    }
    params = checked(Ensemble(), values)
    told, details = evaluate(Ensemble(), BARS, params), Ensemble().details(BARS, params)
    assert Ensemble().warmup(params) == 60 + 140
    seen = set()
    for i in range(200, len(BARS)):
        windows = [np.array(made[i - 59 : i + 1]) for made in tracks_of(0.001)]
        scores = [w.mean() / w.std() ** 2 if w.std() > 0 and w.mean() > 0 else 0.0 for w in windows]
        raw = [weight * score for (_, _, weight), score in zip(parts_of(), scores, strict=True)]
        earned = [one / sum(raw) if sum(raw) else 0.0 for one in raw]
        weights = [(1 - tilt) * w / 4.0 + tilt * e for (_, _, w), e in zip(parts_of(), earned, strict=True)]
        names = ("1-sma-crossover", "2-rsi", "3-momentum")
        assert [details[f"{name}.weight"][i] for name in names] == pytest.approx(weights)
        mean = sum(w * held[i] * sure[i] for w, (held, sure, _) in zip(weights, parts_of(), strict=True))
        assert told[i] == pytest.approx(np.clip(round(round(mean / 0.05, 9)) * 0.05, -1, 1), abs=1e-12)
        seen.add(tuple(one > 0.0 for one in earned))
    assert len(seen) > 2, "members come and go"


def tracks_of(cost: float) -> list[list[float]]:
    return _TRACKS.setdefault(cost, tracks(cost))


_TRACKS: dict[float, list[list[float]]] = {}


def test_a_loser_is_left_out_until_it_has_recovered_and_each_switch_is_told() -> None:
    values: dict[str, Scalar] = {
        "members": MEMBERS,
        "rule": "weighted",
        "fall": 0.06,
        "recovery": 0.02,
        "least_bars": 5,
        "step": 0.01,
    }
    params = checked(Ensemble(), values)
    told, details = Ensemble().signals(BARS, params), Ensemble().details(BARS, params)
    names = ("1-sma-crossover", "2-rsi", "3-momentum")
    switches = {name: np.flatnonzero(~np.isnan(details[f"{name}.switch"])) for name in names}
    assert sum(map(len, switches.values())) > 3
    for name in names:
        on = details[f"{name}.on"]
        moves = details[f"{name}.switch"][switches[name]]
        assert moves.tolist() == [1.0 if place % 2 else -1.0 for place in range(len(moves))]
        assert np.array_equal(switches[name], np.flatnonzero(np.diff(on, prepend=1.0)))
        assert (np.isnan(details[f"{name}.fall"]) == (on == 0.0)).all()
    for i in range(len(BARS)):
        counts = [details[f"{name}.on"][i] for name in names]
        whole = sum(weight * is_on for (_, _, weight), is_on in zip(parts_of(), counts, strict=True))
        mean = sum(w * is_on * held[i] * sure[i] for (held, sure, w), is_on in zip(parts_of(), counts, strict=True))
        expected = round(round(mean / whole / 0.01, 9)) * 0.01 if whole else 0.0
        assert told[i] == pytest.approx(expected, abs=1e-12)


def test_how_sure_it_is_are_the_weights_of_those_that_agree() -> None:
    params = checked(Ensemble(), {"members": MEMBERS})
    targets = Ensemble().signals(BARS, params)
    sure = Ensemble().confidence(BARS, params, targets)
    for i in range(len(BARS)):
        agree = [
            weight * (1.0 if held[i] == 0.0 else confidence[i])
            for held, confidence, weight in parts_of()
            if np.sign(held[i]) == np.sign(targets[i])
        ]
        assert sure[i] == pytest.approx(sum(agree) / 4.0)


def test_members_may_read_higher_timeframes() -> None:
    params = checked(Ensemble(), {"members": "trend-filter(trend=30); trend-filter(trend=7, timeframe=1mo); rsi"})
    assert Ensemble().timeframes(params) == {"1w": 30, "1mo": 7}


def test_members_are_written_as_they_are_read() -> None:
    members: list[tuple[str, dict[str, Scalar], float]] = [
        ("sma-crossover", {"fast": 5, "slow": 20, "allow_short": True}, 2.0),
        ("mean-reversion", {"entry": 1.5, "exit": 0.25}, 0.125),
        ("trend-filter", {"timeframe": "1mo"}, 1.0),
        ("rsi", {}, 1e-07),
    ]
    text = text_of(members)
    assert text.endswith("rsi*0.0000001")
    for (name, values, weight), found in zip(members, members_of(text), strict=True):
        assert (found.strategy.name, found.weight) == (name, weight)
        assert values.items() <= found.params.items()
