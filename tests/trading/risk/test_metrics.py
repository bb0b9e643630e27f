"""What an order would do to correlation and diversification: the closest position, and what is not known."""

from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.events import RiskInputs
from evenkeel.trading.risk.metrics import Closest, Correlations, diversification

NAMES = ("a", "b", "c", "still")
KNOWN = Correlations(
    RiskInputs(
        as_of=1,
        days=250,
        instruments=NAMES,
        correlations=((1, 0.9, -0.6, nan), (0.9, 1, 0.1, nan), (-0.6, 0.1, 1, nan), (nan, nan, nan, nan)),
    )
)
LONG, SHORT = 1, -1


@pytest.mark.parametrize(
    ("side", "others", "expected"),
    [
        (LONG, [("b", LONG), ("c", LONG)], Closest(0.9)),
        (LONG, [("b", SHORT), ("c", SHORT)], Closest(0.6)),
        (SHORT, [("b", SHORT)], Closest(0.9)),
        (LONG, [("b", SHORT)], Closest(-0.9)),
        (LONG, [("a", LONG)], Closest()),
        (LONG, [], Closest()),
        (LONG, [("new", LONG), ("new", SHORT)], Closest(None, 1)),
        (LONG, [("still", LONG), ("new", SHORT)], Closest(None, 2)),
        (LONG, [("new", LONG), ("c", LONG)], Closest(-0.6, 1)),
    ],
    ids=[
        "the same side, the highest", "opposite sides of what moves apart", "two shorts", "a hedge",
        "itself is not asked", "nothing else is held", "not measured", "one did not move", "what is known counts",
    ],
)  # fmt: skip
def test_the_closest_position(side: int, others: list[tuple[str, int]], expected: Closest) -> None:
    assert KNOWN.closest("a", side, others=others) == expected


def test_a_pair_is_the_same_from_both_ends() -> None:
    assert KNOWN.closest("b", LONG, others=[("a", LONG)]) == KNOWN.closest("a", LONG, others=[("b", LONG)])
    assert KNOWN.closest("new", LONG, others=[("a", LONG)]) == Closest(None, 1)


def test_diversification_by_hand() -> None:
    assert diversification([]) == diversification([0.0]) == 0
    assert diversification([5.0]) == 1
    assert diversification([5.0, -5.0, 5.0]) == pytest.approx(3)
    assert diversification([3.0, 1.0]) == pytest.approx(1.6)


@given(st.lists(st.floats(0.01, 1e9), min_size=1, max_size=8), st.floats(0.01, 100))
def test_diversification_does_not_depend_on_size_or_order(values: list[float], times: float) -> None:
    found = diversification(values)
    assert 1 - 1e-9 <= found <= len(values) + 1e-9
    assert diversification([-value * times for value in reversed(values)]) == pytest.approx(found)
