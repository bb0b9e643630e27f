"""Weights of strategies by what they have made: by hand, against a plain reference, and never from the future."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.quant import allocation
from evenkeel.quant.indicators import Floats

RESULTS = st.lists(st.sampled_from([-0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.05]), min_size=1, max_size=60).map(np.array)


def test_a_target_earns_what_the_next_bar_brings_less_the_cost_of_trading() -> None:
    close = np.array([100.0, 110.0, 99.0, 99.0])
    held = np.array([1.0, -0.5, -0.5, 0.0])
    result = allocation.made(close, held, cost=0.001)
    assert result == pytest.approx([0.0, 0.1 - 0.001, 0.05 - 0.0015, 0.0])


def test_scores_are_means_over_variances_of_what_was_made() -> None:
    results = np.array([[0.01, -0.02], [0.03, 0.01], [-0.01, 0.0], [0.02, 0.0], [0.0, 0.0]])
    score = allocation.scores(results, 3)
    assert np.isnan(score[:2]).all()
    window = results[1:4, 0]
    assert score[3, 0] == pytest.approx(window.mean() / window.std() ** 2)
    assert score[2, 1] == 0.0, "it has lost"
    assert score[4, 1] == 0.0, "it did nothing"


def test_twice_the_risk_for_the_same_gain_gets_a_quarter() -> None:
    calm = np.array([0.01, 0.03] * 10)
    wild = 0.02 + 2.0 * (calm - 0.02)
    score = allocation.scores(np.column_stack([calm, wild]), 20)[-1]
    assert score[0] / score[1] == pytest.approx(4.0)


def test_shares_add_up_to_one_or_to_nothing() -> None:
    found = allocation.shares(np.array([[1.0, 3.0], [0.0, 0.0]]))
    assert found.tolist() == [[0.25, 0.75], [0.0, 0.0]]


def test_a_fall_takes_it_out_and_a_rise_brings_it_back() -> None:
    results = np.array([0.0, 0.02, -0.03, -0.03, -0.05, 0.02, 0.02, -0.01, -0.01])
    found = allocation.switching(results, fall=0.05, window=10, rise=0.03, least=1)
    assert found.on.tolist() == [True, True, True, False, False, False, True, True, True]
    assert found.distance == pytest.approx([0.0, 0.0, 0.03, 0.06, 0.0, 0.02, 0.04, 0.01, 0.02])


def plainly(results: Floats, *, fall: float, window: int, rise: float, least: int) -> list[bool]:
    """The rule in its own words, with every highest and lowest looked for anew."""
    line = np.cumsum(results)
    found: list[bool] = []
    on, since = True, 0
    for t in range(len(line)):
        if on:
            top = max(line[max(since, t - window + 1) : t + 1])
            if top - line[t] > fall and t - since >= least:
                on, since = False, t
        elif line[t] - min(line[since : t + 1]) >= rise and t - since >= least:
            on, since = True, t
        found.append(on)
    return found


TERMS = st.fixed_dictionaries(
    {
        "fall": st.sampled_from([0.005, 0.025, 0.045]),
        "window": st.integers(1, 20),
        "rise": st.sampled_from([0.005, 0.025]),
        "least": st.integers(0, 8),
    }
)


@given(results=RESULTS, terms=TERMS)
def test_switching_follows_its_rule(results: Floats, terms: dict[str, float]) -> None:
    found = allocation.switching(results, **terms)  # type: ignore[arg-type]
    assert found.on.tolist() == plainly(results, **terms)  # type: ignore[arg-type]
    assert (found.distance >= 0.0).all()


@given(results=RESULTS, terms=TERMS, cut=st.integers(1, 60))
def test_the_future_changes_nothing(results: Floats, terms: dict[str, float], cut: int) -> None:
    whole, prefix = (allocation.switching(part, **terms) for part in (results, results[:cut]))  # type: ignore[arg-type]
    assert whole.on[:cut].tolist() == prefix.on.tolist()
    table = np.column_stack([results, results[::-1].copy()])
    before = allocation.scores(np.vstack([table[:cut], table[:cut] * 9.0]), 4)[: len(table[:cut])]
    np.testing.assert_array_equal(allocation.scores(table[:cut], 4), before)


@given(results=RESULTS, terms=TERMS)
def test_compiled_and_plain_give_the_same_bits(results: Floats, terms: dict[str, float]) -> None:
    line = np.cumsum(results)
    given_ = (float(terms["fall"]), int(terms["window"]), float(terms["rise"]), int(terms["least"]))
    compiled, plain = ([np.empty(len(line)), np.empty(len(line))] for _ in range(2))
    allocation.follow(line, *given_, *compiled)
    allocation.follow.plain(line, *given_, *plain)
    for a, b in zip(compiled, plain, strict=True):
        assert a.tobytes() == b.tobytes()
