"""Constraints as people write them, and what is said of those that cannot be read or cannot all hold."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.portfolio.constraints import Names, parse, parse_all
from evenkeel.quant.portfolio.room import Room, check

NAMES = Names(["AAPL", "MSFT", "BRK-B", "X Y"], {"tech": ["AAPL", "MSFT"]}, {"beta": [1.0, 1.2, 0.8, 0.0]})
INF = float("inf")


@pytest.mark.parametrize(
    ("text", "coefficients", "low", "high"),
    [
        ("tech <= 0.3", [1, 1, 0, 0], -INF, 0.3),
        ("AAPL + MSFT <= 15%", [1, 1, 0, 0], -INF, 0.15),
        ("0.9 <= beta <= 1.1", [1, 1.2, 0.8, 0], 0.9, 1.1),
        ("1.1 >= beta >= 0.9", [1, 1.2, 0.8, 0], 0.9, 1.1),
        ("0.5*AAPL - 2 * MSFT >= BRK-B + .1", [0.5, -2, -1, 0], 0.1, INF),
        ("AAPL == MSFT", [1, -1, 0, 0], 0.0, 0.0),
        ("AAPL = 5 %", [1, 0, 0, 0], 0.05, 0.05),
        ('"X Y" < 1e-1', [0, 0, 0, 1], -INF, 0.1),
        ("-AAPL >= -0.2", [-1, 0, 0, 0], -0.2, INF),
        ("AAPL * 2 + 0.1 <= 0.5 + 0.1", [2, 0, 0, 0], -INF, 0.5),
        ("0.1 <= tech + 0.05 <= 0.3", [1, 1, 0, 0], 0.05, 0.25),
    ],
)
def test_what_a_text_says(text: str, coefficients: list[float], low: float, high: float) -> None:
    found = parse(text, NAMES)
    assert found.coefficients.tolist() == pytest.approx(coefficients)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.text == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("appl <= 3", "nothing is called 'appl'; did you mean AAPL"),
        ("tech <= ", "one side is empty"),
        ("<= 0.3", "one side is empty"),
        ("tech 0.3", "expected one <=, >= or =="),
        ("AAPL * MSFT <= 1", "a constraint is linear"),
        ("AAPL MSFT <= 1", "expected + or - before 'MSFT'"),
        ("1 <= 2", "no weight is in it"),
        ("AAPL - AAPL <= 2", "no weight is in it"),
        ("0 <= AAPL - AAPL <= 1", "no weight is in it"),
        ("AAPL <= 1 + ", "ends with a sign"),
        ("AAPL <= 2 *", "ends with"),
        ("AAPL $ 3", "cannot read on from"),
        ("0.4 <= tech <= 0.3", "at least 0.4 and at most 0.3"),
        ("0.1 <= tech >= 0.3", "both signs point the same way"),
        ("AAPL <= tech <= 0.3", "outer two are numbers"),
        ("", "one <=, >= or =="),
        ("* AAPL <= 1", "expected a number or a name"),
    ],
)
def test_what_is_said_of_a_text_that_cannot_be_read(text: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(text, NAMES)
    assert words in caught.value.message


@given(text=st.text(alphabet='AMSBRK-<>=+*. 0123456789%"tech', max_size=25))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse(text, NAMES)
    except InvalidInput:
        return
    assert np.all(np.isfinite(found.coefficients))
    assert found.low <= found.high


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_all(["tech <= 1", "appl <= 1", "tech"], NAMES)
    assert [one.field for one in caught.value.errors] == ["constraints.1", "constraints.2"]


def test_groups_and_exposures_are_checked() -> None:
    with pytest.raises(InvalidInput, match="not among the prices: IBM"):
        Names(["AAPL"], {"tech": ["AAPL", "IBM"]})
    with pytest.raises(InvalidInput, match="one finite number for each"):
        Names(["AAPL"], {}, {"beta": [1.0, 2.0]})


def room(*texts: str, **given: Any) -> Room:
    n = 4
    present = np.full(n, 1.0 / n) if "turnover" in given else None
    return Room(np.zeros(n), np.full(n, 0.6), rows=parse_all(texts, NAMES), present=present, **given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (room("tech >= 0.7", "BRK-B >= 0.2", "X Y >= 0.2".replace("X Y", '"X Y"')), 'tech >= 0.7; BRK-B >= 0.2; "X Y"'),
        (room("tech >= 0.5", "AAPL <= 0.1", "MSFT <= 0.2", "beta <= 3"), "tech >= 0.5; AAPL <= 0.1; MSFT <= 0.2"),
        (room("tech >= 0.9", "beta <= 3", turnover=0.2), "tech >= 0.9; turnover <= 0.2"),
    ],
)
def test_constraints_in_conflict_are_named_and_no_others(given: Room, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(given)
    assert words in caught.value.message
    assert "beta" not in caught.value.message


def test_what_breaks_a_room_is_said_in_words() -> None:
    given = room("tech <= 0.3", turnover=0.1)
    assert given.breaches(np.array([0.5, 0.5, 0.0, 0.1])) == [
        "the weights add up to 1.1, not 1",
        "tech <= 0.3",
        "turnover <= 0.1",
    ]
    assert given.breaches(np.array([0.1, 0.2, 0.35, 0.35])) == ["turnover <= 0.1"]
