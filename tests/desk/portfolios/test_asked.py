"""The digest of a rebalance: the same for every spelling of one meaning, another for another."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from evenkeel.desk.portfolios.asked import Asked, digest
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.execution import Execution, ExecutionKind
from evenkeel.domain.rebalance_schedules import Aim

HALVES = Asked(Aim({"a": Decimal("0.5"), "b": Decimal("0.5")}))
WISH = Aim(instrument_ids=("a", "b"), objective="min-variance", constraints=("A <= 0.3", "B - A >= 0"))
SLICED = Execution(ExecutionKind.TWAP, 5, SECOND)


def of(aim: Aim, *symbols: str) -> str:
    return digest(Asked(aim), symbols or ("A", "B"))


def test_weights_and_numbers_in_another_spelling() -> None:
    first = digest(HALVES, ())
    assert first == digest(Asked(Aim({"b": Decimal("0.50"), "a": Decimal("0.5000")}), Decimal("0.000")), ())
    assert first == digest(replace(HALVES, aim=Aim({**HALVES.aim.weights, "c": Decimal(0)})), ()), "as not named"
    for other in (
        replace(HALVES, aim=Aim({"a": Decimal("0.5"), "b": Decimal("0.4")})),
        replace(HALVES, aim=Aim({"a": Decimal("0.5"), "c": Decimal("0.5")})),
        replace(HALVES, buffer=Decimal("0.1")),
        replace(HALVES, band=Decimal("0.1")),
        replace(HALVES, least=Decimal("0.1")),
        replace(HALVES, across=True),
        replace(HALVES, across=True, yields={"a": 0.02}),
        replace(HALVES, execution=SLICED),
        replace(HALVES, execution=replace(SLICED, count=6)),
    ):
        assert digest(other, ()) != first
    assert digest(replace(HALVES, across=True, yields={"a": 0.0}), ()) == digest(replace(HALVES, across=True), ())


def test_an_objective_in_another_spelling() -> None:
    first = of(WISH)
    assert of(replace(WISH, objective="Minimum Variance", constraints=("0 <= B - A", "A<=30%"))) == first
    assert of(replace(WISH, instrument_ids=("b", "a")), "B", "A") == first
    for more in (
        {"objective": "max-sharpe"}, {"constraints": ()}, {"constraints": ("A <= 0.3", "B - A >= 0.1")}, {"days": 100},
        {"least": 0.1}, {"most": 0.9}, {"covariance": "oas"}, {"mean": "ewma"}, {"risk_free": 0.01},
        {"instrument_ids": ("a", "c")}, {"benchmark": {"a": 1.0}}, {"target": 0.1},
    ):  # fmt: skip
        other: dict[str, Any] = more
        assert of(replace(WISH, **other)) != first, more


def test_what_is_left_out_is_what_it_would_be() -> None:
    bare, own = replace(WISH, objective=""), replace(WISH, objective="risk-tolerance", tolerance=0.3)
    assert of(replace(bare, tolerance=0.3)) == of(own)
    assert of(bare) != of(replace(own, tolerance=0.5)), "a portfolio's own tolerance may change"
    assert of(replace(own, tolerance=None)) == of(replace(own, tolerance=0.5))
    utility = replace(WISH, objective="max-utility")
    assert of(utility) == of(replace(utility, aversion=2.5)) != of(replace(utility, aversion=2.0))


def test_what_cannot_be_read_has_none() -> None:
    with pytest.raises(InvalidInput, match="no objective"):
        of(replace(WISH, objective="nonsense"))


@given(st.permutations([("a", "A"), ("b", "B"), ("c", "C")]), st.integers(-3, 3), st.floats(-1, 1))
def test_the_order_of_instruments_means_nothing(order: list[tuple[str, str]], factor: int, most: float) -> None:
    texts = (f"{factor} * A + 2 * C <= {most:.3f}", "B >= 0.1")
    ids, symbols = zip(*order, strict=True)
    aim = Aim(instrument_ids=ids, objective="hrp", constraints=texts[::-1])
    assert of(aim, *symbols) == of(replace(aim, instrument_ids=("a", "b", "c"), constraints=texts), "A", "B", "C")
